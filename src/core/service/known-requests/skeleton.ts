import { isIn, TOKEN } from "../../sip/characters.ts"
import { FIELD_NUMBER, FIELD_STRIDE, MessageScan, VALUE_END, VALUE_START } from "../../sip/scan.ts"
import { headerNumber } from "../../sip/scan-names.ts"
import { CredentialScan } from "./credential-scan.ts"
import { SkeletonHash } from "./skeleton-hash.ts"

export const VIA = headerNumber("Via")
export const FROM = headerNumber("From")
export const TO = headerNumber("To")
export const CALL_ID = headerNumber("Call-ID")
export const CSEQ = headerNumber("CSeq")
const RECORD_ROUTE = headerNumber("Record-Route")
const AUTHORIZATION = headerNumber("Authorization")

/** Longer ones are rare, and not worth keeping so much memory ready for their answers. */
const MOST_BYTES = 4_096

const SEMICOLON = 59
const EQUALS = 61

const BRANCH = bytesOf(";branch=z9hG4bK")
const RPORT = bytesOf(";rport")
const TAG = bytesOf(";tag=")
const REGISTER = bytesOf("REGISTER ")
const OPTIONS = bytesOf("OPTIONS ")

/** CSeq stays below 2^32; nine digits are certain to. */
const MOST_DIGITS = 9

/**
 * A REGISTER or OPTIONS, taken apart into what a client writes anew each time, and the rest, its skeleton, of which a
 * hash of 64 bits is made. Two requests with one skeleton mean the same but for the parts that were cut out: branch, From
 * tag, CSeq number, the Authorization field, and the Call-ID of an OPTIONS. Of the Authorization field the same is done
 * once more.
 *
 * It decides nothing: what a skeleton means is known where the general way has judged a request with it before.
 */
export class Skeleton {
  readonly scan = new MessageScan()
  readonly credentials = new CredentialScan()
  readonly hash = new SkeletonHash()
  method: "REGISTER" | "OPTIONS" = "REGISTER"
  /** The two halves of the hash. */
  a = 0
  b = 0
  cseq = 0
  branchStart = 0
  branchEnd = 0
  /** Behind `;rport` of the Via; -1 where there is none. */
  rportEnd = -1
  /** Of Authorization: whether there is one. */
  hasCredentials = false

  /** False where the message is none of those, or is not plain. */
  read(bytes: Uint8Array): boolean {
    if (!this.#readMethod(bytes) || bytes.length > MOST_BYTES || !this.scan.read(bytes)) return false
    const { scan, hash } = this
    if (scan.countOf(VIA) !== 1 || scan.countOf(AUTHORIZATION) > 1 || scan.countOf(RECORD_ROUTE) > 0)
      return false
    if (scan.first(CSEQ) < 0 || scan.first(FROM) < 0 || scan.first(CALL_ID) < 0) return false
    // A tag for To may be made of the Via.
    if (scan.first(TO) < scan.first(VIA)) return false
    hash.begin(bytes, scan.view)
    this.hasCredentials = false
    const { fields, count } = scan
    hash.add(scan.uriEnd)
    for (let place = 0; place < count * FIELD_STRIDE; place += FIELD_STRIDE) {
      const start = fields[place + VALUE_START]!
      const end = fields[place + VALUE_END]!
      if (fields[place + FIELD_NUMBER] === AUTHORIZATION && this.method === "REGISTER") {
        // From the end of the line before to its own: a REGISTER without it has the same skeleton.
        this.hasCredentials = true
        this.credentials.start = start
        this.credentials.end = end
        hash.leap(end)
        continue
      }
      if (!this.#cut(bytes, fields[place + FIELD_NUMBER]!, start, end)) return false
      hash.add(end)
    }
    hash.add(bytes.length)
    this.a = hash.a
    this.b = hash.b
    if (this.hasCredentials && !this.credentials.read(bytes, hash)) return false
    return true
  }

  #readMethod(bytes: Uint8Array): boolean {
    if (startsWith(bytes, 0, REGISTER)) this.method = "REGISTER"
    else if (startsWith(bytes, 0, OPTIONS)) this.method = "OPTIONS"
    else return false
    return true
  }

  /** Hashes up to what the field has that is cut out, and goes on behind it. */
  #cut(bytes: Uint8Array, number: number, start: number, end: number): boolean {
    switch (number) {
      case VIA:
        return this.#cutBranch(bytes, start, end)
      case FROM:
        return this.#cutTag(bytes, start, end)
      case CSEQ:
        return this.#cutCSeq(bytes, start, end)
      case CALL_ID:
        if (this.method === "OPTIONS") return this.#cutCallId(bytes, start, end)
        return true
      default:
        return true
    }
  }

  #cutBranch(bytes: Uint8Array, start: number, end: number): boolean {
    this.rportEnd = -1
    this.branchEnd = 0
    for (let at = start; at < end; at++) {
      if (bytes[at] !== SEMICOLON) continue
      if (startsWith(bytes, at, BRANCH)) {
        if (this.branchEnd !== 0) return false
        this.branchStart = at + BRANCH.length
        this.branchEnd = tokenEnd(bytes, this.branchStart, end)
        if (this.branchEnd === this.branchStart) return false
        this.hash.cut(this.branchStart, this.branchEnd)
        at = this.branchEnd - 1
      } else if (startsWith(bytes, at, RPORT)) {
        const behind = at + RPORT.length
        if (behind === end || bytes[behind] === SEMICOLON) this.rportEnd = behind
        else if (bytes[behind] === EQUALS) return false
      }
    }
    return this.branchEnd > this.branchStart
  }

  /** The tag where it comes last, as nearly everybody writes it; elsewhere it is a part of the skeleton. */
  #cutTag(bytes: Uint8Array, start: number, end: number): boolean {
    let at = end
    while (at > start && isIn(bytes[at - 1]!, TOKEN)) at--
    const tag = at - TAG.length
    if (at < end && tag > start && bytes[tag - 1] === 0x3e && startsWith(bytes, tag, TAG))
      this.hash.cut(at, end)
    return true
  }

  #cutCSeq(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start
    let number = 0
    while (at < end && bytes[at]! >= 48 && bytes[at]! <= 57) number = 10 * number + bytes[at++]! - 48
    if (at === start || at - start > MOST_DIGITS) return false
    this.cseq = number
    this.hash.cut(start, at)
    return true
  }

  #cutCallId(bytes: Uint8Array, start: number, end: number): boolean {
    for (let at = start; at < end; at++) if (bytes[at]! < 0x21 || bytes[at]! > 0x7e) return false
    this.hash.cut(start, end)
    return end > start
  }
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0))
}

function startsWith(bytes: Uint8Array, start: number, text: Uint8Array): boolean {
  for (let at = 0; at < text.length; at++) if (bytes[start + at] !== text[at]) return false
  return true
}

function tokenEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && isIn(bytes[at]!, TOKEN)) at++
  return at
}
