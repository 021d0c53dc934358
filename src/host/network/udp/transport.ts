import type { Address } from "../../../core/kit/address.ts"
import type { Room } from "../../../core/kit/room.ts"
import { answerStunBinding, isStun } from "../../../core/sip/stun.ts"
import type { DatagramWay } from "../../kit/interface.ts"
import { isCrlfOnly } from "../sip-connection.ts"

/** SIP's datagrams. Implementations differ in speed alone. */
export interface DatagramTransport {
  /** As bound; the host may be "0.0.0.0" or "::". */
  readonly local: Address
  readonly way: DatagramWay
  /** Datagrams that the kernel has thrown away as nobody took them in time; undefined where it does not tell. */
  readonly dropped: number | undefined
  /** `failed` is called, later, where the datagram could not be handed to the network. Nobody changes the bytes. */
  send(bytes: Uint8Array, to: Address, failed: (reason: string) => void): void
  close(): Promise<void>
}

export interface DatagramSettings {
  readonly bind: Address
  /**
   * One datagram that is no keep-alive: those are answered or dropped by the transport itself. The bytes
   * are the receiver's until it returns, no longer: the next datagram may come into the same memory. The same sender is
   * the same object, as long as it is remembered.
   */
  readonly received: (bytes: Uint8Array, from: Address, room?: Room) => void
  /** Whether more can be taken in this turn of the event loop; what cannot is left to the kernel for the next one. */
  readonly takesMore?: () => boolean
  /** Several sockets share the port, and the kernel spreads what comes by who sent it (SO_REUSEPORT). */
  readonly sharedPort?: boolean
  /** Asked of the kernel for each direction, which may grant less. */
  readonly bufferBytes?: number
}

/** Of keep-alives and messages: the first byte decides. No SIP message begins with 0, 1, CR or LF. RFC 3261 §7, RFC 8489 §5. */
export const mayBeKeepAlive = (first: number | undefined): boolean =>
  first === undefined || first === 0 || first === 1 || first === 0x0d || first === 0x0a

/**
 * Whether the datagram is there to keep a NAT's door open, and to be answered or dropped: STUN and empty lines
 * (RFC 5626 §3.5) and the four zero bytes that some phones send instead.
 */
export function isKeepAlive(bytes: Uint8Array): boolean {
  if (!mayBeKeepAlive(bytes[0])) return false
  return bytes[0] === 0x0d || bytes[0] === 0x0a ? isCrlfOnly(bytes) : true
}

/** What a keep-alive is answered with; most are not. RFC 5626 §3.5.2. */
export const answerKeepAlive = (bytes: Uint8Array, from: Address): Uint8Array | undefined =>
  isStun(bytes) ? answerStunBinding(bytes, from) : undefined
