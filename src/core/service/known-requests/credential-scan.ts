import { hexDigit } from "../../kit/hex.ts"
import { isIn, TOKEN } from "../../sip/characters.ts"
import type { SkeletonHash } from "./skeleton-hash.ts"

const SPACE = 32
const QUOTE = 34
const COMMA = 44
const EQUALS = 61
const BACKSLASH = 92

const SCHEME_LENGTH = "Digest ".length
const RESPONSE_DIGITS = 32
const COUNT_DIGITS = 8

/** The names by which the parts are found that change each time: length and first letter are enough. */
const NONCE = key("nonce")
const CNONCE = key("cnonce")
const RESPONSE = key("response")
const NC = key("nc")

/**
 * The parts of an Authorization field that are new each time, and the hash of the rest: quotes, order, user, realm and
 * all. A field with a hash that `parseAuthorization` has understood before says the same, but for those parts.
 */
export class CredentialScan {
  /** Of the field's value; set before `read`. */
  start = 0
  end = 0
  /** The two halves of the hash. */
  a = 0
  b = 0
  nonceStart = 0
  nonceEnd = 0
  cnonceStart = 0
  cnonceEnd = 0
  ncStart = 0
  /** What `nc` counts. */
  count = 0
  /** 32 hexadecimal digits begin here. */
  responseStart = 0

  /** False where it is written in another way than phones do, or lacks one of the parts. */
  read(bytes: Uint8Array, hash: SkeletonHash): boolean {
    const { end } = this
    hash.startAt(this.start)
    this.nonceEnd = this.cnonceEnd = this.ncStart = this.responseStart = 0
    let at = this.start + SCHEME_LENGTH
    while (at < end) {
      const nameStart = at
      while (at < end && isIn(bytes[at]!, TOKEN)) at++
      if (bytes[at] !== EQUALS || at >= end) return false
      const name = (at - nameStart) * 256 + bytes[nameStart]!
      at++
      const isQuoted = bytes[at] === QUOTE
      const valueStart = isQuoted ? at + 1 : at
      const valueEnd = isQuoted ? quotedEnd(bytes, valueStart, end) : bareEnd(bytes, valueStart, end)
      if (valueEnd < 0) return false
      if (!this.#cut(bytes, hash, name, valueStart, valueEnd)) return false
      at = isQuoted ? valueEnd + 1 : valueEnd
      if (at === end) break
      if (bytes[at] !== COMMA) return false
      at++
      while (at < end && bytes[at] === SPACE) at++
    }
    hash.add(end)
    this.a = hash.a
    this.b = hash.b
    return this.nonceEnd > 0 && this.cnonceEnd > 0 && this.ncStart > 0 && this.responseStart > 0
  }

  #cut(bytes: Uint8Array, hash: SkeletonHash, name: number, start: number, end: number): boolean {
    switch (name) {
      case NONCE:
        this.nonceStart = start
        this.nonceEnd = end
        break
      case CNONCE:
        this.cnonceStart = start
        this.cnonceEnd = end
        break
      case RESPONSE:
        if (end - start !== RESPONSE_DIGITS) return false
        this.responseStart = start
        break
      case NC:
        if (end - start !== COUNT_DIGITS || !this.#readCount(bytes, start)) return false
        break
      default:
        return true
    }
    hash.cut(start, end)
    return true
  }

  #readCount(bytes: Uint8Array, start: number): boolean {
    this.ncStart = start
    let count = 0
    for (let at = start; at < start + COUNT_DIGITS; at++) {
      const digit = hexDigit(bytes[at]!)
      if (digit < 0) return false
      count = 16 * count + digit
    }
    this.count = count
    return true
  }
}

function key(name: string): number {
  return name.length * 256 + name.charCodeAt(0)
}

/** Where the closing quote stands; -1 where there is none, or a backslash before it. */
function quotedEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    if (bytes[at] === QUOTE) return at
    if (bytes[at] === BACKSLASH) return -1
  }
  return -1
}

/** Behind a value without quotes. */
function bareEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && bytes[at] !== COMMA && bytes[at] !== SPACE && bytes[at] !== QUOTE) at++
  return at > start ? at : -1
}
