import { FormatError } from "../kit/errors.ts"
import { parseDecimal } from "./characters.ts"
import {
  callIdOf,
  contactsOf,
  cseqOf,
  fromOf,
  maxForwardsOf,
  pathsOf,
  recordRoutesOf,
  routesOf,
  toOf,
  topVia,
} from "./fields.ts"
import { headerDefinition } from "./header-table.ts"
import type { SipMessage, SipRequest } from "./message.ts"
import type { NameAddress } from "./name-address.ts"
import { SipParseError } from "./parse-error.ts"
import { salvage } from "./salvage.ts"
import { parseUri } from "./uri.ts"
import { branchOf, MAGIC_COOKIE } from "./via.ts"

/** Beside Via, which may come often. */
const MANDATORY = ["From", "To", "Call-ID", "CSeq"]
const MANDATORY_BITS = MANDATORY.reduce((bits, name) => bits | headerDefinition(name)!.bit, 0)

/** A mismatch of methods is answered 501 where the start line's method is none of these. RFC 4475 §3.1.2.18. */
const KNOWN_METHODS = new Set(
  "ACK BYE CANCEL INFO INVITE MESSAGE NOTIFY OPTIONS PRACK PUBLISH REFER REGISTER SUBSCRIBE UPDATE".split(
    " ",
  ),
)

/**
 * Throws SipParseError unless all that a server reads of a message is sound: its mandatory header fields
 * are there (RFC 3261 §8.1.1), those that may come once do, Via, From, To, Call-ID and CSeq and, in requests,
 * Contact, Route, Record-Route, Path and Max-Forwards can be read, and no URI in them is nonsense.
 */
export function validateMessage(message: SipMessage): void {
  requireFields(message)
  let what = "Via"
  try {
    topVia(message)
    what = "From"
    parseUri(fromOf(message).uri)
    what = "To"
    parseUri(toOf(message).uri)
    what = "Call-ID"
    checkCallId(callIdOf(message))
    what = "CSeq"
    cseqOf(message)
    what = "Content-Length"
    checkLength(message)
  } catch (error) {
    throw refusal(message, what, error)
  }
  if (message.kind === "request") validateRequest(message)
}

function validateRequest(request: SipRequest): void {
  if (cseqOf(request).method !== request.method) {
    if (KNOWN_METHODS.has(request.method)) throw refuse(request, 400, "CSeq Method Mismatch")
    throw refuse(request, 501, "Not Implemented")
  }
  let what = "Request-URI"
  try {
    checkRequestUri(request.uri)
    what = "Max-Forwards"
    maxForwardsOf(request)
    what = "Via Branch"
    checkBranch(request)
    what = "Contact"
    checkContacts(request)
    what = "Route"
    checkUris(routesOf(request))
    what = "Record-Route"
    checkUris(recordRoutesOf(request))
    what = "Path"
    checkUris(pathsOf(request))
  } catch (error) {
    throw refusal(request, what, error)
  }
}

function requireFields(message: SipMessage): void {
  const { headers } = message
  let seen = 0
  for (let index = 0; index < headers.length; index++) {
    const name = headers.nameAt(index)
    const bit = headerDefinition(name)?.bit ?? 0
    if ((seen & bit) !== 0) throw refuse(message, 400, `Multiple ${name}`)
    seen |= bit
  }
  if ((seen & MANDATORY_BITS) === MANDATORY_BITS) return
  const missing = MANDATORY.find((name) => (seen & headerDefinition(name)!.bit) === 0)
  throw refuse(message, 400, `Missing ${missing}`)
}

/** What to throw where reading `what` threw `error`. */
function refusal(message: SipMessage, what: string, error: unknown): unknown {
  return error instanceof FormatError ? refuse(message, 400, `Bad ${what}`, error) : error
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
function checkCallId(callId: string): void {
  if (!/^[\x21-\x7e]+$/.test(callId)) throw new FormatError("not a word")
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
