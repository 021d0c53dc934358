import { toLatin1 } from "../kit/bytes.ts"
import { LIMITS } from "../kit/limits.ts"
import { isSpace, isToken, parseDecimal, trimSpace } from "./characters.ts"
import { headerDefinition } from "./header-table.ts"
import { type HeaderField, Headers, NO_BODY, type SipMessage } from "./message.ts"
import { SipParseError } from "./parse-error.ts"
import { salvage } from "./salvage.ts"
import { validateMessage } from "./validate.ts"

const CR = 13
const LF = 10

type StartLine =
  | { readonly kind: "request"; readonly method: string; readonly uri: string }
  | { readonly kind: "response"; readonly status: number; readonly reason: string }

interface Fault {
  readonly status: number
  readonly reason: string
}

type StartLineResult =
  | { readonly line: StartLine; readonly fault?: Fault }
  | { readonly line: undefined; readonly fault: Fault }

/**
 * Reads one datagram, or one message that the framing cut from a stream. RFC 3261 §7.
 * What comes out has passed `validateMessage`, unless `validate` is false. Throws SipParseError.
 *
 * Empty lines before the message, white space where the grammar has LWS, extra spaces in the start line and
 * bytes behind the body are borne (§7.5, §18.3; RFC 4475 §3.1.2.9); so is the lack of the empty line where
 * the message ends with its headers.
 */
export function parseMessage(bytes: Uint8Array, { validate = true } = {}): SipMessage {
  const start = skipEmptyLines(bytes)
  if (bytes.length - start > LIMITS.sip.messageBytes)
    throw new SipParseError(513, "Message Too Large", undefined)
  const bodyStart = findBody(bytes, start)
  const head = toLatin1(bytes.subarray(start, bodyStart))
  const lineEnd = head.indexOf("\r\n")
  if (lineEnd < 0) throw new SipParseError(400, "Not SIP", undefined)
  const first = readStartLine(head.slice(0, lineEnd))
  const { fields, fault: headerFault } = readHeaders(head, lineEnd + 2)
  const { body, fault: bodyFault } = readBody(bytes.subarray(bodyStart), fields)
  if (first.line === undefined) throw new SipParseError(first.fault.status, first.fault.reason, undefined)
  const fault = first.fault ?? headerFault ?? bodyFault
  if (fault !== undefined) {
    const rest =
      first.line.kind === "request" ? salvage(first.line.method, first.line.uri, fields) : undefined
    throw new SipParseError(fault.status, fault.reason, rest)
  }
  const message: SipMessage = { ...first.line, headers: new Headers(fields), body }
  if (validate) validateMessage(message)
  return message
}

/** RFC 3261 §7.5. */
function skipEmptyLines(bytes: Uint8Array): number {
  let at = 0
  while (bytes[at] === CR && bytes[at + 1] === LF) at += 2
  return at
}

/** Behind the empty line that ends the headers; the end of the bytes where there is none. */
function findBody(bytes: Uint8Array, start: number): number {
  // Looks at the last byte that CRLF CRLF could have; any other byte there rules out four places at once.
  for (let at = start + 3; at < bytes.length; ) {
    const byte = bytes[at]
    if (byte === LF) {
      if (bytes[at - 1] === CR && bytes[at - 2] === LF && bytes[at - 3] === CR) return at + 1
      at += 2
    } else at += byte === CR ? 1 : 4
  }
  return bytes.length
}

/** A request line that is broken behind its method still tells what to answer. */
function readStartLine(text: string): StartLineResult {
  const methodEnd = text.indexOf(" ")
  const method = text.slice(0, Math.max(methodEnd, 0))
  if (!isToken(method)) return readStatusLine(text)
  const trimmed = trimSpace(text)
  const versionStart = trimmed.lastIndexOf(" ") + 1
  const version = trimmed.slice(versionStart)
  const uri = trimSpace(trimmed.slice(methodEnd, versionStart))
  const line: StartLine = { kind: "request", method, uri }
  if (version !== "SIP/2.0" && version.toUpperCase() !== "SIP/2.0") {
    const isSip = /^SIP\/\d+\.\d+$/i.test(version)
    const fault = isSip
      ? { status: 505, reason: "Version Not Supported" }
      : { status: 400, reason: "Bad Request Line" }
    return { line, fault }
  }
  if (uri.length > LIMITS.sip.uriBytes)
    return { line, fault: { status: 414, reason: "Request-URI Too Long" } }
  return { line }
}

/** The space behind the status may be missing with the phrase. RFC 4475 §3.1.1.13. */
function readStatusLine(text: string): StartLineResult {
  const match = /^SIP\/2\.0 +([1-6]\d\d)(?: (.*))?$/i.exec(text)
  if (match === null) return { line: undefined, fault: { status: 400, reason: "Bad Start Line" } }
  return { line: { kind: "response", status: Number(match[1]), reason: match[2] ?? "" } }
}

/** Reads on behind a broken field, as an answer needs the sound ones. */
function readHeaders(
  head: string,
  start: number,
): { readonly fields: readonly HeaderField[]; readonly fault: Fault | undefined } {
  const fields: HeaderField[] = []
  let fault: Fault | undefined
  let count = 0
  let at = start
  while (at < head.length && !(head.charCodeAt(at) === CR && head.charCodeAt(at + 1) === LF)) {
    let end = head.indexOf("\r\n", at)
    while (end >= 0 && isSpace(head.charCodeAt(end + 2))) end = head.indexOf("\r\n", end + 2)
    if (end < 0) {
      fault ??= { status: 400, reason: "Truncated Header" }
      break
    }
    const excess = excessOf(end - at, ++count)
    if (excess !== undefined) {
      fault ??= { status: 513, reason: excess }
      break
    }
    const field = readField(head, at, end)
    if (field === undefined) fault ??= { status: 400, reason: "Bad Header Line" }
    else fields.push(field)
    at = end + 2
  }
  return { fields, fault }
}

/** What is too much, so that whoever wrote the message learns what to cut. */
function excessOf(bytes: number, count: number): string | undefined {
  if (bytes > LIMITS.sip.headerBytes) return `Header Field Above ${LIMITS.sip.headerBytes} Bytes`
  if (count > LIMITS.sip.headerCount) return `More Than ${LIMITS.sip.headerCount} Header Fields`
  return undefined
}

function readField(head: string, start: number, end: number): HeaderField | undefined {
  const colon = head.indexOf(":", start)
  if (colon < 0 || colon >= end) return undefined
  // A name has no space before it: that would be a fold of the start line.
  if (isSpace(head.charCodeAt(start))) return undefined
  const written = trimSpace(head.slice(start, colon))
  const known = headerDefinition(written)
  if (known === undefined && !isToken(written)) return undefined
  const value = unfold(trimSpace(head.slice(colon + 1, end)))
  if (value.includes("\n") || value.includes("\r")) return undefined
  return { name: known?.name ?? written, value }
}

/** Each fold, with the white space around it, means one space. RFC 3261 §7.3.1. */
const unfold = (text: string): string =>
  text.includes("\r\n") ? trimSpace(text.split("\r\n").map(trimSpace).join(" ")) : text

/** The body that Content-Length announces; all that is left where it is absent. RFC 3261 §18.3. */
function readBody(
  rest: Uint8Array,
  fields: readonly HeaderField[],
): { readonly body: Uint8Array; readonly fault?: Fault } {
  const lengths = fields.filter(({ name }) => name === "Content-Length")
  if (lengths.length > 1) return { body: NO_BODY, fault: { status: 400, reason: "Multiple Content-Length" } }
  const length = lengths[0] === undefined ? rest.length : parseDecimal(lengths[0].value)
  if (length === undefined) return { body: NO_BODY, fault: { status: 400, reason: "Bad Content-Length" } }
  if (length > rest.length)
    return { body: NO_BODY, fault: { status: 400, reason: "Content-Length Too Large" } }
  // A copy, so that a message keeps no packet buffer alive. Not `slice`, which for Node's Buffer copies nothing.
  return { body: length === 0 ? NO_BODY : new Uint8Array(rest.subarray(0, length)) }
}
