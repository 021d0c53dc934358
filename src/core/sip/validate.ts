import { FormatError } from "../kit/errors.ts"
import { parseDecimal } from "./characters.ts"
import {
  contactsOf,
  cseqOf,
  fromOf,
  maxForwardsOf,
  pathsOf,
  recordRoutesOf,
  routesOf,
  toOf,
  topVia,
  viasOf,
} from "./fields.ts"
import { headerDefinition } from "./header-table.ts"
import type { SipMessage, SipRequest } from "./message.ts"
import type { NameAddress } from "./name-address.ts"
import { SipParseError } from "./parse-error.ts"
import { salvage } from "./salvage.ts"
import { parseUri } from "./uri.ts"
import { branchOf, MAGIC_COOKIE } from "./via.ts"

const MANDATORY = ["Via", "From", "To", "Call-ID", "CSeq"]

/** A mismatch of methods is answered 501 where the start line's method is none of these. RFC 4475 §3.1.2.18. */
const KNOWN_METHODS = new Set(
  "ACK BYE CANCEL INFO INVITE MESSAGE NOTIFY OPTIONS PRACK PUBLISH REFER REGISTER SUBSCRIBE UPDATE".split(
    " ",
  ),
)

/**
 * Throws SipParseError unless all that a server reads of a message is sound: its mandatory header fields
 * are there (RFC 3261 §8.1.1), those that may come once do, Via, From, To, CSeq and, in requests, Contact,
 * Route, Record-Route, Path and Max-Forwards can be read, and no URI in them is nonsense.
 */
export function validateMessage(message: SipMessage): void {
  requireFields(message)
  check(message, "Via", () => viasOf(message))
  check(message, "From", () => checkUris([fromOf(message)]))
  check(message, "To", () => checkUris([toOf(message)]))
  check(message, "Call-ID", () => checkCallId(message))
  check(message, "CSeq", () => cseqOf(message))
  check(message, "Content-Length", () => checkLength(message))
  if (message.kind === "request") validateRequest(message)
}

function validateRequest(request: SipRequest): void {
  check(request, "Request-URI", () => checkRequestUri(request.uri))
  const { method } = cseqOf(request)
  if (method !== request.method) {
    if (KNOWN_METHODS.has(request.method)) throw refuse(request, 400, "CSeq Method Mismatch")
    throw refuse(request, 501, "Not Implemented")
  }
  check(request, "Max-Forwards", () => maxForwardsOf(request))
  check(request, "Via Branch", () => checkBranch(request))
  if (request.headers.has("Contact")) check(request, "Contact", () => checkContacts(request))
  if (request.headers.has("Route")) check(request, "Route", () => checkUris(routesOf(request)))
  if (request.headers.has("Record-Route")) {
    check(request, "Record-Route", () => checkUris(recordRoutesOf(request)))
  }
  if (request.headers.has("Path")) check(request, "Path", () => checkUris(pathsOf(request)))
}

function requireFields(message: SipMessage): void {
  const seen = new Set<string>()
  for (const { name } of message.headers.fields) {
    if (seen.has(name) && headerDefinition(name)?.once === true) {
      throw refuse(message, 400, `Multiple ${name}`)
    }
    seen.add(name)
  }
  const missing = MANDATORY.find((name) => !seen.has(name))
  if (missing !== undefined) throw refuse(message, 400, `Missing ${missing}`)
}

function check(message: SipMessage, what: string, read: () => unknown): void {
  try {
    read()
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    throw refuse(message, 400, `Bad ${what}`, error)
  }
}

function refuse(message: SipMessage, status: number, reason: string, cause?: FormatError): SipParseError {
  const rest =
    message.kind === "request" ? salvage(message.method, message.uri, message.headers.fields) : undefined
  return new SipParseError(status, reason, rest, { cause })
}

function checkUris(addresses: readonly NameAddress[]): void {
  for (const { uri } of addresses) parseUri(uri)
}

function checkContacts(request: SipRequest): void {
  const contacts = contactsOf(request)
  if (contacts !== "*") checkUris(contacts)
}

/** Words may hold nearly anything but white space. RFC 3261 §25.1. */
function checkCallId(message: SipMessage): void {
  if (!/^[\x21-\x7e]+$/.test(message.headers.first("Call-ID") ?? "")) throw new FormatError("not a word")
}

function checkLength(message: SipMessage): void {
  const text = message.headers.first("Content-Length")
  if (text !== undefined && parseDecimal(text) === undefined) throw new FormatError("not a count")
}

/** Escaped headers have no place in a Request-URI. RFC 3261 §19.1.1, RFC 4475 §3.1.2.11. */
function checkRequestUri(text: string): void {
  const uri = parseUri(text)
  if (uri.kind === "sip" && uri.headers !== "") throw new FormatError("headers in the Request-URI")
}

/** A branch that claims to be unique and is nothing but the claim would match strangers. RFC 4475 §3.2.1. */
function checkBranch(request: SipRequest): void {
  const branch = branchOf(topVia(request))
  if (branch === MAGIC_COOKIE) throw new FormatError("the branch identifies nothing")
}
