import { hexDigit } from "../../kit/hex.ts"
import { LatestView } from "../../kit/latest-view.ts"
import { md5, md5Room, md5Words } from "../../kit/md5.ts"
import type { CredentialScan } from "./credential-scan.ts"

/** Where the parts stand that are new each time. */
export type AnswerPlaces = Pick<
  CredentialScan,
  "nonceStart" | "nonceEnd" | "ncStart" | "cnonceStart" | "cnonceEnd" | "responseStart"
>

const HEX = Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0))

const COLON = 58
const AUTH = Uint8Array.from(":auth:", (letter) => letter.charCodeAt(0))
const RESPONSE_BYTES = 16

/** HA1, HA2, nonce, count and cnonce; whoever needs more is checked in the general way. */
const MOST_BYTES = 448

/** Checks answers to challenges in MD5 with qop=auth where they stand, and allocates nothing. RFC 7616 §3.4.1. */
export class QuickDigest {
  readonly #bytes = new Uint8Array(md5Room(MOST_BYTES))
  readonly #view = new DataView(this.#bytes.buffer)
  /** Of a hash in hexadecimal: put together letter by letter, a text would be a tree of parts. */
  readonly #codes: number[] = new Array<number>(2 * RESPONSE_BYTES).fill(0)
  readonly #messages = new LatestView()

  /** `ha1` and `ha2` in hexadecimal. */
  proves(message: Uint8Array, credentials: AnswerPlaces, ha1: string, ha2: string): boolean {
    const { nonceStart, nonceEnd, ncStart, cnonceStart, cnonceEnd } = credentials
    const varying = nonceEnd - nonceStart + cnonceEnd - cnonceStart
    if (ha1.length + ha2.length + varying + 18 > MOST_BYTES) return false
    const from = this.#messages.of(message)
    const offset = message.byteOffset
    let at = this.#text(ha1, 0)
    at = this.#copy(from, offset + nonceStart, offset + nonceEnd, at)
    at = this.#copy(from, offset + ncStart, offset + ncStart + 8, at)
    at = this.#copy(from, offset + cnonceStart, offset + cnonceEnd, at)
    this.#bytes.set(AUTH, at)
    at = this.#text(ha2, at + AUTH.length)
    md5(this.#view, at)
    let difference = 0
    for (let index = 0, digit = credentials.responseStart; index < RESPONSE_BYTES; index++, digit += 2) {
      const given = (hexDigit(message[digit]!) << 4) | hexDigit(message[digit + 1]!)
      difference |= given ^ ((md5Words[index >> 2]! >>> (8 * (index & 3))) & 0xff)
    }
    return difference === 0
  }

  /** H(A2) of a request, in hexadecimal; undefined where its URI is too long. Both are latin1. */
  ha2(method: string, uri: string): string | undefined {
    if (method.length + 1 + uri.length > MOST_BYTES) return undefined
    let at = this.#text(method, 0)
    this.#bytes[at++] = COLON
    md5(this.#view, this.#text(uri, at))
    const codes = this.#codes
    for (let index = 0; index < RESPONSE_BYTES; index++) {
      const byte = (md5Words[index >> 2]! >>> (8 * (index & 3))) & 0xff
      codes[2 * index] = HEX[byte >> 4]!
      codes[2 * index + 1] = HEX[byte & 15]!
    }
    return String.fromCharCode.apply(undefined, codes)
  }

  #text(text: string, start: number): number {
    for (let at = 0; at < text.length; at++) this.#bytes[start + at] = text.charCodeAt(at)
    return start + text.length
  }

  /** Behind a colon, four bytes at a time. */
  #copy(from: DataView, start: number, end: number, to: number): number {
    const view = this.#view
    let at = to
    view.setUint8(at++, COLON)
    let place = start
    for (; place + 4 <= end; place += 4, at += 4) view.setInt32(at, from.getInt32(place, true), true)
    for (; place < end; place++, at++) view.setUint8(at, from.getUint8(place))
    return at
  }
}
