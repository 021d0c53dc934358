import type { X509Certificate } from "node:crypto"
import { type IncomingMessage, request as startRequest } from "node:http"
import { connect, type TLSSocket } from "node:tls"
import type { Cryptography } from "../../core/identity/certificate.ts"
import { ENROLMENT, hasRole } from "../../core/identity/roles.ts"
import { judgeCertificate, type Trust } from "../../core/identity/trust.ts"
import { type Address, formatAddress } from "../../core/kit/address.ts"
import { FormatError } from "../../core/kit/errors.ts"
import { type Instant, seconds } from "../../core/kit/time.ts"
import { sha256Hex } from "../crypto/cryptography.ts"
import type { TlsMaterial } from "../kit/interface.ts"
import { MembershipError } from "../kit/membership-error.ts"

const CONNECT_TIMEOUT = seconds(4)
const EXCHANGE_TIMEOUT = seconds(10)
const MOST_BYTES = 2_097_152
const LONGEST_CHAIN = 4

/** The overlay that an enrolment node must prove to be of, before it is told anything. */
export interface EnrolmentTrust {
  readonly overlay: string
  /** SHA-256 of the root certificate, hexadecimal. */
  readonly rootFingerprint: string
  readonly cryptography: Cryptography
  readonly now: Instant
}

export interface HttpsRequest {
  readonly method: "GET" | "POST"
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** The certificate to show. */
  readonly client?: TlsMaterial
  /** The longest answer; default: 2 MiB. */
  readonly mostBytes?: number
  /** Default: a node with the role enrolment has to answer, and any one will do. */
  readonly expects?: "any-node"
}

export interface HttpsResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** The root that the server proved to stand under, DER. */
  readonly root: Uint8Array
}

/**
 * One request to an enrolment node, on a connection of its own. The certificate is not matched
 * against a host name, as RFC 6940 §11.3 has it, but against the root that the invite names: an
 * overlay needs no DNS. Throws MembershipError: `unreachable`, `untrusted`, or `busy` where it has proved what it is, and
 * then does not answer.
 */
export async function exchange(
  address: Address,
  trust: EnrolmentTrust,
  request: HttpsRequest,
): Promise<HttpsResponse> {
  const socket = await dial(address, request.client)
  try {
    const root = proveEnrolmentNode(socket, address, trust, request.expects === undefined)
    return { ...(await ask(socket, address, trust.overlay, request)), root }
  } finally {
    socket.destroy()
  }
}

function dial(address: Address, client: TlsMaterial | undefined): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: address.host,
      port: address.port,
      ALPNProtocols: ["http/1.1"],
      minVersion: "TLSv1.2",
      rejectUnauthorized: false, // Judged by `proveEnrolmentNode`, before anything is sent.
      ...(client && { cert: client.certificate, key: client.key }),
    })
    const timer = setTimeout(() => socket.destroy(new Error("no answer")), CONNECT_TIMEOUT)
    socket.once("close", () => {
      clearTimeout(timer)
      reject(unreachable(address, "the connection was closed"))
    })
    // Stays: a failure after the handshake must not be thrown at the process; `ask` sees it itself.
    socket.on("error", (cause) => reject(unreachable(address, reasonOf(cause), cause)))
    socket.once("secureConnect", () => {
      clearTimeout(timer)
      resolve(socket)
    })
  })
}

function proveEnrolmentNode(
  socket: TLSSocket,
  address: Address,
  trust: EnrolmentTrust,
  isToEnrol: boolean,
): Uint8Array {
  const { cryptography, overlay, rootFingerprint, now } = trust
  const place = formatAddress(address)
  const leaf = socket.getPeerX509Certificate()
  const root = chainOf(leaf).find((each) => sha256Hex(each) === rootFingerprint)
  if (leaf === undefined || root === undefined) {
    throw new MembershipError(
      "untrusted",
      `${place} is not of the overlay ${overlay} that the invite is for, its root certificate is another: ` +
        "check the address, or make a new invite on a node of that overlay",
    )
  }
  const problem = judgeServer(
    cryptography,
    leaf.raw,
    { overlay, roots: [root], now, badNodes: [] },
    isToEnrol,
  )
  if (problem === undefined) return root
  throw new MembershipError("untrusted", `${place} cannot be trusted to enrol this node: ${problem}`)
}

function judgeServer(
  cryptography: Cryptography,
  leaf: Uint8Array,
  trust: Trust,
  isToEnrol: boolean,
): string | undefined {
  try {
    const certificate = cryptography.readCertificate(leaf)
    const problem = judgeCertificate(cryptography, certificate, trust)
    if (problem !== undefined) return problem
    return isToEnrol && !hasRole(certificate, ENROLMENT)
      ? "it is a node without the role enrolment"
      : undefined
  } catch (cause) {
    if (cause instanceof FormatError) return cause.message
    throw cause
  }
}

function chainOf(leaf: X509Certificate | undefined): readonly Uint8Array[] {
  const chain: Uint8Array[] = []
  for (let each = leaf; each !== undefined && chain.length < LONGEST_CHAIN; each = each.issuerCertificate) {
    chain.push(Uint8Array.from(each.raw))
  }
  return chain
}

function ask(
  socket: TLSSocket,
  address: Address,
  host: string,
  { method, path, headers, body, mostBytes = MOST_BYTES }: HttpsRequest,
): Promise<Omit<HttpsResponse, "root">> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error("no answer")), EXCHANGE_TIMEOUT)
    const fail = (cause: Error) => {
      clearTimeout(timer)
      reject(
        new MembershipError(
          "busy",
          `the enrolment node at ${formatAddress(address)} does not answer (${reasonOf(cause)}): look at its health`,
          { cause },
        ),
      )
    }
    const length = { "content-length": String(body.length) }
    const outgoing = startRequest({
      method,
      path,
      headers: { ...headers, host, connection: "close", ...(method === "POST" && length) },
      createConnection: () => socket,
    })
    outgoing.once("error", fail)
    outgoing.once("response", (response) => {
      readAll(response, mostBytes).then((bytes) => {
        clearTimeout(timer)
        resolve({ status: response.statusCode ?? 0, headers: plainHeaders(response), body: bytes })
      }, fail)
    })
    outgoing.end(body)
  })
}

async function readAll(response: IncomingMessage, mostBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > mostBytes) throw new Error(`it sends more than ${mostBytes} bytes`)
    chunks.push(chunk)
  }
  return Uint8Array.from(Buffer.concat(chunks))
}

const plainHeaders = (response: IncomingMessage): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)]))

const unreachable = (address: Address, reason: string, cause?: Error): MembershipError =>
  new MembershipError(
    "unreachable",
    `no enrolment node answers at ${formatAddress(address)} (${reason}): ` +
      "start it, open the port, or make an invite with an address that this machine reaches",
    { cause },
  )

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to the network",
  ENOTFOUND: "no such host name",
}

/** What is no TLS shows as EPROTO or as an error of OpenSSL. */
function reasonOf(cause: Error): string {
  const { code } = cause as NodeJS.ErrnoException
  if (code === undefined) return cause.message
  return REASONS[code] ?? (/SSL|EPROTO/.test(code) ? "it does not speak the enrolment protocol" : code)
}
