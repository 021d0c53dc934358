import { FormatError } from "../kit/errors.ts"
import { isSpace, isToken, parseDecimal, trimSpace } from "./characters.ts"
import type { Contacts, CSeq, SipMessage } from "./message.ts"
import { type NameAddress, parseNameAddress, splitList } from "./name-address.ts"
import { parseVia, type Via } from "./via.ts"

// Typed reading of header fields. All readers throw FormatError on nonsense; on messages that came out of
// `parseMessage` they do not, but for Contact, Record-Route and Path of responses.

/** Anything that has headers: a message, or one in the making. */
type Message = Pick<SipMessage, "headers">

/** What names a dialog, as it stands in a message; which tag is local depends on who reads. RFC 3261 §12. */
export interface DialogId {
  readonly callId: string
  readonly fromTag: string | undefined
  readonly toTag: string | undefined
}

/** Expires that cannot be understood counts as this many seconds. RFC 3261 §20.10, RFC 4475 §3.1.2.4. */
export const MALFORMED_EXPIRES = 3_600

const LARGEST = 2 ** 32 - 1

const first = ({ headers }: Message, name: string): string | undefined => headers.first(name)

function single(message: Message, name: string): string {
  const value = first(message, name)
  if (value === undefined) throw new FormatError(`${name} is missing`)
  return value
}

/** All values of a list header, over all its fields, in order. */
export function valuesOf({ headers }: Message, name: string): readonly string[] {
  const at = headers.indexOf(name)
  if (at < 0) return NO_VALUES
  const next = headers.indexOf(name, at + 1)
  if (next < 0) return splitField(headers.valueAt(at))
  return headers.all(name).flatMap(splitField)
}

const NO_VALUES: readonly never[] = []

const splitField = (field: string): readonly string[] => (field === "" ? [] : splitList(field))

/** The topmost Via value. */
export function topVia(message: Message): Via {
  const top = viasOf(message)[0]
  if (top === undefined) throw new FormatError("Via is missing")
  return top
}

export function viasOf(message: Message): readonly Via[] {
  const { headers } = message
  headers.vias ??= valuesOf(message, "Via").map(parseVia)
  return headers.vias
}

export function fromOf(message: Message): NameAddress {
  const { headers } = message
  headers.from ??= parseNameAddress(single(message, "From"))
  return headers.from
}

export function toOf(message: Message): NameAddress {
  const { headers } = message
  headers.to ??= parseNameAddress(single(message, "To"))
  return headers.to
}

export const tagOf = (address: NameAddress): string | undefined => address.parameters.get("tag")

export const callIdOf = (message: Message): string => single(message, "Call-ID")

export function cseqOf(message: Message): CSeq {
  const { headers } = message
  headers.cseq ??= parseCSeq(single(message, "CSeq"))
  return headers.cseq
}

function parseCSeq(text: string): CSeq {
  let number = 0
  let at = 0
  for (; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48
    if (digit < 0 || digit > 9) break
    number = 10 * number + digit
  }
  const method = trimSpace(text.slice(at))
  const isSound = at > 0 && at < text.length && isSpace(text.charCodeAt(at)) && number <= LARGEST
  if (!isSound || !isToken(method)) throw new FormatError("CSeq is malformed")
  return { number, method }
}

export const dialogIdOf = (message: Message): DialogId => ({
  callId: callIdOf(message),
  fromTag: tagOf(fromOf(message)),
  toTag: tagOf(toOf(message)),
})

/** 0 to 255; undefined where there is none, as before RFC 3261. */
export function maxForwardsOf(message: Message): number | undefined {
  const text = first(message, "Max-Forwards")
  if (text === undefined) return undefined
  const count = parseDecimal(text)
  if (count === undefined || count > 255) throw new FormatError("Max-Forwards is malformed")
  return count
}

export function contactsOf(message: Message): Contacts {
  const { headers } = message
  headers.contacts ??= readContacts(message)
  return headers.contacts
}

function readContacts(message: Message): Contacts {
  const values = valuesOf(message, "Contact")
  return values.length === 1 && values[0] === "*" ? "*" : values.map(parseNameAddress)
}

export function routesOf(message: Message): readonly NameAddress[] {
  const { headers } = message
  headers.routes ??= valuesOf(message, "Route").map(parseNameAddress)
  return headers.routes
}

export const recordRoutesOf = (message: Message): readonly NameAddress[] =>
  valuesOf(message, "Record-Route").map(parseNameAddress)

/** RFC 3327. */
export const pathsOf = (message: Message): readonly NameAddress[] =>
  valuesOf(message, "Path").map(parseNameAddress)

/** Seconds; undefined where there is none, 3600 where it cannot be understood. */
export const expiresOf = (message: Message): number | undefined => seconds(first(message, "Expires"))

/** The `expires` parameter of a contact, in the same way. */
export const contactExpiresOf = (contact: NameAddress): number | undefined =>
  contact.parameters.has("expires") ? seconds(contact.parameters.get("expires") ?? "") : undefined

function seconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const count = parseDecimal(text)
  return count === undefined || count > LARGEST ? MALFORMED_EXPIRES : count
}

/** The `q` parameter of a contact in thousandths; 1000 where there is none. Throws FormatError. RFC 3261 §20.10. */
export function qOf(contact: NameAddress): number {
  const text = contact.parameters.get("q")
  if (text === undefined) return 1_000
  if (!/^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(text)) throw new FormatError("q is malformed")
  return Math.round(Number(text) * 1_000)
}

/** The tokens of a list of option tags or methods, as written. */
export function tokensOf(message: Message, name: string): readonly string[] {
  const tokens = valuesOf(message, name)
  for (const token of tokens) if (!isToken(token)) throw new FormatError(`${name} holds more than tokens`)
  return tokens
}

export const requireOf = (message: Message): readonly string[] => tokensOf(message, "Require")
export const proxyRequireOf = (message: Message): readonly string[] => tokensOf(message, "Proxy-Require")
export const supportedOf = (message: Message): readonly string[] => tokensOf(message, "Supported")
