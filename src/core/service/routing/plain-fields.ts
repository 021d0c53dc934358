import { HOST, isIn, runEnd, TOKEN } from "../../sip/characters.ts"
import type { Flow } from "../../sip/transport.ts"
import { MAGIC_COOKIE } from "../../sip/via.ts"

// What header fields hold that are written as most are: read where they stand, and undefined for whatever is written otherwise, which the general
// readers of `core/sip` have to judge.

const BY_UDP = "SIP/2.0/UDP "
const BRANCH = `;branch=${MAGIC_COOKIE}`
const RPORT = ";rport"
const TAG = ";tag="
const QUOTE = 34
const PERCENT = 37
const SPACE = 32
const ZERO = 48
const COLON = 58
const SEMICOLON = 59
const OPENING = 60
const CLOSING = 62
const AT = 64
const BACKTICK = 96

/** RFC 3261 §25.1: a Call-ID of which nothing has to be cut off. */
export function isWord(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x21 || code > 0x7e) return false
  }
  return text !== ""
}

/** Up to nine digits, a space, the method. */
export function isCSeq(text: string, method: string): boolean {
  const digits = text.length - method.length - 1
  if (digits < 1 || digits > 9 || text.charCodeAt(digits) !== SPACE || !text.endsWith(method)) return false
  for (let at = 0; at < digits; at++) if (!isDigit(text.charCodeAt(at))) return false
  return true
}

/** The number of such a CSeq, as a number is written. */
export const sequenceOf = (cseq: string): string =>
  cseq.charCodeAt(0) === ZERO ? String(Number.parseInt(cseq, 10)) : cseq.slice(0, cseq.indexOf(" "))

/** 1 to 255. */
export function readForwards(text: string): number | undefined {
  if (text.length > 3 || text.charCodeAt(0) === ZERO) return undefined
  let count = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (!isDigit(code)) return undefined
    count = 10 * count + code - ZERO
  }
  return count === 0 || count > 255 ? undefined : count
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57

export interface ReadVia {
  readonly branch: string
  /** As `matchKey` spells it. */
  readonly sentBy: string
  readonly marked: string
  /** Whether it names the very address that the request came from. */
  readonly isSource: boolean
}

/** A Via with branch and rport alone, whose answers go back to where it came from. RFC 3261 §18.2, RFC 3581 §4. */
export function readVia(value: string, { remote }: Flow): ReadVia | undefined {
  if (!value.startsWith(BY_UDP)) return undefined
  let at = runEnd(value, BY_UDP.length, HOST)
  const host = value.slice(BY_UDP.length, at)
  let port = ""
  if (value.charCodeAt(at) === COLON) {
    const start = ++at
    while (isDigit(value.charCodeAt(at))) at++
    port = value.slice(start, at)
    if (!isPort(port)) return undefined
  }
  let branch = ""
  let rport = -1
  while (at < value.length) {
    if (branch === "" && value.startsWith(BRANCH, at)) {
      const start = at + BRANCH.length - MAGIC_COOKIE.length
      at = runEnd(value, at + BRANCH.length, TOKEN)
      branch = value.slice(start, at)
    } else if (rport < 0 && value.startsWith(RPORT, at)) {
      at += RPORT.length
      rport = at
    } else return undefined
    if (at < value.length && value.charCodeAt(at) !== SEMICOLON) return undefined
  }
  if (host === "" || branch.length <= MAGIC_COOKIE.length) return undefined
  const isSource = host === remote.host && Number(port || 5060) === remote.port
  if (rport < 0 && !isSource) return undefined
  const marked =
    rport < 0 ? value : `${value.slice(0, rport)}=${remote.port}${value.slice(rport)};received=${remote.host}`
  return { branch, sentBy: `${host.toLowerCase()}:${port}`, marked, isSource }
}

/** `"Alice" <sip:alice@example.org:5060>;tag=1`, the name, the port and the tag or not. */
export interface PlainAddress {
  /** Of the URI, between the brackets. */
  readonly start: number
  readonly end: number
  readonly hostStart: number
  readonly hostEnd: number
  readonly isTagged: boolean
}

/** Undefined where anything else is in it, though that may be sound. */
export function readAddress(value: string): PlainAddress | undefined {
  const start = bracketIn(value) + 1
  if (start === 0 || !value.startsWith("sip:", start)) return undefined
  const userStart = start + 4
  let at = userStart
  while (isPlainUser(value.charCodeAt(at))) at++
  if (at === userStart || value.charCodeAt(at) !== AT) return undefined
  const hostStart = ++at
  at = runEnd(value, hostStart, HOST)
  const hostEnd = at
  if (hostEnd === hostStart) return undefined
  if (value.charCodeAt(at) === COLON) {
    const portStart = ++at
    while (isDigit(value.charCodeAt(at))) at++
    if (!isPort(value.slice(portStart, at))) return undefined
  }
  const end = at
  if (value.charCodeAt(at++) !== CLOSING) return undefined
  const isTagged = at < value.length
  if (isTagged) {
    if (!value.startsWith(TAG, at)) return undefined
    const tagStart = at + TAG.length
    at = runEnd(value, tagStart, TOKEN)
    if (at === tagStart || at < value.length) return undefined
  }
  return { start, end, hostStart, hostEnd, isTagged }
}

/** Where the URI's bracket stands, which nothing comes before but a quoted name; -1 where that is not so. */
function bracketIn(value: string): number {
  if (value.charCodeAt(0) !== QUOTE) return value.charCodeAt(0) === OPENING ? 0 : -1
  const close = value.indexOf('"', 1)
  if (close < 0 || value.slice(1, close).includes("\\")) return -1
  const at = value[close + 1] === " " ? close + 2 : close + 1
  return value[at] === "<" ? at : -1
}

/** No escapes, no passwords, no parameters. */
const isPlainUser = (code: number): boolean => isIn(code, TOKEN) && code !== PERCENT && code !== BACKTICK

/** 1 to 65535, without zeros before it. */
const isPort = (text: string): boolean =>
  text.length <= 5 && !text.startsWith("0") && Number(text) >= 1 && Number(text) <= 65_535
