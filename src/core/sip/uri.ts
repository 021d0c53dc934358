import { FormatError } from "../kit/errors.ts"
import { ipBytes } from "../kit/ip.ts"
import { ownText } from "../kit/own-text.ts"
import { Remembered } from "../kit/remembered.ts"
import {
  ANY_URI,
  HOST,
  hasSoundEscapes,
  isAll,
  parseDecimal,
  runEnd,
  URI_HEADERS,
  URI_PARAMETER,
  URI_PASSWORD,
  URI_USER,
} from "./characters.ts"
import { addParameter, type Parameter, Parameters } from "./parameters.ts"

/** RFC 3261 §19.1.1. */
export interface SipUri {
  readonly kind: "sip"
  readonly scheme: "sip" | "sips"
  /** As written, escapes and all; undefined where there is no `@`. */
  readonly user: string | undefined
  readonly password: string | undefined
  /** Lower case; an IPv6 address stands in its brackets. */
  readonly host: string
  readonly port: number | undefined
  /** Names without needless escapes, values as written. */
  readonly parameters: Parameters
  /** What follows the `?`, as written; empty where nothing does. */
  readonly headers: string
}

/** A URI of any other scheme, `tel:` included. */
export interface OtherUri {
  readonly kind: "other"
  /** Lower case. */
  readonly scheme: string
  /** All that follows the colon, as written. */
  readonly opaque: string
}

export type Uri = SipUri | OtherUri

/**
 * URIs read before: the domain's own stands three times in every REGISTER, a phone's in all that it sends.
 * Long ones are not worth the memory, and only strangers send them; routes are of one dialog each.
 */
const REMEMBERED_LENGTH = 128
const remembered = new Remembered<Uri>(4_096)

/** Throws FormatError. */
export function parseUri(text: string): Uri {
  const known = remembered.get(text)
  if (known !== undefined) return known
  if (text.length > REMEMBERED_LENGTH || text.endsWith(";lr")) return readUri(text)
  // What is made of it are parts of it, and it is a part of a message.
  const own = ownText(text)
  const uri = readUri(own)
  remembered.set(own, uri)
  return uri
}

function readUri(text: string): Uri {
  const colon = text.indexOf(":")
  const scheme = text.slice(0, Math.max(colon, 0)).toLowerCase()
  if (scheme === "sip" || scheme === "sips") return parseSip(scheme, text, colon + 1)
  if (!/^[a-z][a-z0-9+.-]*$/.test(scheme)) throw new FormatError("URI has no scheme")
  const opaque = text.slice(colon + 1)
  if (!isAll(opaque, ANY_URI) || !hasSoundEscapes(opaque)) throw new FormatError(`not a ${scheme} URI`)
  return { kind: "other", scheme, opaque }
}

/** A SIP or SIPS URI. Throws FormatError for anything else. */
export function parseSipUri(text: string): SipUri {
  const uri = parseUri(text)
  if (uri.kind !== "sip") throw new FormatError(`${uri.scheme} is not a SIP scheme`)
  return uri
}

function parseSip(scheme: "sip" | "sips", text: string, start: number): SipUri {
  if (!hasSoundEscapes(text)) throw new FormatError("URI has a broken escape")
  // No part but userinfo ends in an `@`, and none may hold one unescaped.
  const at = text.indexOf("@", start)
  const { user, password } = at < 0 ? NO_USER : parseUserinfo(text.slice(start, at))
  const hostStart = at < 0 ? start : at + 1
  const hostEnd = endOfHost(text, hostStart)
  const host = parseHost(text.slice(hostStart, hostEnd))
  let end = hostEnd
  let port: number | undefined
  if (text[end] === ":") {
    end = untilParameters(text, hostEnd)
    port = parsePort(text.slice(hostEnd + 1, end))
  }
  let parameters = Parameters.NONE
  if (text[end] === ";") {
    const question = text.indexOf("?", end)
    const parametersEnd = question < 0 ? text.length : question
    parameters = parseUriParameters(text.slice(end + 1, parametersEnd))
    end = parametersEnd
  }
  let headers = ""
  if (text[end] === "?") {
    headers = text.slice(end + 1)
    if (!isAll(headers, URI_HEADERS)) throw new FormatError("URI headers are malformed")
  } else if (end !== text.length) throw new FormatError("URI host is malformed")
  return { kind: "sip", scheme, user, password, host, port, parameters, headers }
}

const NO_USER = { user: undefined, password: undefined }

function parseUserinfo(text: string): { readonly user: string; readonly password: string | undefined } {
  const colon = text.indexOf(":")
  const user = colon < 0 ? text : text.slice(0, colon)
  const password = colon < 0 ? undefined : text.slice(colon + 1)
  if (!isAll(user, URI_USER)) throw new FormatError("URI user is malformed")
  if (password !== undefined && runEnd(password, 0, URI_PASSWORD) < password.length) {
    throw new FormatError("URI password is malformed")
  }
  return { user, password }
}

/** Behind a host name, IPv4 address or bracketed IPv6 address that begins at `start`. */
export function endOfHost(text: string, start: number): number {
  if (text[start] !== "[") return runEnd(text, start, HOST)
  const close = text.indexOf("]", start)
  return close < 0 ? text.length : close + 1
}

/** A host in lower case. Throws FormatError. */
export function parseHost(text: string): string {
  if (text === "") throw new FormatError("host is missing")
  if (text[0] !== "[") return text.toLowerCase()
  // RFC 5118 §4.10: the grammar of RFC 3261 makes three colons before an IPv4 address; they mean two.
  const host = text.toLowerCase().replace(":::", "::")
  if (!host.endsWith("]") || !host.includes(":") || ipBytes(host.slice(1, -1)) === undefined) {
    throw new FormatError("IPv6 address is malformed")
  }
  return host
}

/** 1 to 65535. Throws FormatError. */
export function parsePort(text: string): number {
  const port = parseDecimal(text)
  if (port === undefined || port < 1 || port > 65_535) throw new FormatError("port is malformed")
  return port
}

function untilParameters(text: string, start: number): number {
  for (let at = start; at < text.length; at++) if (text[at] === ";" || text[at] === "?") return at
  return text.length
}

function parseUriParameters(text: string): Parameters {
  const list: Parameter[] = []
  for (const part of text.split(";")) {
    const equals = part.indexOf("=")
    const name = equals < 0 ? part : part.slice(0, equals)
    const value = equals < 0 ? undefined : part.slice(equals + 1)
    if (!isAll(name, URI_PARAMETER) || (value !== undefined && !isAll(value, URI_PARAMETER))) {
      throw new FormatError("URI parameter is malformed")
    }
    addParameter(list, { name: normalize(name).toLowerCase(), value })
  }
  return new Parameters(list)
}

export function formatUri(uri: Uri): string {
  if (uri.kind === "other") return `${uri.scheme}:${uri.opaque}`
  const password = uri.password === undefined ? "" : `:${uri.password}`
  const userinfo = uri.user === undefined ? "" : `${uri.user}${password}@`
  const port = uri.port === undefined ? "" : `:${uri.port}`
  const headers = uri.headers === "" ? "" : `?${uri.headers}`
  return `${uri.scheme}:${userinfo}${uri.host}${port}${uri.parameters.toString()}${headers}`
}

/** The user with every escape undone, bytes as latin1 characters; NUL is a character like any other. */
export const unescapeUser = (user: string): string =>
  user.includes("%")
    ? user.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : user

/** The user part by which a registrar knows an address-of-record; empty where there is none. RFC 3261 §10.3 step 5. */
export const canonicalUser = (uri: SipUri): string => unescapeUser(uri.user ?? "")

/** Plain latin1 text as the user part of a URI. */
export const escapeUser = (plain: string): string =>
  Array.from(plain, (character) =>
    !"%#".includes(character) && isAll(character, URI_USER) ? character : escaped(character.charCodeAt(0)),
  ).join("")

const escaped = (code: number): string => `%${code.toString(16).toUpperCase().padStart(2, "0")}`

const RESERVED = ";/?:@&=+$,%"

/**
 * Escapes undone where they change nothing: a character outside the reserved set equals its escape.
 * `%25` stays, as undoing it could make another escape; other escapes are spelled in upper case.
 */
function normalize(text: string): string {
  if (!text.includes("%")) return text
  return text.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex: string) => {
    const code = Number.parseInt(hex, 16)
    const character = String.fromCharCode(code)
    const stays = code <= 32 || code >= 127 || RESERVED.includes(character)
    return stays ? escaped(code) : character
  })
}

/** RFC 3261 §19.1.4. Not transitive. URIs of other schemes are compared as text. */
export function equalUris(a: Uri, b: Uri): boolean {
  if (a.kind === "other" || b.kind === "other") {
    return a.kind === b.kind && a.scheme === b.scheme && formatUri(a) === formatUri(b)
  }
  return (
    a.scheme === b.scheme &&
    a.host === b.host &&
    a.port === b.port &&
    equalParts(a.user, b.user) &&
    equalParts(a.password, b.password) &&
    equalParameters(a.parameters, b.parameters) &&
    canonicalHeaders(a.headers) === canonicalHeaders(b.headers)
  )
}

const equalParts = (a: string | undefined, b: string | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && normalize(a) === normalize(b))

/** Those that match nothing where the other URI lacks them. All others are ignored then. */
const NEVER_IGNORED = ["user", "ttl", "method", "maddr", "transport"]

function equalParameters(a: Parameters, b: Parameters): boolean {
  if (NEVER_IGNORED.some((name) => a.has(name) !== b.has(name))) return false
  return a.list.every(({ name, value }) => {
    if (!b.has(name)) return true
    const other = b.get(name)
    return equalParts(value?.toLowerCase(), other?.toLowerCase())
  })
}

/**
 * Headers in an order and spelling that equal ones share. Each header field has its own rule of
 * comparison; values are taken as case-sensitive, which at worst keeps two bindings where one would do.
 */
const canonicalHeaders = (headers: string): string =>
  headers === ""
    ? ""
    : headers
        .split("&")
        .map((header) => {
          const equals = header.indexOf("=")
          const name = equals < 0 ? header : header.slice(0, equals)
          return normalize(name).toLowerCase() + (equals < 0 ? "" : normalize(header.slice(equals)))
        })
        .sort()
        .join("&")

/** A sip: or sips: URI; undefined where the text is none, or a URI of another scheme. */
export function readSipUri(text: string): SipUri | undefined {
  try {
    const uri = parseUri(text)
    return uri.kind === "sip" ? uri : undefined
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}
