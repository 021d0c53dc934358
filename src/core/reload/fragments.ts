import { concat } from "../kit/bytes.ts"
import { Deadlines } from "../kit/deadlines.ts"
import { LIMITS } from "../kit/limits.ts"
import { after, type Instant, seconds } from "../kit/time.ts"
import type { ForwardingHeader } from "./header.ts"
import { type ReadHeader, writeMessage } from "./message.ts"

// RFC 6940 §6.7: messages that do not fit a datagram travel in pieces, each with a full header.

/** Every fragment carries as much of the message at least, whatever the path may hold. */
const SMALLEST_PAYLOAD = 256
/** Room for the via list to grow on its way. */
const SPARE = 32
/** How long an end-to-end request may take. */
const PATIENCE = seconds(15)

/**
 * A message, or a fragment of one, in pieces of equal size that leave 32 bytes of `pathMtu` free; in
 * one piece where it fits, or where the header leaves no room for 256 bytes.
 */
export function splitMessage(
  header: ForwardingHeader,
  payload: Uint8Array,
  pathMtu: number,
): readonly Uint8Array[] {
  const whole = writeMessage(header, payload)
  const room = pathMtu - SPARE - (whole.length - payload.length)
  if (payload.length <= room || room < SMALLEST_PAYLOAD) return [whole]
  const pieces = Math.ceil(payload.length / room)
  const size = Math.max(SMALLEST_PAYLOAD, Math.ceil(payload.length / pieces))
  return Array.from({ length: Math.ceil(payload.length / size) }, (_, index) => {
    const start = index * size
    const last = header.fragment.last && start + size >= payload.length
    const fragment = { last, offset: header.fragment.offset + start }
    return writeMessage({ ...header, fragment }, payload.subarray(start, start + size))
  })
}

/** Whether the header is that of a whole message. */
export const isWhole = ({ fragment }: ForwardingHeader): boolean => fragment.last && fragment.offset === 0

interface PartialMessage {
  /** By offset. */
  readonly pieces: Map<number, Uint8Array>
  bytes: number
  /** Known once the last fragment has come. */
  length: number | undefined
}

/** Puts fragments together again, at their destination. Bounded: what finds no room is dropped, §6.7. */
export class Reassembly {
  readonly #partial = new Map<string, PartialMessage>()
  readonly #deadlines = new Deadlines<string>()
  #bytes = 0

  get deadline(): Instant {
    return this.#deadlines.next
  }

  /** Messages that wait for fragments. */
  get waiting(): number {
    return this.#partial.size
  }

  /**
   * The whole message, once the last missing fragment comes; undefined before, and where there is no
   * room. `sender` keeps apart those that use the same transaction id.
   */
  accept(sender: string, { header, payload }: ReadHeader, now: Instant): ReadHeader | undefined {
    if (isWhole(header)) return { header, payload }
    const key = `${sender} ${header.transaction}`
    const partial = this.#partial.get(key) ?? this.#begin(key, now)
    if (partial === undefined) return undefined
    const { offset, last } = header.fragment
    if (last) partial.length = offset + payload.length
    if (!this.#keep(partial, offset, payload)) {
      this.#forget(key)
      return undefined
    }
    const whole = assemble(partial)
    if (whole === undefined) return undefined
    this.#forget(key)
    return { header: { ...header, fragment: { last: true, offset: 0 } }, payload: whole }
  }

  /** Gives up messages of which nothing was heard to the end for 15 s. Returns how many. */
  expire(now: Instant): number {
    let given = 0
    for (let key = this.#deadlines.takeDue(now); key !== undefined; key = this.#deadlines.takeDue(now)) {
      this.#forget(key)
      given++
    }
    return given
  }

  #begin(key: string, now: Instant): PartialMessage | undefined {
    if (this.#partial.size >= LIMITS.reload.partialMessages) return undefined
    const partial: PartialMessage = { pieces: new Map(), bytes: 0, length: undefined }
    this.#partial.set(key, partial)
    this.#deadlines.set(key, after(now, PATIENCE))
    return partial
  }

  /** False where there is no room for it. */
  #keep(partial: PartialMessage, offset: number, payload: Uint8Array): boolean {
    const known = partial.pieces.get(offset)?.length ?? 0
    if (partial.pieces.has(offset) && known >= payload.length) return true // A retransmission.
    partial.pieces.set(offset, payload.slice())
    partial.bytes += payload.length - known
    this.#bytes += payload.length - known
    const { partialBytes, reassembledMessage, fragmentsOfMessage } = LIMITS.reload
    return (
      this.#bytes <= partialBytes &&
      offset + payload.length <= reassembledMessage &&
      partial.pieces.size <= fragmentsOfMessage
    )
  }

  #forget(key: string): void {
    this.#bytes -= this.#partial.get(key)?.bytes ?? 0
    this.#partial.delete(key)
    this.#deadlines.delete(key)
  }
}

/** The payload, if its pieces leave no gap. They may overlap, having been cut differently on their ways. */
function assemble({ pieces, bytes: held, length }: PartialMessage): Uint8Array | undefined {
  if (length === undefined || held < length) return undefined
  const parts: Uint8Array[] = []
  let end = 0
  for (const [offset, bytes] of [...pieces].sort(([a], [b]) => a - b)) {
    if (offset > end) return undefined
    const fresh = bytes.subarray(end - offset)
    parts.push(fresh)
    end += fresh.length
  }
  return end === length ? concat(...parts) : undefined
}
