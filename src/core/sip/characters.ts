// Classes of characters of RFC 3261 §25.1, a bit each, so that a look-up decides.

const LETTERS_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
const UNRESERVED = `${LETTERS_AND_DIGITS}-_.!~*'()`

/** Methods, header names, parameter names, tags. */
export const TOKEN = 1
/**
 * `escaped` is counted in; what follows the `%` is checked apart. The `#` should be escaped, but phones send
 * what their users dial.
 */
export const URI_USER = 2
export const URI_PASSWORD = 4
export const URI_PARAMETER = 8
export const URI_HEADERS = 16
/** Host names and IPv4 addresses. The underscore is no host name's, but many networks' names have it. */
export const HOST = 32
/**
 * The value of a header parameter. RFC 3261 says token, host or quoted string; IPv6 addresses without
 * brackets are common too (RFC 5118 §4.5), and so are base64 tags and branches.
 */
export const PARAMETER_VALUE = 64
/** Any character of a URI that is not SIP's. RFC 3986 with brackets. */
export const ANY_URI = 128

const CLASSES: readonly (readonly [number, string])[] = [
  [TOKEN, `${LETTERS_AND_DIGITS}-.!%*_+\`'~`],
  [URI_USER, `${UNRESERVED}%&=+$,;?/#`],
  [URI_PASSWORD, `${UNRESERVED}%&=+$,`],
  [URI_PARAMETER, `${UNRESERVED}%[]/:&+$`],
  [URI_HEADERS, `${UNRESERVED}%[]/?:+$&=`],
  [HOST, `${LETTERS_AND_DIGITS}-._`],
  [PARAMETER_VALUE, `${UNRESERVED}%+\`[]:/=@&$?#|^{}`],
  [ANY_URI, `${UNRESERVED}%;/?:@&=+$,#[]`],
]

const TABLE = new Uint8Array(256)
for (const [bit, members] of CLASSES) {
  for (const member of members) TABLE[member.charCodeAt(0)]! |= bit
}

/** Whether the character of that code is in the class. */
export const isIn = (code: number, characterClass: number): boolean => (TABLE[code]! & characterClass) !== 0

/** Where the run of characters of that class that begins at `start` ends. */
export function runEnd(text: string, start: number, characterClass: number): number {
  let at = start
  while (at < text.length && (TABLE[text.charCodeAt(at)]! & characterClass) !== 0) at++
  return at
}

/** Whether the text is one or more characters of that class. */
export const isAll = (text: string, characterClass: number): boolean =>
  text.length > 0 && runEnd(text, 0, characterClass) === text.length

export const isToken = (text: string): boolean => isAll(text, TOKEN)

const SPACE = 32
const TAB = 9

/** Without spaces and tabs at its ends. Not `trim`, which would also take the last byte of a UTF-8 "à". */
export function trimSpace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return start === 0 && end === text.length ? text : text.slice(start, end)
}

export const isSpace = (code: number): boolean => code === SPACE || code === TAB

/** Whether every `%` begins an `escaped`. RFC 3261 §25.1. */
export function hasSoundEscapes(text: string): boolean {
  for (let at = text.indexOf("%"); at >= 0; at = text.indexOf("%", at + 1)) {
    if (!isHexDigit(text.charCodeAt(at + 1)) || !isHexDigit(text.charCodeAt(at + 2))) return false
  }
  return true
}

const isHexDigit = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102)

/** A count in decimal digits alone; undefined for anything else, NaN never. Huge ones come out as Infinity. */
export function parseDecimal(text: string): number | undefined {
  if (text.length === 0) return undefined
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 48 || code > 57) return undefined
  }
  return Number(text)
}
