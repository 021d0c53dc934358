import { HOST, TOKEN } from "./characters.ts"
import { type Parameters, scanParameters } from "./parameters.ts"
import { Scanner } from "./scanner.ts"
import { endOfHost, parseHost, parsePort } from "./uri.ts"

/** One Via value. RFC 3261 §20.42. */
export interface Via {
  /** Upper case: `UDP`, `TCP`, `WSS`, or one that nobody knows. */
  readonly transport: string
  /** The host of sent-by as written; an IPv6 address in its brackets. */
  readonly host: string
  readonly port: number | undefined
  readonly parameters: Parameters
}

/** RFC 3261 §8.1.1.7: branches that begin so are unique. */
export const MAGIC_COOKIE = "z9hG4bK"

/** Reads one value, not a list. Throws FormatError. */
export function parseVia(text: string): Via {
  const scanner = new Scanner(text)
  const transport = scanTransport(scanner)
  const hostEnd = endOfHost(text, scanner.at)
  const host = text.slice(scanner.at, hostEnd)
  if (host === "" || host.startsWith("[")) parseHost(host)
  scanner.at = hostEnd
  const port = scanner.takeSeparator(":") ? parsePort(scanner.run(HOST, "port")) : undefined
  return { transport, host, port, parameters: scanParameters(scanner) }
}

/** As most begin, recognised at once. */
const BY_UDP = "SIP/2.0/UDP "

function scanTransport(scanner: Scanner): string {
  if (scanner.text.startsWith(BY_UDP)) {
    scanner.at = BY_UDP.length
    scanner.skipSpace()
    return "UDP"
  }
  scanner.skipSpace()
  const protocol = scanner.run(TOKEN, "protocol").toUpperCase()
  expect(scanner, "/")
  const version = scanner.run(TOKEN, "version")
  expect(scanner, "/")
  const transport = scanner.run(TOKEN, "transport").toUpperCase()
  if (protocol !== "SIP" || version !== "2.0") throw scanner.fail("Via of another protocol")
  const transportEnd = scanner.at
  scanner.skipSpace()
  if (scanner.at === transportEnd) throw scanner.fail("white space expected")
  return transport
}

function expect(scanner: Scanner, separator: string): void {
  if (!scanner.takeSeparator(separator)) throw scanner.fail(`'${separator}' expected`)
}

export const formatVia = ({ transport, host, port, parameters }: Via): string =>
  `SIP/2.0/${transport} ${host}${port === undefined ? "" : `:${port}`}${parameters.toString()}`

/** The branch parameter; undefined where there is none, as before RFC 3261. */
export const branchOf = (via: Via): string | undefined => via.parameters.get("branch")
