import { toLatin1 } from "../kit/bytes.ts"
import { LIMITS } from "../kit/limits.ts"
import { isSpace, isToken, parseDecimal, runEnd, TOKEN, trimSpace } from "./characters.ts"
import { headerDefinitionAt } from "./header-table.ts"
import { Headers, NO_BODY, type SipMessage } from "./message.ts"
import { SipParseError } from "./parse-error.ts"
import { salvage } from "./salvage.ts"
import { validateMessage } from "./validate.ts"

const CR = 13
const LF = 10
const SPACE = 32
const COLON = 58

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
  const text = toLatin1(start === 0 ? bytes : bytes.subarray(start))
  const lineEnd = text.indexOf("\r\n")
  if (lineEnd < 0) throw new SipParseError(400, "Not SIP", undefined)
  const first = readStartLine(text.slice(0, lineEnd))
  const reader = new FieldReader(text)
  const bodyStart = reader.read(lineEnd + 2)
  const { line } = first
  if (line === undefined) throw new SipParseError(first.fault.status, first.fault.reason, undefined)
  const { headers } = reader
  const body = readBody(text, bodyStart, headers)
  const fault = first.fault ?? reader.fault ?? body.fault
  if (fault !== undefined) {
    const rest = line.kind === "request" ? salvage(line.method, line.uri, headers.fields) : undefined
    throw new SipParseError(fault.status, fault.reason, rest)
  }
  const message: SipMessage =
    line.kind === "request"
      ? { kind: "request", method: line.method, uri: line.uri, headers, body: body.text }
      : { kind: "response", status: line.status, reason: line.reason, headers, body: body.text }
  if (validate) validateMessage(message)
  return message
}

/** RFC 3261 §7.5. */
function skipEmptyLines(bytes: Uint8Array): number {
  let at = 0
  while (bytes[at] === CR && bytes[at + 1] === LF) at += 2
  return at
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

/** Of the message that is being read, so that the arrays it keeps are made once, in their size. */
const names: string[] = []
const places: number[] = []

/** Finds the header fields of one text; the next comes when its headers have been taken. */
class FieldReader {
  readonly #text: string
  #fields = 0
  #unfolded: Map<number, string> | undefined
  /** The first. */
  fault: Fault | undefined

  constructor(text: string) {
    this.#text = text
  }

  get headers(): Headers {
    return Headers.over({
      text: this.#text,
      names: names.slice(0, this.#fields),
      places: places.slice(0, 3 * this.#fields),
      unfolded: this.#unfolded,
    })
  }

  /**
   * Up to the empty line, or to the end of the text; behind it the body begins. Reads on behind a broken
   * field, as an answer needs the sound ones.
   */
  read(start: number): number {
    const text = this.#text
    let count = 0
    let at = start
    while (at < text.length && !isLineEnd(text, at)) {
      const firstBreak = breakIn(text, at)
      const isPlain = isLineEnd(text, firstBreak) && !isSpace(text.charCodeAt(firstBreak + 2))
      const end = isPlain ? firstBreak : endOfField(text, at)
      if (end < 0) {
        this.fault ??= { status: 400, reason: "Truncated Header" }
        break
      }
      const excess = excessOf(end - at, ++count)
      if (excess !== undefined) {
        this.fault ??= { status: 513, reason: excess }
        break
      }
      if (!this.#take(at, end, isPlain)) this.fault ??= { status: 400, reason: "Bad Header Line" }
      at = end + 2
    }
    return at + 2
  }

  /** `isPlain`: without folds, and without parts of line breaks. */
  #take(start: number, end: number, isPlain: boolean): boolean {
    const text = this.#text
    // A name has no space before it: that would be a fold of the start line.
    const nameEnd = runEnd(text, start, TOKEN)
    let colon = nameEnd
    while (isSpace(text.charCodeAt(colon))) colon++
    if (nameEnd === start || text.charCodeAt(colon) !== COLON) return false
    let valueStart = colon + 1
    let valueEnd = end
    while (valueStart < end && isSpace(text.charCodeAt(valueStart))) valueStart++
    while (valueEnd > valueStart && isSpace(text.charCodeAt(valueEnd - 1))) valueEnd--
    if (!isPlain) {
      const value = unfold(text.slice(valueStart, valueEnd))
      if (value.includes("\n") || value.includes("\r")) return false
      this.#unfolded ??= new Map()
      this.#unfolded.set(this.#fields, value)
    }
    const known = headerDefinitionAt(text, start, nameEnd)
    const isOurWay =
      isPlain &&
      colon === nameEnd &&
      valueStart === colon + 2 &&
      text.charCodeAt(colon + 1) === SPACE &&
      valueEnd === end &&
      (known === undefined || text.startsWith(known.name, start))
    const field = this.#fields++
    names[field] = known === undefined ? text.slice(start, nameEnd) : known.name
    places[3 * field] = isOurWay ? start : -1
    places[3 * field + 1] = valueStart
    places[3 * field + 2] = valueEnd
    return true
  }
}

const isLineEnd = (text: string, at: number): boolean =>
  text.charCodeAt(at) === CR && text.charCodeAt(at + 1) === LF

/** Of the first CR or LF; the end of the text where there is none. */
function breakIn(text: string, start: number): number {
  let at = start
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code <= CR && (code === CR || code === LF)) return at
  }
  return at
}

/** The CRLF that no fold follows; -1 where there is none. */
function endOfField(text: string, start: number): number {
  let end = text.indexOf("\r\n", start)
  while (end >= 0 && isSpace(text.charCodeAt(end + 2))) end = text.indexOf("\r\n", end + 2)
  return end
}

/** What is too much, so that whoever wrote the message learns what to cut. */
function excessOf(bytes: number, count: number): string | undefined {
  if (bytes > LIMITS.sip.headerBytes) return `Header Field Above ${LIMITS.sip.headerBytes} Bytes`
  if (count > LIMITS.sip.headerCount) return `More Than ${LIMITS.sip.headerCount} Header Fields`
  return undefined
}

/** Each fold, with the white space around it, means one space. RFC 3261 §7.3.1. */
const unfold = (text: string): string =>
  text.includes("\r\n") ? trimSpace(text.split("\r\n").map(trimSpace).join(" ")) : text

/** The body that Content-Length announces; all that is left where it is absent. RFC 3261 §18.3. */
function readBody(text: string, start: number, headers: Headers): Body {
  const rest = Math.max(0, text.length - start)
  const at = headers.indexOf("Content-Length")
  if (at < 0) return { text: text.slice(start) }
  if (headers.indexOf("Content-Length", at + 1) >= 0) return noBody("Multiple Content-Length")
  const length = parseDecimal(headers.valueAt(at))
  if (length === undefined) return noBody("Bad Content-Length")
  if (length > rest) return noBody("Content-Length Too Large")
  return length === 0 ? EMPTY : { text: text.slice(start, start + length) }
}

interface Body {
  readonly text: string
  readonly fault?: Fault
}

const EMPTY: Body = { text: NO_BODY }

const noBody = (reason: string): Body => ({ text: NO_BODY, fault: { status: 400, reason } })
