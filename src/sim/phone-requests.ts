import { type Address, formatAddress } from "../core/kit/address.ts"
import type { Hashes } from "../core/kit/crypto.ts"
import type { Random } from "../core/kit/random.ts"
import type { Duration, Instant } from "../core/kit/time.ts"
import { digestResponse, ha1 } from "../core/sip/digest.ts"
import { topVia, valuesOf } from "../core/sip/fields.ts"
import { Headers, NO_BODY, type SipRequest, type SipResponse } from "../core/sip/message.ts"
import { parseNameAddress } from "../core/sip/name-address.ts"
import type { Transport } from "../core/sip/transport.ts"
import { branchOf, MAGIC_COOKIE } from "../core/sip/via.ts"
import type { LayerEffect, ServerKey } from "../core/transaction/layer-interface.ts"

/** A request in the making: what stays the same when it has to be sent again with credentials. */
export interface Draft {
  readonly method: string
  readonly uri: string
  readonly from: string
  readonly to: string
  readonly callId: string
  readonly cseq: number
  readonly routes: readonly string[]
  readonly extra: readonly (readonly [string, string])[]
  readonly body?: string
}

/** A dialog, as far as a phone needs it. RFC 3261 §12. */
export interface Dialog {
  /** From and To as this end writes them. */
  readonly local: string
  readonly remote: string
  readonly target: string
  readonly routes: readonly string[]
  readonly cseq: number
}

/** Of whoever asked, from the 2xx. RFC 3261 §12.1.2. */
export const dialogOfCaller = (answer: SipResponse, sent: Draft): Dialog => ({
  local: answer.headers.first("From")!,
  remote: answer.headers.first("To")!,
  target: remoteTarget(answer) ?? sent.uri,
  routes: [...valuesOf(answer, "Record-Route")].reverse(),
  cseq: sent.cseq,
})

/** Of whoever answered. RFC 3261 §12.1.1. */
export const dialogOfCallee = (request: SipRequest, answer: SipResponse): Dialog => ({
  local: answer.headers.first("To")!,
  remote: request.headers.first("From")!,
  target: remoteTarget(request) ?? "",
  routes: valuesOf(request, "Record-Route"),
  cseq: 1,
})

/** No answer came in time, or the request could not be sent. */
export interface Silence {
  readonly kind: "silence"
  readonly status: 408 | 503
}

/** A call that has come in and waits to be answered. */
export interface Ringing {
  readonly server: ServerKey
  readonly request: SipRequest
  readonly toTag: string
  readonly acceptAt: Instant
}

/** A 2xx of a phone that has no ACK yet. RFC 3261 §13.3.1.4. */
export interface Unconfirmed {
  /** How the 2xx went out, to be sent again as it is: its transaction is over, RFC 3261 §13.3.1.4. */
  readonly said: readonly Extract<LayerEffect, { kind: "send" }>[]
  repeatAt: Instant
  interval: Duration
  readonly giveUpAt: Instant
}

/** A request inside a dialog, with the dialog's CSeq. */
export const draftWithin = (dialog: Dialog, callId: string, method: string): Draft => ({
  method,
  uri: dialog.target,
  from: dialog.local,
  to: dialog.remote,
  callId,
  cseq: dialog.cseq,
  routes: dialog.routes,
  extra: [],
})

export interface Sender {
  readonly address: Address
  readonly transport: Transport
  readonly random: Random
}

/** With a Via and a branch of its own. */
export function requestOf({ address, transport, random }: Sender, draft: Draft): SipRequest {
  const branch = `${MAGIC_COOKIE}${Math.floor(random.next() * 2 ** 48).toString(36)}`
  const rport = transport === "UDP" ? ";rport" : ""
  const fields: (readonly [string, string])[] = [
    ["Via", `SIP/2.0/${transport} ${formatAddress(address)};branch=${branch}${rport}`],
    ["Max-Forwards", "70"],
    ...draft.routes.map((route) => ["Route", route] as const),
    ["From", draft.from],
    ["To", draft.to],
    ["Call-ID", draft.callId],
    ["CSeq", `${draft.cseq} ${draft.method}`],
    ...draft.extra,
  ]
  const headers = new Headers(fields.map(([name, value]) => ({ name, value })))
  return { kind: "request", method: draft.method, uri: draft.uri, headers, body: draft.body ?? NO_BODY }
}

export const branchOfRequest = (request: SipRequest): string => branchOf(topVia(request)) ?? ""

/** The tag is put behind what may already be a whole name-addr. */
export const tagged = (uri: string, tag: string): string => `<${uri}>;tag=${tag}`

/** Where a phone takes requests, as a URI. */
export function contactUri({
  user,
  address,
  transport,
}: {
  readonly user: string
  readonly address: Address
  readonly transport: Transport
}): string {
  const parameter = transport === "UDP" ? "" : `;transport=${transport.toLowerCase()}`
  return `sip:${user}@${formatAddress(address)}${parameter}`
}

export interface Credentials {
  readonly user: string
  readonly password: string
}

const CHALLENGES = [
  { status: 401, challenge: "WWW-Authenticate", answer: "Authorization" },
  { status: 407, challenge: "Proxy-Authenticate", answer: "Proxy-Authorization" },
] as const

/**
 * The draft with the challenge of `response` answered; undefined where it is no challenge for us, or says that
 * the answer in the draft was wrong and not only late. RFC 7616, RFC 3261 §22.1.
 */
export function answerChallenge(
  hashes: Hashes,
  { user, password }: Credentials,
  draft: Draft,
  response: SipResponse,
  count: number,
  cnonce: string,
): Draft | undefined {
  const kind = CHALLENGES.find(({ status }) => status === response.status)
  const text = kind && response.headers.first(kind.challenge)
  if (kind === undefined || text === undefined) return undefined
  const parameter = (name: string) => text.match(new RegExp(`${name}="?([^",]*)`, "i"))?.[1]
  const [realm, nonce] = [parameter("realm"), parameter("nonce")]
  if (realm === undefined || nonce === undefined) return undefined
  const hasAnswered = draft.extra.some(([name]) => name === kind.answer)
  if (hasAnswered && parameter("stale")?.toLowerCase() !== "true") return undefined
  const algorithm = parameter("algorithm") === "SHA-256" ? "SHA-256" : "MD5"
  const nc = count.toString(16).padStart(8, "0")
  const secret = ha1(hashes, algorithm, user, realm, password)
  const proof = digestResponse(hashes, secret, draft.method, {
    algorithm,
    nonce,
    uri: draft.uri,
    auth: { nc, cnonce },
  })
  const value =
    `Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${draft.uri}", response="${proof}", ` +
    `algorithm=${algorithm}, qop=auth, nc=${nc}, cnonce="${cnonce}"`
  const others = draft.extra.filter(([name]) => name !== kind.answer)
  return { ...draft, cseq: draft.cseq + 1, extra: [...others, [kind.answer, value]] }
}

/** The first Contact of a message, as the remote target of a dialog. */
export const remoteTarget = (message: SipRequest | SipResponse): string | undefined => {
  const first = valuesOf(message, "Contact")[0]
  return first === undefined || first === "*" ? undefined : parseNameAddress(first).uri
}
