import { toUtf8 } from "../../kit/bytes.ts"
import type { Hashes } from "../../kit/crypto.ts"
import { Hmac } from "../../kit/hmac.ts"
import { LIMITS } from "../../kit/limits.ts"
import type { Random } from "../../kit/random.ts"
import { after, type Duration, type Instant, minutes, NEVER, seconds } from "../../kit/time.ts"
import { NONCE_WORDS, NonceUses } from "./nonce-uses.ts"

/** How long a nonce is good for: the bound on a replay across nodes. */
export const NONCE_LIFE: Duration = minutes(5)

/** Clocks of nodes differ; a nonce from further in the future is forged or the fabric is ill. */
const CLOCK_SKEW = seconds(60)

/** So old a generation of uses becomes the older one: a nonce is good to the end of its life. */
const OLD: Duration = (NONCE_LIFE + 1) as Duration

/** Seconds and a salt of two words; the rest is a truncated HMAC of them. */
const CLEAR_WORDS = 3
const CLEAR_BYTES = 4 * CLEAR_WORDS
const NONCE_BYTES = 4 * NONCE_WORDS

/** Characters of a nonce as it is written. */
export const NONCE_LENGTH = (4 * NONCE_BYTES) / 3

const LABEL = toUtf8("carillon nonce 1")

export type NonceVerdict = "fresh" | "expired" | "forged"

/**
 * Digest nonces that every node of the fabric can verify: time, salt and a truncated HMAC. RFC 7616 §3.3, §5.4.
 *
 * One is judged first, and used when the password has been proved: the two calls are about the same nonce.
 */
export class Nonces {
  readonly #hmac: Hmac
  readonly #random: Random
  // Two generations, so that forgetting costs nothing: the older is dropped when the newer is as old as a nonce lives.
  #uses = new NonceUses()
  #oldUses = new NonceUses()
  #rotated = -Infinity
  /** The nonce that is being judged, in words. */
  readonly #nonce = new Int32Array(NONCE_WORDS)
  readonly #text = new Uint8Array(NONCE_LENGTH)

  /** `key`: 32 bytes that all nodes share. */
  constructor(hashes: Hashes, key: Uint8Array, random: Random) {
    this.#hmac = new Hmac(hashes, key)
    this.#random = random
  }

  issue(now: Instant): string {
    this.issueBytes(this.#text, 0, now)
    return String.fromCharCode(...this.#text)
  }

  /** The same into a message: NONCE_LENGTH bytes from `start` on. */
  issueBytes(bytes: Uint8Array, start: number, now: Instant): void {
    const nonce = this.#nonce
    nonce[0] = Math.floor(now / 1_000)
    for (let word = 1; word < CLEAR_WORDS; word++) {
      for (let byte = 0; byte < 4; byte++)
        nonce[word] = (nonce[word]! << 8) | Math.floor(256 * this.#random.next())
    }
    const mac = this.#mac()
    for (let word = CLEAR_WORDS; word < NONCE_WORDS; word++) nonce[word] = mac[word - CLEAR_WORDS]!
    this.#write(bytes, start)
  }

  /** `forged`: not ours; `expired`: ours once. */
  judge(nonce: string, now: Instant): NonceVerdict {
    const isText = nonce.length === NONCE_LENGTH && this.#copy(nonce)
    return isText ? this.judgeBytes(this.#text, 0, NONCE_LENGTH, now) : "forged"
  }

  /** The same of a nonce that stands in a message. */
  judgeBytes(bytes: Uint8Array, start: number, end: number, now: Instant): NonceVerdict {
    if (end - start !== NONCE_LENGTH || !this.#read(bytes, start)) return "forged"
    // Proved before: a refresh with a known nonce is spared the HMAC.
    if (this.#count() === 0 && !this.#isAuthentic()) return "forged"
    const issued = 1_000 * (this.#nonce[0]! >>> 0)
    if (issued > now + CLOCK_SKEW) return "forged"
    return now - issued > NONCE_LIFE ? "expired" : "fresh"
  }

  /** Whether the nonce that was judged last has been used with this count or a higher one. */
  isUsed(nonceCount: number): boolean {
    return nonceCount <= this.#count()
  }

  /**
   * Whether this use of a nonce, already proved with the password, is a new one: its count must rise. Only proved uses
   * are remembered, so that nobody without a password can fill the table.
   */
  use(nonce: string, nonceCount: number, now: Instant): boolean {
    const isText = nonce.length === NONCE_LENGTH && this.#copy(nonce) && this.#read(this.#text, 0)
    return isText && this.useJudged(nonceCount, now)
  }

  /** The same of the nonce that was judged last. */
  useJudged(nonceCount: number, now: Instant): boolean {
    if (now - this.#rotated > NONCE_LIFE || this.#uses.size >= LIMITS.sip.nonceCounts) this.#rotate(now)
    if (this.isUsed(nonceCount)) return false
    this.#uses.set(this.#nonce, nonceCount)
    return true
  }

  /** When uses may be forgotten of nonces that nobody can use any more. */
  get deadline(): Instant {
    const isEmpty = this.#uses.size === 0 && this.#oldUses.size === 0
    return isEmpty ? NEVER : after(this.#rotated as Instant, OLD)
  }

  expire(now: Instant): void {
    if (now >= this.deadline) this.#rotate(now)
  }

  #rotate(now: Instant): void {
    this.#oldUses = this.#uses
    this.#uses = new NonceUses()
    this.#rotated = now
  }

  #count(): number {
    const recent = this.#uses.count(this.#nonce)
    return recent > 0 ? recent : this.#oldUses.count(this.#nonce)
  }

  /** Into `#text`; false where it is no ASCII. */
  #copy(nonce: string): boolean {
    let all = 0
    for (let at = 0; at < NONCE_LENGTH; at++) {
      const code = nonce.charCodeAt(at)
      all |= code
      this.#text[at] = code
    }
    return all < 128
  }

  /** `#nonce` in base64. */
  #write(bytes: Uint8Array, start: number): void {
    const nonce = this.#nonce
    let at = start
    for (let word = 0; word < NONCE_WORDS; word += 3) {
      groups[0] = nonce[word]! >>> 8
      groups[1] = ((nonce[word]! & 0xff) << 16) | (nonce[word + 1]! >>> 16)
      groups[2] = ((nonce[word + 1]! & 0xffff) << 8) | (nonce[word + 2]! >>> 24)
      groups[3] = nonce[word + 2]! & 0xff_ffff
      for (let group = 0; group < 4; group++, at += 4) {
        const bits = groups[group]!
        bytes[at] = CODES[bits >>> 18]!
        bytes[at + 1] = CODES[(bits >>> 12) & 63]!
        bytes[at + 2] = CODES[(bits >>> 6) & 63]!
        bytes[at + 3] = CODES[bits & 63]!
      }
    }
  }

  /** Into `#nonce`; false where it is no base64. */
  #read(bytes: Uint8Array, start: number): boolean {
    let at = start
    let invalid = 0
    // Four words are 16 characters with 6 bits each: three bytes from every four.
    for (let word = 0; word < NONCE_WORDS; word += 3) {
      for (let group = 0; group < 4; group++, at += 4) {
        const a = VALUES[bytes[at]!]!
        const b = VALUES[bytes[at + 1]!]!
        const c = VALUES[bytes[at + 2]!]!
        const d = VALUES[bytes[at + 3]!]!
        invalid |= a | b | c | d
        groups[group] = (a << 18) | (b << 12) | (c << 6) | d
      }
      this.#nonce[word] = (groups[0]! << 8) | (groups[1]! >>> 16)
      this.#nonce[word + 1] = (groups[1]! << 16) | (groups[2]! >>> 8)
      this.#nonce[word + 2] = (groups[2]! << 24) | groups[3]!
    }
    return invalid < INVALID
  }

  #isAuthentic(): boolean {
    const mac = this.#mac()
    let difference = 0
    for (let word = CLEAR_WORDS; word < NONCE_WORDS; word++)
      difference |= this.#nonce[word]! ^ mac[word - CLEAR_WORDS]!
    return difference === 0
  }

  /** Of time and salt. */
  #mac(): Int32Array {
    const { scratch } = this.#hmac
    scratch.set(LABEL)
    for (let word = 0, at = LABEL.length; word < CLEAR_WORDS; word++, at += 4) {
      const number = this.#nonce[word]!
      scratch[at] = number >>> 24
      scratch[at + 1] = number >>> 16
      scratch[at + 2] = number >>> 8
      scratch[at + 3] = number
    }
    return this.#hmac.wordsOf(LABEL.length + CLEAR_BYTES)
  }
}

const groups = new Int32Array(4)

/** Above any value of a digit. */
const INVALID = 64
/** Base64url, RFC 4648 §5. */
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
const CODES = Uint8Array.from(DIGITS, (digit) => digit.charCodeAt(0))
const VALUES = new Uint8Array(256).fill(INVALID)
for (const [value, code] of CODES.entries()) VALUES[code] = value
