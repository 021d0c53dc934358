import { toLatin1, toUtf8 } from "../kit/bytes.ts"
import type { Hashes } from "../kit/crypto.ts"
import { FormatError } from "../kit/errors.ts"
import { PARAMETER_VALUE, TOKEN } from "./characters.ts"
import { addParameter, type Parameter, Parameters } from "./parameters.ts"
import { quote, Scanner } from "./scanner.ts"
import { unescapeUser } from "./uri.ts"

// Digest authentication as a server sees it. RFC 3261 §22, RFC 7616, RFC 8760. Texts are latin1: a
// character is a byte of the wire.

export type DigestAlgorithm = "MD5" | "SHA-256"

/** What the answer to a challenge is computed from, beside the secret and the method. */
export interface DigestInput {
  readonly algorithm: DigestAlgorithm
  readonly nonce: string
  /** As the client wrote it; whether it means the Request-URI is for the server to judge. */
  readonly uri: string
  /** What qop=auth adds; undefined for clients of RFC 2069. */
  readonly auth: { readonly nc: string; readonly cnonce: string } | undefined
}

export interface DigestCredentials extends DigestInput {
  readonly username: string
  readonly realm: string
  /** Hexadecimal digits in lower case. */
  readonly response: string
  readonly opaque: string | undefined
}

/**
 * The value of an Authorization or Proxy-Authorization field. Undefined where it is of another scheme or
 * algorithm, which we never asked for; throws FormatError where it is a malformed Digest.
 */
export function parseAuthorization(text: string): DigestCredentials | undefined {
  const scanner = new Scanner(text)
  scanner.skipSpace()
  if (scanner.run(TOKEN, "scheme").toLowerCase() !== "digest") return undefined
  scanner.skipSpace()
  const given = scanAuthParameters(scanner)
  const algorithm = (given.getUnquoted("algorithm") ?? "MD5").toUpperCase()
  if (algorithm !== "MD5" && algorithm !== "SHA-256") return undefined
  const response = required(given, "response").toLowerCase()
  if (!/^[0-9a-f]+$/.test(response)) throw new FormatError("response is not hexadecimal")
  return {
    username: usernameOf(given),
    realm: required(given, "realm"),
    nonce: required(given, "nonce"),
    uri: required(given, "uri"),
    response,
    algorithm,
    opaque: given.getUnquoted("opaque"),
    auth: authOf(given),
  }
}

function scanAuthParameters(scanner: Scanner): Parameters {
  const list: Parameter[] = []
  do {
    // `username*` (RFC 7616 §3.4) is a token, as `*` is a token's character.
    const name = scanner.run(TOKEN, "parameter").toLowerCase()
    if (!scanner.takeSeparator("=")) throw scanner.fail("'=' expected")
    const quoted = scanner.text[scanner.at] === '"'
    addParameter(list, { name, value: quoted ? scanner.quoted() : scanner.run(PARAMETER_VALUE, name) })
  } while (scanner.takeSeparator(","))
  if (!scanner.done) throw scanner.fail("',' expected")
  return new Parameters(list)
}

function required(given: Parameters, name: string): string {
  const value = given.getUnquoted(name)
  if (value === undefined) throw new FormatError(`${name} is missing`)
  return value
}

/** RFC 7616 §3.4: as it is, or `username*=UTF-8''J%C3%A4s`, whose bytes are then the name's. */
function usernameOf(given: Parameters): string {
  const extended = given.get("username*")
  if (extended === undefined) return required(given, "username")
  const match = /^utf-8'[^']*'(.*)$/i.exec(extended)
  if (match === null) throw new FormatError("username* is malformed")
  return unescapeUser(match[1]!)
}

function authOf(given: Parameters): DigestInput["auth"] {
  const qop = given.getUnquoted("qop")
  if (qop === undefined) return undefined
  if (qop.toLowerCase() !== "auth") throw new FormatError("qop was not offered")
  const nc = required(given, "nc")
  if (!/^[0-9a-fA-F]{8}$/.test(nc)) throw new FormatError("nc is malformed")
  return { nc, cnonce: required(given, "cnonce") }
}

export interface Challenge {
  readonly realm: string
  readonly nonce: string
  readonly algorithm: DigestAlgorithm
  /** The nonce was a good one, but is too old: the client may answer anew without asking its user. */
  readonly stale?: boolean
  readonly opaque?: string
}

/** The value of a WWW-Authenticate or Proxy-Authenticate field, with qop="auth". */
export function formatChallenge({ realm, nonce, algorithm, stale = false, opaque }: Challenge): string {
  const rest = `${opaque === undefined ? "" : `, opaque=${quote(opaque)}`}${stale ? ", stale=true" : ""}`
  return `Digest realm=${quote(realm)}, nonce=${quote(nonce)}, algorithm=${algorithm}, qop="auth"${rest}`
}

const hashOf = (algorithm: DigestAlgorithm) => (algorithm === "MD5" ? "md5" : "sha256")

/**
 * H(A1): what a server keeps instead of the password. RFC 7616 §3.4.2. All three are text as people write it,
 * hashed as UTF-8 (§4).
 */
export const ha1 = (
  hashes: Hashes,
  algorithm: DigestAlgorithm,
  user: string,
  realm: string,
  password: string,
): string => hashes.digestHex(hashOf(algorithm), toLatin1(toUtf8(`${user}:${realm}:${password}`)))

/** The `response` of whoever knows the HA1 of that algorithm. RFC 7616 §3.4.1; without qop, RFC 2069. */
export function digestResponse(hashes: Hashes, ha1: string, method: string, input: DigestInput): string {
  const hash = hashOf(input.algorithm)
  const ha2 = hashes.digestHex(hash, `${method}:${input.uri}`)
  const { auth } = input
  const middle = auth === undefined ? input.nonce : `${input.nonce}:${auth.nc}:${auth.cnonce}:auth`
  return hashes.digestHex(hash, `${ha1}:${middle}:${ha2}`)
}
