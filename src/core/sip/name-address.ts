import { FormatError } from "../kit/errors.ts"
import { LIMITS } from "../kit/limits.ts"
import { ownText } from "../kit/own-text.ts"
import { Remembered } from "../kit/remembered.ts"
import { isIn, isSpace, TOKEN, trimSpace } from "./characters.ts"
import { Parameters, scanParameters } from "./parameters.ts"
import { quote, quotedEnd, Scanner, unquote } from "./scanner.ts"

/** `"Alice" <sip:alice@example.org>;tag=1`: name-addr or addr-spec with parameters. RFC 3261 §25.1. */
export interface NameAddress {
  /** Quotes and backslashes undone. */
  readonly displayName: string | undefined
  /** As written, not yet read: see `parseUri`. */
  readonly uri: string
  /** The header's, not the URI's. */
  readonly parameters: Parameters
}

/** Read before: From, To and Contact stand alike in all messages of a dialog. Routes do so in few. */
const REMEMBERED_LENGTH = 128
const remembered = new Remembered<NameAddress>(4_096)

/** Throws FormatError. Does not look into the URI. */
export function parseNameAddress(text: string): NameAddress {
  const known = remembered.get(text)
  if (known !== undefined) return known
  if (text.length > REMEMBERED_LENGTH || text.endsWith(";lr>")) return readNameAddress(text)
  // What is made of it are parts of it, and it is a part of a message.
  const own = ownText(text)
  const address = readNameAddress(own)
  remembered.set(own, address)
  return address
}

function readNameAddress(text: string): NameAddress {
  const scanner = new Scanner(text)
  scanner.skipSpace()
  if (text.charCodeAt(scanner.at) === 0x22) {
    const displayName = unquote(scanner.quoted())
    scanner.skipSpace()
    return scanBracketed(scanner, displayName)
  }
  const bracket = displayNameEnd(text, scanner.at)
  if (bracket < 0) return scanBare(scanner)
  const words = trimSpace(text.slice(scanner.at, bracket))
  scanner.at = bracket
  return scanBracketed(scanner, words === "" ? undefined : words.replaceAll(/[ \t]+/g, " "))
}

/**
 * Index of the `<` that only tokens and white space precede; -1 where there is none.
 * White space before it may be missing (RFC 4475 §3.1.1.6). Bytes above 127 are no token's, but
 * phones send their users' names so.
 */
function displayNameEnd(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x3c) return at
    if (!isIn(code, TOKEN) && !isSpace(code) && code < 128) return -1
  }
  return -1
}

function scanBracketed(scanner: Scanner, displayName: string | undefined): NameAddress {
  const { text, at } = scanner
  if (text.charCodeAt(at) !== 0x3c) throw scanner.fail("'<' expected")
  const end = text.indexOf(">", at)
  if (end < 0) throw scanner.fail("'>' is missing")
  const uri = text.slice(at + 1, end)
  if (!isUriInBrackets(uri)) throw scanner.fail("not a URI in '<>'")
  scanner.at = end + 1
  return { displayName, uri, parameters: scanParameters(scanner) }
}

/** Of Unicode's white space latin1 has, beside what is below 33, the no-break space. */
function isUriInBrackets(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x3c || code === 0x22 || code === 0x20 || (code >= 9 && code <= 13) || code === 0xa0)
      return false
  }
  return text !== ""
}

/** A URI without brackets may hold no comma, question mark or semicolon: those are the header's. RFC 3261 §20. */
function scanBare(scanner: Scanner): NameAddress {
  const { text, at } = scanner
  let end = at
  while (end < text.length && !" \t;".includes(text[end]!)) end++
  const uri = text.slice(at, end)
  if (uri === "" || /[,?<>"]/.test(uri)) throw scanner.fail("URI must stand in '<>'")
  scanner.at = end
  return { displayName: undefined, uri, parameters: scanParameters(scanner) }
}

/** Always with `<>`, so that it means the same in every header field. */
export const formatNameAddress = ({ displayName, uri, parameters }: NameAddress): string =>
  `${displayName === undefined ? "" : `${quote(displayName)} `}<${uri}>${parameters.toString()}`

/** The name-address of a bare URI. */
export const nameAddress = (uri: string, parameters: Parameters = Parameters.NONE): NameAddress => ({
  displayName: undefined,
  uri,
  parameters,
})

/**
 * The values of a comma-separated list, white space around them gone: commas within quotes or `<>` do not
 * count. Throws FormatError for an empty value, a quote that does not end, or too many values. RFC 3261 §7.3.1.
 */
export function splitList(text: string): readonly string[] {
  if (!text.includes(",")) return [nonEmpty(text)]
  const values: string[] = []
  let start = 0
  let inBrackets = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (inBrackets) inBrackets = character !== ">"
    else if (character === "<") inBrackets = true
    else if (character === '"') {
      at = quotedEnd(text, at) - 1
      if (at < 0) throw new FormatError("quoted string does not end")
    } else if (character === ",") {
      if (values.length >= LIMITS.sip.listValues) throw new FormatError("too many values")
      values.push(nonEmpty(text.slice(start, at)))
      start = at + 1
    }
  }
  values.push(nonEmpty(text.slice(start)))
  return values
}

function nonEmpty(value: string): string {
  const trimmed = trimSpace(value)
  if (trimmed === "") throw new FormatError("empty value in a list")
  return trimmed
}
