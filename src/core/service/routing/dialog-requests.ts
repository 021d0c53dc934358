import { toLatin1 } from "../../kit/bytes.ts"
import { checksumOfLines } from "../../kit/checksum.ts"
import { FormatError } from "../../kit/errors.ts"
import { HOST, isIn, TOKEN } from "../../sip/characters.ts"
import { tagOf } from "../../sip/fields.ts"
import { parseNameAddress } from "../../sip/name-address.ts"
import {
  FIELD_NUMBER,
  FIELD_STRIDE,
  MessageScan,
  NAME_START,
  VALUE_END,
  VALUE_START,
} from "../../sip/scan.ts"
import { headerNumber } from "../../sip/scan-names.ts"
import { isWrittenOurWay } from "../../sip/scan-spelling.ts"
import type { Flow, Hop } from "../../sip/transport.ts"
import { parseUri, readSipUri } from "../../sip/uri.ts"
import { MAGIC_COOKIE } from "../../sip/via.ts"
import type { Names } from "../names.ts"
import type { DialogRequest } from "../proxy/interface.ts"
import { isSecure } from "../proxy/request.ts"
import { literalHop } from "../proxy/resolve-plan.ts"
import type { Flows } from "./flows.ts"
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

/** What the general way looks at, refuses by, takes off, or reckons among what decides where a request goes. */
const UNUSUAL = [
  ...["Record-Route", "Path", "Proxy-Require", "Proxy-Authorization", "Max-Breadth", "P-Asserted-Identity"],
  ...["P-Preferred-Identity", "Remote-Party-ID", "P-Preferred-Service", "P-Asserted-Service"],
].map(headerNumber)

const MOST_BYTES = 4_096

const BY_UDP = "SIP/2.0/UDP "
const BRANCH = `;branch=${MAGIC_COOKIE}`
const RPORT = ";rport"
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
  readonly #scan = new MessageScan()
  #text = ""

  constructor(parts: DialogRequestParts) {
    this.#parts = parts
  }

  /** Undefined: the general way has to judge it. */
  read(bytes: Uint8Array, flow: Flow): DialogRequest | undefined {
    const method = methodOf(bytes)
    if (method === undefined || flow.transport !== "UDP" || flow.node !== undefined) return undefined
    if (bytes.length > MOST_BYTES || !this.#scan.read(bytes) || !this.#isUsual(method, bytes))
      return undefined
    this.#text = toLatin1(bytes)
    const uri = this.#text.slice(this.#scan.uriStart, this.#scan.uriEnd)
    const callId = this.#value(CALL_ID)
    const via = readVia(this.#value(VIA), flow)
    if (via === undefined || !isWord(callId) || !this.#areAddressesSound()) return undefined
    const cseq = this.#value(CSEQ)
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
      via: this.#value(VIA),
      markedVia: marked,
      branch,
      sentBy,
      callId,
      cseq,
      mark,
      rest,
    }
  }

  #isUsual(method: string, bytes: Uint8Array): boolean {
    const scan = this.#scan
    if (scan.kind !== "request" || scan.methodEnd !== method.length || scan.countOf(VIA) !== 1) return false
    if (scan.countOf(ROUTE) === 0 || scan.countOf(CONTACT) > 1) return false
    for (const number of UNUSUAL) if (scan.first(number) >= 0) return false
    for (const number of NEEDED) if (scan.first(number) < 0) return false
    return isWrittenOurWay(scan, bytes)
  }

  #value(number: number): string {
    return this.#valueAt(this.#scan.first(number))
  }

  #valueAt(place: number): string {
    const { fields } = this.#scan
    return this.#text.slice(fields[place + VALUE_START]!, fields[place + VALUE_END]!)
  }

  /** From, To with a tag, and Contact, as `validateMessage` wants them. */
  #areAddressesSound(): boolean {
    try {
      parseUri(parseNameAddress(this.#value(FROM)).uri)
      const to = parseNameAddress(this.#value(TO))
      parseUri(to.uri)
      if (tagOf(to) === undefined) return false
      if (this.#scan.first(CONTACT) < 0) return true
      const contact = this.#value(CONTACT)
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
    const { fields, count } = this.#scan
    let token: ReturnType<Tokens["read"]>
    for (let place = 0; place < count * FIELD_STRIDE; place += FIELD_STRIDE) {
      if (fields[place + FIELD_NUMBER] !== ROUTE) continue
      const user = routeUser(this.#valueAt(place))
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

  /** As `loopMark` makes it. */
  #mark(uri: string, callId: string, cseq: string): string {
    const { fields, count } = this.#scan
    const lines = [uri, callId, String(Number.parseInt(cseq, 10))]
    for (let place = 0; place < count * FIELD_STRIDE; place += FIELD_STRIDE)
      if (fields[place + FIELD_NUMBER] === ROUTE) lines.push(this.#valueAt(place))
    lines.push(this.#value(FROM), this.#value(TO))
    return checksumOfLines(lines).slice(1)
  }

  /** The header fields without Routes, one less in Max-Forwards, with the Via as it goes on; the body. */
  #rest(marked: string, method: "ACK" | "BYE"): string | undefined {
    const text = this.#text
    const { fields, count, bodyStart, bodyEnd } = this.#scan
    const forwards = readForwards(this.#value(MAX_FORWARDS))
    if (forwards === undefined) return undefined
    let rest = ""
    let start = fields[NAME_START]!
    for (let place = 0; place < count * FIELD_STRIDE; place += FIELD_STRIDE) {
      const number = fields[place + FIELD_NUMBER]!
      const [valueStart, valueEnd] = [fields[place + VALUE_START]!, fields[place + VALUE_END]!]
      if (number === ROUTE) {
        rest += text.slice(start, fields[place + NAME_START]!)
        start = valueEnd + 2
      } else if (number === MAX_FORWARDS || (number === VIA && method !== "ACK")) {
        rest += text.slice(start, valueStart) + (number === VIA ? marked : `${forwards - 1}`)
        start = valueEnd
      }
    }
    return rest + text.slice(start, bodyStart) + text.slice(bodyStart, bodyEnd)
  }
}

function methodOf(bytes: Uint8Array): "ACK" | "BYE" | undefined {
  if (bytes[3] !== 0x20) return undefined
  if (bytes[0] === 0x41 && bytes[1] === 0x43 && bytes[2] === 0x4b) return "ACK"
  return bytes[0] === 0x42 && bytes[1] === 0x59 && bytes[2] === 0x45 ? "BYE" : undefined
}

/** RFC 3261 §25.1: a Call-ID of which nothing has to be cut off. */
function isWord(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x21 || code > 0x7e) return false
  }
  return text !== ""
}

/** Up to nine digits, a space, the method. */
const isCSeq = (text: string, method: string): boolean =>
  /^\d{1,9} [A-Z]+$/.test(text) && text.endsWith(` ${method}`)

/** 1 to 255. */
function readForwards(text: string): number | undefined {
  if (!/^[1-9]\d{0,2}$/.test(text)) return undefined
  const count = Number(text)
  return count > 255 ? undefined : count
}

/** Our own Record-Routes, as nearly everybody sends them back: one a field, and what stands in it. */
function routeUser(value: string): string | undefined {
  const at = value.indexOf("@")
  if (at < 0 || !value.startsWith(ROUTE_START) || !value.endsWith(ROUTE_END)) return undefined
  // The same few addresses again and again, which are remembered as read.
  const host = readTarget(`sip:${value.slice(at + 1, -ROUTE_END.length)}`)
  return host === undefined || host.user !== undefined ? undefined : value.slice(ROUTE_START.length, at)
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57

/** Undefined where it is none, or has what is taken out of a Request-URI. RFC 3261 §19.1.1. */
function readTarget(text: string) {
  return text.includes("?") || text.toLowerCase().includes(";method=") ? undefined : readSipUri(text)
}

interface ReadVia {
  readonly branch: string
  /** As `matchKey` spells it. */
  readonly sentBy: string
  readonly marked: string
}

/** A Via with branch and rport alone, whose answers go back to where it came from. RFC 3261 §18.2, RFC 3581 §4. */
function readVia(value: string, { remote }: Flow): ReadVia | undefined {
  if (!value.startsWith(BY_UDP)) return undefined
  let at = BY_UDP.length
  while (isIn(value.charCodeAt(at), HOST)) at++
  const host = value.slice(BY_UDP.length, at)
  let port = ""
  if (value[at] === ":") {
    const start = ++at
    while (isDigit(value.charCodeAt(at))) at++
    port = value.slice(start, at)
    if (port.length > 5 || port.startsWith("0") || !(Number(port) >= 1 && Number(port) <= 65_535))
      return undefined
  }
  let branch = ""
  let rport = -1
  while (at < value.length) {
    if (branch === "" && value.startsWith(BRANCH, at)) {
      const start = at + BRANCH.length - MAGIC_COOKIE.length
      at += BRANCH.length
      while (isIn(value.charCodeAt(at), TOKEN)) at++
      branch = value.slice(start, at)
    } else if (rport < 0 && value.startsWith(RPORT, at)) {
      at += RPORT.length
      rport = at
    } else return undefined
    if (at < value.length && value[at] !== ";") return undefined
  }
  if (host === "" || branch.length <= MAGIC_COOKIE.length) return undefined
  const isSource = host === remote.host && Number(port || 5060) === remote.port
  if (rport < 0 && !isSource) return undefined
  const marked =
    rport < 0 ? value : `${value.slice(0, rport)}=${remote.port}${value.slice(rport)};received=${remote.host}`
  return { branch, sentBy: `${host.toLowerCase()}:${port}`, marked }
}
