import { checksumOfLines } from "../../kit/checksum.ts"
import { FIELD_NUMBER, FIELD_STRIDE, NAME_START, VALUE_END, VALUE_START } from "../../sip/scan.ts"
import { headerNumber } from "../../sip/scan-names.ts"
import type { Flow } from "../../sip/transport.ts"
import type { Repeated } from "../../transaction/onward.ts"
import {
  isCSeq,
  isWord,
  type ReadVia,
  readAddress,
  readForwards,
  readVia,
  sequenceOf,
} from "./plain-fields.ts"
import { ScannedRequest } from "./scanned-request.ts"

/** An INVITE that begins a dialog, from a phone that is reached at its Contact, with its password. */
export interface Invite {
  readonly uri: string
  /** The URI in From. */
  readonly from: string
  readonly callId: string
  readonly via: ReadVia
  /** The value of Proxy-Authorization, in the bytes of the message. */
  readonly credentialsStart: number
  readonly credentialsEnd: number
  /** The same message. */
  readonly text: string
  /** See `loopMark`. */
  readonly mark: string
  /** Everything behind the fields that a proxy puts on top. */
  readonly rest: string
  readonly repeated: Repeated
  /** 100 Trying. */
  readonly trying: string
}

const VIA = headerNumber("Via")
const FROM = headerNumber("From")
const TO = headerNumber("To")
const CALL_ID = headerNumber("Call-ID")
const CSEQ = headerNumber("CSeq")
const CONTACT = headerNumber("Contact")
const MAX_FORWARDS = headerNumber("Max-Forwards")
const CREDENTIALS = headerNumber("Proxy-Authorization")

/** What there has to be one of. */
const ONE = [VIA, FROM, TO, CALL_ID, CSEQ, CONTACT, MAX_FORWARDS, CREDENTIALS]

/** What decides where it goes, or is repeated in a 100. */
const REFUSED = [headerNumber("Route"), headerNumber("Timestamp")]

const METHOD = "INVITE"
const METHOD_BYTES = Uint8Array.from(`${METHOD} `, (letter) => letter.charCodeAt(0))

/**
 * Recognizes INVITEs in which there is nothing to decide but who sends them and where they go: over UDP, by phones without a NAT before them,
 * with credentials. What the general way finds out by taking the message apart is read off where it stands; test/contract/invites.test.ts
 * shows that the same comes of both.
 */
export class Invites {
  readonly #request = new ScannedRequest()

  /** Undefined: the general way has to judge it. */
  read(bytes: Uint8Array, flow: Flow): Invite | undefined {
    for (let at = 0; at < METHOD_BYTES.length; at++) if (bytes[at] !== METHOD_BYTES[at]) return undefined
    const { scan } = this.#request
    if (!this.#request.read(bytes, flow, REFUSED)) return undefined
    for (const number of ONE) if (scan.countOf(number) !== 1) return undefined
    const { text, uri } = this.#request
    const via = readVia(this.#request.value(VIA), flow)
    const callId = this.#request.value(CALL_ID)
    const cseq = this.#request.value(CSEQ)
    const forwards = readForwards(this.#request.value(MAX_FORWARDS))
    if (via?.isSource !== true || !isWord(callId) || !isCSeq(cseq, METHOD) || forwards === undefined)
      return undefined
    const from = this.#sender(flow)
    if (from === undefined) return undefined
    if (uri.includes("?")) return undefined
    const mark = this.#mark(uri, callId, cseq)
    if (via.branch.endsWith(`-${mark}`)) return undefined // It may have been here before.
    const credentials = scan.first(CREDENTIALS)
    const rest = this.#rest(via.marked, forwards)
    return {
      uri,
      from,
      callId,
      via,
      credentialsStart: scan.fields[credentials + VALUE_START]!,
      credentialsEnd: scan.fields[credentials + VALUE_END]!,
      text,
      mark,
      rest,
      repeated: this.#request.repeated,
      trying: this.#trying(via.marked),
    }
  }

  /** The URI of From, where that, To and Contact are plain, no dialog is there yet, and the Contact is where the request came from. */
  #sender({ remote }: Flow): string | undefined {
    const value = this.#request.value(FROM)
    const from = readAddress(value)
    const to = readAddress(this.#request.value(TO))
    if (from === undefined || to === undefined || to.isTagged) return undefined
    const contactValue = this.#request.value(CONTACT)
    const contact = readAddress(contactValue)
    if (contact === undefined || contactValue.slice(contact.hostStart, contact.hostEnd) !== remote.host)
      return undefined
    return value.slice(from.start, from.end)
  }

  /** As `loopMark` makes it. */
  #mark(uri: string, callId: string, cseq: string): string {
    const lines = [
      uri,
      callId,
      sequenceOf(cseq),
      this.#request.value(FROM),
      this.#request.value(TO),
      this.#request.value(CREDENTIALS),
    ]
    return checksumOfLines(lines).slice(1)
  }

  /** The header fields with the Via as it goes on and one less in Max-Forwards; the body. */
  #rest(marked: string, forwards: number): string {
    const request = this.#request
    const { scan } = request
    const [via, most] = [scan.first(VIA), scan.first(MAX_FORWARDS)]
    request.beginRest()
    if (via < most) request.replace(via, marked)
    request.replace(most, `${forwards - 1}`)
    if (via > most) request.replace(via, marked)
    return request.endRest()
  }

  /** What is repeated, in its order. RFC 3261 §8.2.6. */
  #trying(marked: string): string {
    const { text, scan } = this.#request
    const { fields, count } = scan
    let trying = "SIP/2.0 100 Trying\r\n"
    for (let place = 0; place < count * FIELD_STRIDE; place += FIELD_STRIDE) {
      const number = fields[place + FIELD_NUMBER]!
      if (number === VIA) trying += `Via: ${marked}\r\n`
      else if (number === FROM || number === TO || number === CALL_ID || number === CSEQ)
        trying += text.slice(fields[place + NAME_START]!, fields[place + VALUE_END]! + 2)
    }
    return `${trying}Content-Length: 0\r\n\r\n`
  }
}
