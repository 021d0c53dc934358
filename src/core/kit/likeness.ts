import { invariant } from "./errors.ts"

/** A repetition is named by how far back it begins, in a byte. */
const FARTHEST = 255
/** Shorter ones would spare nothing. */
const SHORTEST = 3
const LONGEST = SHORTEST + 0x7f
const MOST_LITERALS = 0x80
const REPEATS = 0x80

const HASH_BITS = 9
const NOWHERE = -1

/**
 * Writes bytes as what they repeat, of an example that is like them and of themselves, and what is new: LZ77 with something to begin
 * with. For rows of memory: neither for the wire nor for the disk.
 *
 * A byte below 0x80 is followed by one more bytes than it says, which are new; one above by how far back begins what is repeated, three
 * more bytes than its other digits say.
 */
export class Likeness {
  readonly #example: Uint8Array
  /** By a hash of three bytes: where in the example they stand last. */
  readonly #places: Int16Array
  readonly #seen: Int16Array
  readonly #longest: number
  /** The example, and behind it what is being written or read. */
  readonly #window: Uint8Array
  readonly #packed: Uint8Array

  /** Of a long example its beginning counts. `longest`: of what is to be written. */
  constructor(example: Uint8Array, longest: number) {
    this.#example = example.slice(0, FARTHEST)
    this.#longest = longest
    this.#window = new Uint8Array(this.#example.length + longest)
    this.#packed = new Uint8Array(longest)
    this.#places = new Int16Array(1 << HASH_BITS).fill(NOWHERE)
    this.#seen = new Int16Array(1 << HASH_BITS)
    this.#window.set(this.#example)
    for (let at = 0; at + SHORTEST <= this.#example.length; at++) this.#places[this.#hashAt(at)] = at
  }

  /** Good until the next one is written. Undefined where it would not be shorter, or is too long. */
  pack(bytes: Uint8Array): Uint8Array | undefined {
    if (bytes.length > this.#longest) return undefined
    this.#window.set(bytes, this.#example.length)
    this.#seen.set(this.#places)
    const start = this.#example.length
    const end = start + bytes.length
    let back = start
    let written = 0
    let literals = start
    let at = start
    while (at + SHORTEST <= end) {
      const usual = this.#alike(at, back, end)
      const other = at - this.#see(at)
      const length = Math.max(usual, this.#alike(at, other, end))
      if (length < SHORTEST) {
        at++
        continue
      }
      if (length > usual) back = other
      written = this.#writeLiterals(written, literals, at)
      if (written + 2 >= bytes.length) return undefined
      this.#packed[written++] = REPEATS | (length - SHORTEST)
      this.#packed[written++] = back
      for (let next = at + 1; next < at + length && next + SHORTEST <= end; next++) this.#see(next)
      at += length
      literals = at
    }
    written = this.#writeLiterals(written, literals, end)
    return written < bytes.length ? this.#packed.subarray(0, written) : undefined
  }

  /** What was packed into those bytes. */
  unpack(packed: Uint8Array): Uint8Array {
    const window = this.#window
    const first = this.#example.length
    let to = first
    for (let at = 0; at < packed.length; ) {
      const code = packed[at++]!
      const isRepeated = code >= REPEATS
      const length = isRepeated ? code - REPEATS + SHORTEST : code + 1
      invariant(to + length <= window.length, "what was packed is no longer than it may be")
      const back = isRepeated ? packed[at++]! : 0
      for (const stop = to + length; to < stop; to++)
        window[to] = isRepeated ? window[to - back]! : packed[at++]!
    }
    return window.slice(first, to)
  }

  /** How many bytes from `at` on are those that stand so far before them. */
  #alike(at: number, back: number, end: number): number {
    if (back < 1 || back > FARTHEST || back > at) return 0
    const window = this.#window
    const stop = Math.min(end, at + LONGEST)
    let next = at
    while (next < stop && window[next] === window[next - back]) next++
    return next - at
  }

  /** Where the three bytes at `at` were seen last, or others of their hash. */
  #see(at: number): number {
    const hash = this.#hashAt(at)
    const before = this.#seen[hash]!
    this.#seen[hash] = at
    return before
  }

  #hashAt(at: number): number {
    const window = this.#window
    const three = (window[at]! << 16) | (window[at + 1]! << 8) | window[at + 2]!
    return Math.imul(three, 0x9e3779b1) >>> (32 - HASH_BITS)
  }

  /** Where the next goes; beyond the memory there is for it where they do not fit, which is not shorter then. */
  #writeLiterals(written: number, start: number, end: number): number {
    let place = written
    for (let at = start; at < end; ) {
      const count = Math.min(MOST_LITERALS, end - at)
      if (place + 1 + count > this.#packed.length) return Number.POSITIVE_INFINITY
      this.#packed[place++] = count - 1
      for (const stop = at + count; at < stop; at++) this.#packed[place++] = this.#window[at]!
    }
    return place
  }
}
