import { hexDigit } from "../../kit/hex.ts"
import { isIn, PARAMETER_VALUE, TOKEN } from "../../sip/characters.ts"

const SCHEME = "Digest "
const RESPONSE_DIGITS = 32
const COUNT_DIGITS = 8
const QUOTE = 34
const COMMA = 44
const EQUALS = 61
const BACKSLASH = 92
const SPACE = 32

const NAMES = ["username", "realm", "nonce", "uri", "response", "algorithm", "cnonce", "opaque", "qop", "nc"]
type Name =
  | "username"
  | "realm"
  | "nonce"
  | "uri"
  | "response"
  | "algorithm"
  | "cnonce"
  | "opaque"
  | "qop"
  | "nc"

/**
 * Finds the parts of an answer to a challenge where they stand in a message: MD5 with qop=auth, as nearly all phones write it. Whatever is written
 * otherwise is for `parseAuthorization`. All numbers are offsets in the text, and in the bytes of the same message.
 */
export class DigestScan {
  nonceStart = 0
  nonceEnd = 0
  cnonceStart = 0
  cnonceEnd = 0
  ncStart = 0
  responseStart = 0
  /** What `nc` counts. */
  count = 0
  /** By place in NAMES: where each value begins and ends; -1 where there is none. */
  readonly #starts = new Int32Array(NAMES.length)
  readonly #ends = new Int32Array(NAMES.length)

  /** False where it is written in another way than phones do, or lacks one of the parts. */
  read(text: string, start: number, end: number): boolean {
    this.#starts.fill(-1)
    if (!text.startsWith(SCHEME, start)) return false
    let at = start + SCHEME.length
    while (at < end) {
      at = this.#readOne(text, at, end)
      if (at < 0 || at === end) break
      if (text.charCodeAt(at++) !== COMMA) return false
      while (text.charCodeAt(at) === SPACE) at++
      if (at >= end) return false
    }
    return at === end && this.#isComplete(text)
  }

  /** Whether that part is this very text. */
  says(name: Name, text: string, value: string): boolean {
    const part = NAMES.indexOf(name)
    const start = this.#starts[part]!
    return start >= 0 && this.#ends[part]! - start === value.length && text.startsWith(value, start)
  }

  /** That part; undefined where there is none. */
  valueOf(name: Name, text: string): string | undefined {
    const part = NAMES.indexOf(name)
    return this.#starts[part]! < 0 ? undefined : text.slice(this.#starts[part]!, this.#ends[part]!)
  }

  /** Behind `name=value`; -1 where that is not so, or the name is unknown or comes again. */
  #readOne(text: string, start: number, end: number): number {
    let at = start
    while (isIn(text.charCodeAt(at), TOKEN)) at++
    const part = partAt(text, start, at - start)
    if (part < 0 || this.#starts[part]! >= 0 || text.charCodeAt(at) !== EQUALS) return -1
    at++
    const isQuoted = text.charCodeAt(at) === QUOTE
    if (isQuoted) at++
    this.#starts[part] = at
    if (isQuoted) {
      for (; at < end && text.charCodeAt(at) !== QUOTE; at++) if (text.charCodeAt(at) === BACKSLASH) return -1
      if (at >= end) return -1
    } else while (at < end && isIn(text.charCodeAt(at), PARAMETER_VALUE)) at++
    this.#ends[part] = at
    if (!isQuoted && at === this.#starts[part]) return -1
    return isQuoted ? at + 1 : at
  }

  #isComplete(text: string): boolean {
    const [starts, ends] = [this.#starts, this.#ends]
    const [nonce, response, cnonce, nc] = [2, 4, 6, 9]
    if (starts[nonce]! < 0 || starts[cnonce]! < 0 || !this.says("qop", text, "auth")) return false
    if (this.valueOf("algorithm", text) !== undefined && !this.says("algorithm", text, "MD5")) return false
    if (starts[nc]! < 0 || ends[nc]! - starts[nc]! !== COUNT_DIGITS) return false
    if (starts[response]! < 0 || ends[response]! - starts[response]! !== RESPONSE_DIGITS) return false
    this.nonceStart = starts[nonce]!
    this.nonceEnd = ends[nonce]!
    this.cnonceStart = starts[cnonce]!
    this.cnonceEnd = ends[cnonce]!
    this.ncStart = starts[nc]!
    this.responseStart = starts[response]!
    this.count = 0
    for (let at = this.ncStart; at < this.ncStart + COUNT_DIGITS; at++) {
      const digit = hexDigit(text.charCodeAt(at))
      if (digit < 0) return false
      this.count = 16 * this.count + digit
    }
    return true
  }
}

function partAt(text: string, start: number, length: number): number {
  for (let part = 0; part < NAMES.length; part++)
    if (NAMES[part]!.length === length && text.startsWith(NAMES[part]!, start)) return part
  return -1
}
