import { checksumOfLines } from "../../kit/checksum.ts"
import { FormatError } from "../../kit/errors.ts"
import { ownText } from "../../kit/own-text.ts"
import { tagOf } from "../../sip/fields.ts"
import { parseNameAddress } from "../../sip/name-address.ts"
import { FIELD_NUMBER, FIELD_STRIDE } from "../../sip/scan.ts"
import { headerNumber } from "../../sip/scan-names.ts"
import type { Flow, Hop } from "../../sip/transport.ts"
import { parseUri, readSipUri } from "../../sip/uri.ts"
import type { Names } from "../names.ts"
import type { DialogRequest } from "../proxy/interface.ts"
import { isSecure } from "../proxy/request.ts"
import { literalHop } from "../proxy/resolve-plan.ts"
import type { Flows } from "./flows.ts"
import { isCSeq, isWord, readAddress, readForwards, readVia, sequenceOf } from "./plain-fields.ts"
import { ScannedRequest } from "./scanned-request.ts"
import type { Tokens } from "./tokens.ts"

const VIA = headerNumber("Via")
const ROUTE = headerNumber("Route")
const FROM = headerNumber("From")
const TO = headerNumber("To")
const CALL_ID = headerNumber("Call-ID")
const CSEQ = headerNumber("CSeq")
const CONTACT = headerNumber("Contact")
const MAX_FORWARDS = headerNumber("Max-Forwards")
const NEEDED = [FROM, TO, CALL_ID, CSEQ, MAX_FORWARDS]

/** What is reckoned among what decides where a request goes. */
const REFUSED = [headerNumber("Proxy-Authorization")]

const ROUTE_START = "<sip:"
const ROUTE_END = ";lr>"

export interface DialogRequestParts {
  readonly names: Names
  readonly tokens: Tokens
  readonly flows: Flows
}

/**
 * Recognizes the requests that are most of what comes in a call after its INVITE: ACK and BYE over UDP, in the dialog of tokens of
 * ours, to an address or a flow of this node, in which nothing is unusual. What the general way finds out about such a
 * request by taking it apart is read off where it stands; test/contract/relayed.test.ts shows that the same comes of both.
 */
export class DialogRequests {
  readonly #parts: DialogRequestParts
  readonly #request = new ScannedRequest()
  /** Of the last Route that was one of ours: they name one or two. */
  #lastAddress = ""

  constructor(parts: DialogRequestParts) {
    this.#parts = parts
  }

  /** Undefined: the general way has to judge it. */
  read(bytes: Uint8Array, flow: Flow): DialogRequest | undefined {
    const method = methodOf(bytes)
    if (method === undefined || !this.#request.read(bytes, flow, REFUSED)) return undefined
    if (!this.#isUsual(method)) return undefined
    const { uri } = this.#request
    const callId = this.#request.value(CALL_ID)
    const via = readVia(this.#request.value(VIA), flow)
    if (via === undefined || !isWord(callId) || !this.#areAddressesSound()) return undefined
    const cseq = this.#request.value(CSEQ)
    const hop = this.#hop(uri, callId, flow)
    const rest = this.#rest(via.marked, method)
    if (hop === undefined || rest === undefined || !isCSeq(cseq, method)) return undefined
    // Who goes on without a transaction is not looked for in circles either: Max-Forwards ends them.
    const mark = method === "ACK" ? "" : this.#mark(uri, callId, cseq)
    if (mark !== "" && via.branch.endsWith(`-${mark}`)) return undefined // It may have been here before.
    const { branch, sentBy, marked } = via
    return {
      method,
      hop,
      uri,
      via: this.#request.value(VIA),
      markedVia: marked,
      branch,
      sentBy,
      callId,
      cseq,
      mark,
      rest,
      repeated: method === "ACK" ? undefined : this.#request.repeated,
    }
  }

  #isUsual(method: string): boolean {
    const { scan } = this.#request
    if (scan.methodEnd !== method.length || scan.countOf(VIA) !== 1) return false
    if (scan.countOf(ROUTE) === 0 || scan.countOf(CONTACT) > 1) return false
    return NEEDED.every((number) => scan.first(number) >= 0)
  }

  /** From, To with a tag, and Contact, as `validateMessage` wants them. */
  #areAddressesSound(): boolean {
    const hasContact = this.#request.scan.first(CONTACT) >= 0
    const isPlain =
      readAddress(this.#request.value(FROM)) && (!hasContact || readAddress(this.#request.value(CONTACT)))
    if (isPlain && readAddress(this.#request.value(TO))?.isTagged === true) return true
    try {
      parseUri(parseNameAddress(this.#request.value(FROM)).uri)
      const to = parseNameAddress(this.#request.value(TO))
      parseUri(to.uri)
      if (tagOf(to) === undefined) return false
      if (!hasContact) return true
      const contact = this.#request.value(CONTACT)
      if (contact === "*" || contact.includes(",")) return false
      parseUri(parseNameAddress(contact).uri)
      return true
    } catch (error) {
      if (error instanceof FormatError) return false
      throw error
    }
  }

  /** Where the last of its tokens sends it; undefined where somebody has to be asked, or where not all Routes are tokens. */
  #hop(uri: string, callId: string, flow: Flow): Hop | undefined {
    const { tokens, names, flows } = this.#parts
    const { fields, count } = this.#request.scan
    let token: ReturnType<Tokens["read"]>
    for (let place = 0; place < count * FIELD_STRIDE; place += FIELD_STRIDE) {
      if (fields[place + FIELD_NUMBER] !== ROUTE) continue
      const user = this.#routeUser(this.#request.valueAt(place))
      token = user === undefined ? undefined : tokens.read(user, callId)
      if (token === undefined || token.unbound) return undefined
    }
    const target = readTarget(uri)
    // A strict router leaves one of our Routes in the Request-URI; one that means us or the domain is for the registrar.
    if (target === undefined) return undefined
    const { user } = target
    if (names.isOurs(target, flow.transport)) return undefined
    if (user !== undefined && tokens.read(user, callId) !== undefined) return undefined
    if (token?.token.kind === "out") return literalHop({ uri: target, secure: isSecure(uri) })
    const place = token && flows.find(token.token)
    return place?.kind === "here" ? { kind: "flow", flow: place.flow } : undefined
  }

  /** Our own Record-Routes, as nearly everybody sends them back: one a field, and what stands in it. */
  #routeUser(value: string): string | undefined {
    const at = value.indexOf("@")
    if (at < 0 || !value.startsWith(ROUTE_START) || !value.endsWith(ROUTE_END)) return undefined
    const address = value.slice(at + 1, -ROUTE_END.length)
    return this.#isPlainAddress(address) ? value.slice(ROUTE_START.length, at) : undefined
  }

  #isPlainAddress(text: string): boolean {
    if (text === this.#lastAddress) return true
    const uri = readTarget(`sip:${text}`)
    if (uri === undefined || uri.user !== undefined) return false
    this.#lastAddress = ownText(text)
    return true
  }

  /** As `loopMark` makes it. */
  #mark(uri: string, callId: string, cseq: string): string {
    const { fields, count } = this.#request.scan
    const lines = [uri, callId, sequenceOf(cseq)]
    for (let place = 0; place < count * FIELD_STRIDE; place += FIELD_STRIDE)
      if (fields[place + FIELD_NUMBER] === ROUTE) lines.push(this.#request.valueAt(place))
    lines.push(this.#request.value(FROM), this.#request.value(TO))
    return checksumOfLines(lines).slice(1)
  }

  /** The header fields without Routes, one less in Max-Forwards, with the Via as it goes on; the body. */
  #rest(marked: string, method: "ACK" | "BYE"): string | undefined {
    const request = this.#request
    const { fields, count } = request.scan
    const forwards = readForwards(this.#request.value(MAX_FORWARDS))
    if (forwards === undefined) return undefined
    request.beginRest()
    for (let place = 0; place < count * FIELD_STRIDE; place += FIELD_STRIDE) {
      const number = fields[place + FIELD_NUMBER]!
      if (number === ROUTE) request.leaveOut(place)
      else if (number === MAX_FORWARDS) request.replace(place, `${forwards - 1}`)
      else if (number === VIA && method !== "ACK") request.replace(place, marked)
    }
    return request.endRest()
  }
}

function methodOf(bytes: Uint8Array): "ACK" | "BYE" | undefined {
  if (bytes[3] !== 0x20) return undefined
  if (bytes[0] === 0x41 && bytes[1] === 0x43 && bytes[2] === 0x4b) return "ACK"
  return bytes[0] === 0x42 && bytes[1] === 0x59 && bytes[2] === 0x45 ? "BYE" : undefined
}

/** Undefined where it is none, or has what is taken out of a Request-URI. RFC 3261 §19.1.1. */
function readTarget(text: string) {
  return text.includes("?") || text.toLowerCase().includes(";method=") ? undefined : readSipUri(text)
}
