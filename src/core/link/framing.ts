import { briefMemory } from "../kit/brief-memory.ts"
import { after, type Duration, type Instant, milliseconds, NEVER, NO_TIME, seconds } from "../kit/time.ts"
import { HEADER_LENGTH } from "../reload/header.ts"

// RFC 6940 §6.6.2: frames on a stream, and their acknowledgements. The stream is reliable, so nothing is
// sent twice here; acknowledgements tell how quick the other end is, and whether it lives at all.

const DATA = 0x80
const ACKNOWLEDGEMENT = 0x81
/** Bytes in front of the message in a data frame. */
export const FRAME_HEADER = 8
const ACKNOWLEDGEMENT_LENGTH = 9
/** "ReLO" with its high bit: what every message begins with. */
const TOKEN = Uint8Array.of(0xd2, 0x45, 0x4c, 0x4f)

/** Frames whose acknowledgement we wait for. More are sent, but not watched. */
const WATCHED = 4_096
/** The slowest acknowledgement is told of for so long, and at most for as long again. */
const OF_LATE = seconds(10)

export type FramingEvent =
  /** A whole message, and the frame that acknowledges it. */
  | { readonly kind: "message"; readonly bytes: Uint8Array; readonly acknowledgement: Uint8Array }
  /** A message above the limit: its forwarding header, from which it can be refused. Nothing follows. */
  | { readonly kind: "too-large"; readonly head: Uint8Array; readonly length: number }
  /** This is not RELOAD, or no longer. Nothing follows. */
  | { readonly kind: "broken"; readonly reason: string }

/** The framing of one link, both ways: link type TLS-TCP-FH-NO-ICE. RFC 6940 §6.6.2, §6.6.5. */
export class Framing {
  readonly #maxMessageSize: number
  /** What came of a frame whose end has not come. */
  #buffer = new Uint8Array()
  #length = 0
  #closed = false
  #nextToSend = 0
  /** The 32 sequence numbers before `#newest`, as the bits of an acknowledgement: the lowest is the one before. */
  #history = 0
  #newest: number | undefined
  readonly #unacknowledged = new Map<number, Instant>()
  #smoothed: number | undefined
  #variation = 0
  #slowest: Duration = NO_TIME
  #slowestBefore: Duration = NO_TIME
  #slowestSince = 0 as Instant

  constructor(maxMessageSize: number) {
    this.#maxMessageSize = maxMessageSize
  }

  /** When the oldest frame that is not acknowledged was sent; NEVER where there is none. */
  get waitingSince(): Instant {
    // Asked of every link, many times a second: most wait for nothing.
    if (this.#unacknowledged.size > 0) for (const sent of this.#unacknowledged.values()) return sent
    return NEVER
  }

  /** Smoothed, as RFC 6298 §2 has it; undefined before the first acknowledgement. */
  get roundTrip(): Duration | undefined {
    return this.#smoothed === undefined ? undefined : milliseconds(this.#smoothed)
  }

  /** How long an acknowledgement may take; RFC 6298 §2 without its lower bound of a second. */
  get timeout(): Duration {
    return milliseconds(this.#smoothed === undefined ? 500 : this.#smoothed + 4 * this.#variation)
  }

  /** How long the slowest acknowledgement of the last ten seconds took, or twenty. */
  slowest(now: Instant): Duration {
    this.#forgetSlowest(now)
    return milliseconds(Math.max(this.#slowest, this.#slowestBefore))
  }

  /** A message as one data frame. */
  frame(message: Uint8Array, now: Instant): Uint8Array {
    const frame = new Uint8Array(FRAME_HEADER + message.length)
    frame.set(message, FRAME_HEADER)
    this.frameInPlace(frame, now)
    return frame
  }

  /** The same where it lies, behind FRAME_HEADER free bytes. */
  frameInPlace(frame: Uint8Array, now: Instant): void {
    const sequence = this.#nextToSend
    this.#nextToSend = (sequence + 1) >>> 0
    if (this.#unacknowledged.size < WATCHED) this.#unacknowledged.set(sequence, now)
    frame[0] = DATA
    putU32(frame, 1, sequence)
    // The length has 24 bits, behind the last of the sequence.
    putU32(frame, 4, ((sequence & 0xff) << 24) | (frame.length - FRAME_HEADER))
  }

  /** Bytes of the stream, cut anyhow. After "too-large" and "broken" all further bytes are ignored. Messages may be views on the bytes. */
  receive(bytes: Uint8Array, now: Instant): readonly FramingEvent[] {
    if (this.#closed) return []
    const events: FramingEvent[] = []
    // What nearly always comes are whole frames: they need no buffer, and no copy.
    let taken = this.#length === 0 ? this.#takeFrames(bytes, bytes.length, events, now) : 0
    // In pieces, so that the buffer stays below one frame however much came at once.
    while (taken < bytes.length && !this.#closed) {
      const piece = bytes.subarray(taken, taken + this.#maxMessageSize + FRAME_HEADER)
      taken += piece.length
      this.#append(piece)
      const used = this.#takeFrames(this.#buffer, this.#length, events, now)
      this.#buffer.copyWithin(0, used, this.#length)
      this.#length -= used
    }
    return events
  }

  /** Takes the frames that begin in front of `end`, and are complete. Where the next one begins. */
  #takeFrames(memory: Uint8Array, end: number, events: FramingEvent[], now: Instant): number {
    let at = 0
    for (;;) {
      const next = this.#takeFrame(memory, at, end, events, now)
      if (next === undefined) return at
      at = next
    }
  }

  /** Where the next frame begins; undefined where this one is not complete, or wrong. */
  #takeFrame(
    memory: Uint8Array,
    at: number,
    end: number,
    events: FramingEvent[],
    now: Instant,
  ): number | undefined {
    const left = end - at
    if (left === 0) return undefined
    switch (memory[at]) {
      case ACKNOWLEDGEMENT:
        if (left < ACKNOWLEDGEMENT_LENGTH) return undefined
        this.#acknowledged(u32At(memory, at + 1), u32At(memory, at + 5), now)
        return at + ACKNOWLEDGEMENT_LENGTH
      case DATA: {
        if (left < FRAME_HEADER) return undefined
        const length = u32At(memory, at + 4) & 0xff_ffff
        const start = at + FRAME_HEADER
        const head = memory.subarray(start, Math.min(start + length, end))
        if (!beginsMessage(head) || length < TOKEN.length)
          return this.#break(events, "it sends what is no RELOAD message")
        if (length > this.#maxMessageSize) return this.#refuse(head, length, events)
        if (left < FRAME_HEADER + length) return undefined
        const acknowledgement = this.#acknowledge(u32At(memory, at + 1))
        const bytes = memory === this.#buffer ? head.slice() : head
        events.push({ kind: "message", bytes, acknowledgement })
        return start + length
      }
      default:
        return this.#break(
          events,
          `it sends what is not framed as RELOAD, a byte ${memory[at]} where a frame begins`,
        )
    }
  }

  #refuse(head: Uint8Array, length: number, events: FramingEvent[]): undefined {
    if (head.length < HEADER_LENGTH) return
    const view = new DataView(head.buffer, head.byteOffset, head.length)
    const whole = HEADER_LENGTH + view.getUint16(32) + view.getUint16(34) + view.getUint16(36)
    if (whole > this.#maxMessageSize || whole > length)
      return this.#break(events, `it sends a message of ${length} bytes, and its header alone is too large`)
    if (head.length < whole) return
    events.push({ kind: "too-large", head: head.slice(0, whole), length })
    this.#closed = true
  }

  #break(events: FramingEvent[], reason: string): undefined {
    events.push({ kind: "broken", reason })
    this.#closed = true
  }

  #append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(2 * length)
      larger.set(this.#buffer.subarray(0, this.#length))
      this.#buffer = larger
    }
    this.#buffer.set(bytes, this.#length)
    this.#length = length
  }

  #acknowledge(sequence: number): Uint8Array {
    const distance = this.#newest === undefined ? 0 : (sequence - this.#newest) >>> 0
    if (distance > 0)
      this.#history =
        distance > 32 ? 0 : ((distance === 32 ? 0 : this.#history << distance) | (1 << (distance - 1))) >>> 0
    this.#newest = sequence
    const frame = briefMemory(ACKNOWLEDGEMENT_LENGTH)
    frame[0] = ACKNOWLEDGEMENT
    putU32(frame, 1, sequence)
    putU32(frame, 5, this.#history)
    return frame
  }

  #acknowledged(sequence: number, received: number, now: Instant): void {
    const sent = this.#unacknowledged.get(sequence)
    if (sent === undefined) return
    this.#measure(now - sent)
    this.#forgetSlowest(now)
    this.#slowest = milliseconds(Math.max(this.#slowest, now - sent))
    this.#unacknowledged.delete(sequence)
    if (this.#unacknowledged.size === 0) return
    for (let bit = 0; bit < 32; bit++)
      if ((received >>> bit) & 1) this.#unacknowledged.delete((sequence - 1 - bit) >>> 0)
  }

  #forgetSlowest(now: Instant): void {
    if (now < after(this.#slowestSince, OF_LATE)) return
    const isLongAgo = now >= after(this.#slowestSince, milliseconds(2 * OF_LATE))
    this.#slowestBefore = isLongAgo ? NO_TIME : this.#slowest
    this.#slowest = NO_TIME
    this.#slowestSince = now
  }

  #measure(sample: number): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = sample
      this.#variation = sample / 2
    } else {
      this.#variation = 0.75 * this.#variation + 0.25 * Math.abs(this.#smoothed - sample)
      this.#smoothed = 0.875 * this.#smoothed + 0.125 * sample
    }
  }
}

/** Whether it is the beginning of a message, as far as it goes. */
function beginsMessage(head: Uint8Array): boolean {
  for (let i = 0; i < Math.min(TOKEN.length, head.length); i++) if (head[i] !== TOKEN[i]) return false
  return true
}

const u32At = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0

function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
