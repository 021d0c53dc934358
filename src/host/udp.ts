import { createSocket, type RemoteInfo, type Socket } from "node:dgram"
import { isIPv4, isIPv6 } from "node:net"
import type { Address } from "../core/kit/address.ts"
import { answerStunBinding, isStun } from "../core/sip/stun.ts"
import { HOST_LIMITS } from "./limits.ts"
import { listenFailure, plainHost, socketFailure } from "./listen.ts"
import { isCrlfOnly } from "./sip-connection.ts"

/** SIP's datagrams. Implementations differ in speed alone. */
export interface DatagramTransport {
  /** As bound; the host may be "0.0.0.0" or "::". */
  readonly local: Address
  /** `failed` is called, later, where the datagram could not be handed to the network. */
  send(bytes: Uint8Array, to: Address, failed: (reason: string) => void): void
  close(): Promise<void>
}

export interface DatagramSettings {
  readonly bind: Address
  /** One datagram that is no keep-alive: those are answered or dropped by the transport itself. */
  readonly received: (bytes: Uint8Array, from: Address) => void
}

/** The transport over the platform's own UDP sockets. Throws `PortTakenError` or `ListenError`. */
export async function openDatagrams(settings: DatagramSettings): Promise<DatagramTransport> {
  const { bind } = settings
  const family = isIPv6(bind.host) ? "udp6" : "udp4"
  const socket = createSocket({ type: family, lookup: literalsOnly })
  await bound(socket, bind)
  askForBuffers(socket)
  const transport = new Datagrams(socket, { host: bind.host, port: socket.address().port })
  socket.on("message", (bytes, from) => transport.take(bytes, from, settings.received))
  // A single send's failure comes to its callback; what is left concerns no message of ours.
  socket.on("error", () => undefined)
  return transport
}

class Datagrams implements DatagramTransport {
  readonly local: Address
  readonly #socket: Socket
  readonly #isDual: boolean

  constructor(socket: Socket, local: Address) {
    this.#socket = socket
    this.#isDual = isIPv6(local.host)
    this.local = local
  }

  take(bytes: Uint8Array, from: RemoteInfo, received: DatagramSettings["received"]): void {
    const first = bytes[0]
    if (first === undefined || first === 0 || first === 1) {
      this.#keepAlive(bytes, from)
    } else if (!isCrlfOnly(bytes)) {
      received(bytes, { host: plainHost(from.address), port: from.port })
    }
  }

  /** RFC 5626 §3.5.2 and the four zero bytes that some phones send instead; a SIP message begins with neither. */
  #keepAlive(bytes: Uint8Array, from: RemoteInfo): void {
    if (!isStun(bytes)) return
    const remote = { host: plainHost(from.address), port: from.port }
    const answer = answerStunBinding(bytes, remote)
    if (answer !== undefined) this.send(answer, remote, () => undefined)
  }

  send(bytes: Uint8Array, to: Address, failed: (reason: string) => void): void {
    const host = this.#isDual && isIPv4(to.host) ? `::ffff:${to.host}` : to.host
    const problem = this.#problem(to)
    if (problem !== undefined) {
      queueMicrotask(() => failed(problem))
      return
    }
    this.#socket.send(bytes, to.port, host, (cause) => {
      if (cause) failed(socketFailure(cause, to))
    })
  }

  #problem(to: Address): string | undefined {
    if (!isIPv4(to.host) && !(this.#isDual && isIPv6(to.host)))
      return `${to.host} cannot be reached from the address ${this.local.host}`
    if (!(to.port > 0 && to.port < 65_536)) return `${to.port} is no port to send to`
    if (this.#socket.getSendQueueSize() > HOST_LIMITS.datagrams.unsentBytes)
      return "the network takes datagrams more slowly than they are sent"
    return undefined
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.close(() => resolve())
    })
  }
}

function bound(socket: Socket, { host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error) => {
      socket.close()
      reject(listenFailure(cause, "UDP", "sip", { host, port }))
    }
    socket.once("error", failed)
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.off("error", failed)
      resolve()
    })
  })
}

/** A burst of a farm's REGISTERs waits in the kernel while this process is busy. */
function askForBuffers(socket: Socket): void {
  try {
    socket.setRecvBufferSize(HOST_LIMITS.datagrams.bufferBytes)
    socket.setSendBufferSize(HOST_LIMITS.datagrams.bufferBytes)
  } catch {
    // The kernel's own size then; nothing depends on it but how long a burst may be.
  }
}

type Found = (error: NodeJS.ErrnoException | null, address: string, family: number) => void

/** Addresses come here as literals; a look-up per datagram would cost a turn of the event loop each. */
const literalsOnly = (host: string, _options: unknown, found: Found): void =>
  found(null, host, isIPv6(host) ? 6 : 4)
