import { FormatError } from "../kit/errors.ts"
import { LIMITS } from "../kit/limits.ts"
import { PARAMETER_VALUE, runEnd, TOKEN } from "./characters.ts"
import { Scanner, unquote } from "./scanner.ts"

export interface Parameter {
  /** Lower case. */
  readonly name: string
  /** As written, quotes included; undefined for a name alone (`;lr`). */
  readonly value: string | undefined
}

/** Parameters of a header field value or URI, in their order. Never changed: every change makes another one. */
export class Parameters {
  static readonly NONE = new Parameters([])

  readonly list: readonly Parameter[]

  constructor(list: readonly Parameter[]) {
    this.list = list
  }

  /** The value as written. Undefined where the parameter is absent or has no value: ask `has`. */
  get(name: string): string | undefined {
    for (const parameter of this.list) if (parameter.name === name) return parameter.value
    return undefined
  }

  /** What the value says, quotes and backslashes undone. */
  getUnquoted(name: string): string | undefined {
    const value = this.get(name)
    return value === undefined ? undefined : unquote(value)
  }

  has(name: string): boolean {
    for (const parameter of this.list) if (parameter.name === name) return true
    return false
  }

  /** Replaces the parameter where it stands, or appends it. `name` in lower case, `value` as to be written. */
  with(name: string, value?: string): Parameters {
    const parameter = { name, value }
    if (!this.has(name)) return new Parameters([...this.list, parameter])
    return new Parameters(this.list.map((other) => (other.name === name ? parameter : other)))
  }

  without(name: string): Parameters {
    return this.has(name) ? new Parameters(this.list.filter((other) => other.name !== name)) : this
  }

  /** `;name=value;name`, or nothing. */
  toString(): string {
    let text = ""
    for (const { name, value } of this.list) text += value === undefined ? `;${name}` : `;${name}=${value}`
    return text
  }
}

/** Reads `;name=value;name`, or nothing, with white space where RFC 3261 §25.1 allows it. Throws FormatError. */
export const parseParameters = (text: string): Parameters => scanParameters(new Scanner(text))

const SEMICOLON = 59
const EQUALS = 61
const QUOTE = 34

/** Reads parameters to the end of the text. Throws FormatError where anything else follows. */
export function scanParameters(scanner: Scanner): Parameters {
  const { text } = scanner
  scanner.skipSpace()
  if (scanner.done) return Parameters.NONE
  const list: Parameter[] = []
  while (scanner.at < text.length) {
    if (text.charCodeAt(scanner.at) !== SEMICOLON) throw scanner.fail("';' expected")
    scanner.at++
    scanner.skipSpace()
    const start = scanner.at
    scanner.at = runEnd(text, start, TOKEN)
    if (scanner.at === start) throw scanner.fail("parameter name expected")
    const name = nameAt(text, start, scanner.at)
    scanner.skipSpace()
    addParameter(list, { name, value: scanValue(scanner) })
  }
  return new Parameters(list)
}

/** What follows an equals sign; undefined where there is none. */
function scanValue(scanner: Scanner): string | undefined {
  const { text } = scanner
  if (text.charCodeAt(scanner.at) !== EQUALS) return undefined
  scanner.at++
  scanner.skipSpace()
  const value =
    text.charCodeAt(scanner.at) === QUOTE ? scanner.quoted() : scanner.run(PARAMETER_VALUE, "parameter value")
  scanner.skipSpace()
  return value
}

/** Of nearly every message: recognised where they stand, they need not be cut out and made lower case. */
const COMMON: (string | undefined)[] = new Array<string | undefined>(16).fill(undefined)
for (const name of ["lr", "tag", "user", "rport", "branch", "expires", "received", "transport"])
  COMMON[name.length] = name

function nameAt(text: string, start: number, end: number): string {
  const common = COMMON[end - start]
  return common !== undefined && text.startsWith(common, start)
    ? common
    : text.slice(start, end).toLowerCase()
}

/** No name may come twice (RFC 3261 §7.3.1), and there is an end to patience. */
export function addParameter(list: Parameter[], parameter: Parameter): void {
  if (list.length >= LIMITS.sip.parameterCount) throw new FormatError("too many parameters")
  for (const { name } of list)
    if (name === parameter.name) throw new FormatError(`parameter ${name} comes twice`)
  list.push(parameter)
}
