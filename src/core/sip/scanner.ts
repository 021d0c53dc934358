import { FormatError } from "../kit/errors.ts"
import { isSpace, runEnd } from "./characters.ts"

/** Reads one header field value from left to right. Folds are already undone, so LWS is spaces and tabs. */
export class Scanner {
  readonly text: string
  /** Index of the next character. */
  at: number

  constructor(text: string, at = 0) {
    this.text = text
    this.at = at
  }

  get done(): boolean {
    return this.at >= this.text.length
  }

  skipSpace(): void {
    while (isSpace(this.text.charCodeAt(this.at))) this.at++
  }

  /** Steps over that character and the white space after it, if it is next but for white space. */
  takeSeparator(separator: string): boolean {
    this.skipSpace()
    if (this.text[this.at] !== separator) return false
    this.at++
    this.skipSpace()
    return true
  }

  /** The longest run of characters of that class, at least one. Throws FormatError. */
  run(characterClass: number, what: string): string {
    const end = runEnd(this.text, this.at, characterClass)
    if (end === this.at) throw this.fail(`${what} expected`)
    const start = this.at
    this.at = end
    return this.text.slice(start, end)
  }

  /** A quoted string with its quotes, as written. Throws FormatError where it does not end. RFC 3261 §25.1. */
  quoted(): string {
    const start = this.at
    const end = quotedEnd(this.text, start)
    if (end < 0) throw this.fail("quoted string does not end")
    this.at = end
    return this.text.slice(start, end)
  }

  fail(problem: string): FormatError {
    return new FormatError(`character ${this.at}: ${problem}`)
  }
}

/** Behind the quoted string whose opening quote is at `start`; -1 where it does not end. */
export function quotedEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) return at + 1
    if (code === 0x5c) at++
  }
  return -1
}

/** What a quoted string says; other text as it is. */
export function unquote(text: string): string {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text
  const inner = text.slice(1, -1)
  return inner.includes("\\") ? inner.replaceAll(/\\([\s\S])/g, "$1") : inner
}

/** A quoted string that says `text`. CR and LF cannot be said (RFC 3261 §25.1); they become spaces. */
export const quote = (text: string): string =>
  `"${text.replaceAll(/[\r\n]/g, " ").replaceAll(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f"\\]/g, "\\$&")}"`
