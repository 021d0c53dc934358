import type { Cryptography, Role } from "../core/identity/certificate.ts"
import { FABRIC_KEY_ROLES, hasRole, isGrantable } from "../core/identity/roles.ts"
import { judgeCertificate } from "../core/identity/trust.ts"
import { fromUtf8, toBase64Url, toUtf8 } from "../core/kit/bytes.ts"
import { FormatError } from "../core/kit/errors.ts"
import type { Instant } from "../core/kit/time.ts"
import type { Configuration } from "../core/reload/configuration.ts"
import { CONFIGURATION_TYPE } from "../core/reload/configuration-document.ts"
import type { Authority } from "./authority.ts"
import { sha256Hex } from "./cryptography.ts"
import type { EnrolmentHttpRequest, EnrolmentHttpResponse } from "./interface.ts"
import { decodeInvite, type FabricKey, type Invite, isGenuineInvite } from "./invite.ts"
import { MembershipError, type MembershipProblem } from "./membership-error.ts"
import { readForm } from "./multipart.ts"
import { readSigningRequest } from "./signing-request.ts"

// RFC 6940 §11.2 and §11.3, and two steps of our own for a node that has just been admitted: the
// fabric keys, and a certificate for its phones. Both ask for the node's certificate in TLS.

export const ENROLMENT_PATHS = {
  configuration: "/.well-known/reload-config",
  enrol: "/enroll",
  fabricKeys: "/fabric-keys",
  phoneCertificate: "/phone-certificate",
} as const

export const CERTIFICATE_TYPE = "application/pkix-cert"
export const REQUEST_TYPE = "application/pkcs10"

/** Says more than RFC 6940's token: a MembershipProblem. Others' clients pass over it. */
export const PROBLEM_HEADER = "carillon-problem"

/** RFC 6940 §11.3. */
type Refusal = "failed_authentication" | "username_not_available" | "Node-IDs_not_available" | "bad_CSR"

const MOST_PHONE_NAMES = 16

export interface EnrolmentSettings {
  readonly authority: Authority
  readonly cryptography: Cryptography
  readonly configuration: Configuration
  /** The signed document, as it is handed out. */
  readonly document: string
  readonly fabricKeys: readonly FabricKey[]
  readonly clock: () => Instant
}

export type EnrolmentHandler = (request: EnrolmentHttpRequest) => Promise<EnrolmentHttpResponse>

/** Serves enrolment; never rejects for what a stranger sends. */
export function createEnrolmentHandler(settings: EnrolmentSettings): EnrolmentHandler {
  const routes: Readonly<Record<string, EnrolmentHandler>> = {
    [`GET ${ENROLMENT_PATHS.configuration}`]: async () => ok(CONFIGURATION_TYPE, toUtf8(settings.document)),
    [`POST ${ENROLMENT_PATHS.enrol}`]: (request) => enrol(settings, request),
    [`POST ${ENROLMENT_PATHS.fabricKeys}`]: async (request) => handOutKeys(settings, request),
    [`POST ${ENROLMENT_PATHS.phoneCertificate}`]: async (request) => certifyForPhones(settings, request),
  }
  return async (request) => {
    const route = routes[`${request.method} ${request.path.replace(/\?.*$/, "")}`]
    return route === undefined ? plain(404, "not_found") : route(request)
  }
}

async function enrol(
  settings: EnrolmentSettings,
  request: EnrolmentHttpRequest,
): Promise<EnrolmentHttpResponse> {
  const form = readForm({ contentType: request.headers["content-type"] ?? "", body: request.body })
  const field = (name: string) => fromUtf8(form?.get(name) ?? new Uint8Array()) ?? ""
  const now = settings.clock()
  const invite = readInvite(settings, field("username"), field("password"), now)
  if (typeof invite === "string") return refuse("failed_authentication", invite)
  if (!["", "1"].includes(field("nodeids"))) return refuse("Node-IDs_not_available")
  const roles = rolesFor(invite, field("roles"))
  if (roles === undefined) return refuse("failed_authentication", "invite-refused")
  const der = form?.get("csr") ?? new Uint8Array()
  if (namesIn(der)?.some(({ type }) => type === "email")) return refuse("username_not_available")
  const admitted = await settings.authority.admit({ request: der, roles, invite, now })
  switch (admitted.kind) {
    case "issued":
      return ok(CERTIFICATE_TYPE, admitted.certificate)
    case "used-up":
      return refuse("failed_authentication", "invite-used-up")
    case "bad-request":
      return refuse("bad_CSR")
  }
}

/** The user name is the invite's identifier, the password its text. */
function readInvite(
  { authority, cryptography, configuration, fabricKeys }: EnrolmentSettings,
  username: string,
  password: string,
  now: Instant,
): Invite | MembershipProblem {
  try {
    const invite = decodeInvite(cryptography, password, now)
    const ours =
      invite.overlay === configuration.instanceName &&
      invite.rootFingerprint === sha256Hex(authority.rootCertificate)
    if (!ours) return "other-overlay"
    const genuine = isGenuineInvite(cryptography, password, invite, fabricKeys)
    return genuine && username === invite.id ? invite : "invite-refused"
  } catch (cause) {
    if (!(cause instanceof MembershipError)) throw cause
    return cause.problem
  }
}

/** What the invite grants, or the part of it that is asked for. */
function rolesFor(invite: Invite, asked: string): readonly Role[] | undefined {
  const roles = asked === "" ? invite.roles : asked.split(",")
  return roles.every((role) => isGrantable(role) && invite.roles.includes(role)) ? roles : undefined
}

function handOutKeys(settings: EnrolmentSettings, request: EnrolmentHttpRequest): EnrolmentHttpResponse {
  if (!showsNode(settings, request)) return refuse("failed_authentication")
  const keys = settings.fabricKeys.map(({ epoch, key }) => ({ epoch, key: toBase64Url(key) }))
  return ok("application/json", toUtf8(JSON.stringify({ keys })))
}

/** The request names the overlay's domain, and addresses that are the node's own affair. */
function certifyForPhones(settings: EnrolmentSettings, request: EnrolmentHttpRequest): EnrolmentHttpResponse {
  if (!showsNode(settings, request)) return refuse("failed_authentication")
  const names = namesIn(request.body)
  const domain = settings.configuration.sipDomain
  const addresses = names?.filter(({ value }) => value !== domain) ?? []
  if (names === undefined || names.length > MOST_PHONE_NAMES || addresses.some(({ type }) => type !== "ip")) {
    return refuse("bad_CSR")
  }
  const phoneNames = { domain, addresses: addresses.map(({ value }) => value) }
  return ok(CERTIFICATE_TYPE, settings.authority.issuePhone(request.body, phoneNames, settings.clock()))
}

/** Whether the client showed, in TLS, the certificate of a node that works with the fabric keys. */
function showsNode(
  { authority, cryptography, configuration, clock }: EnrolmentSettings,
  { clientCertificate }: EnrolmentHttpRequest,
): boolean {
  if (clientCertificate === undefined) return false
  const certificate = orUndefined(() => cryptography.readCertificate(clientCertificate))
  if (certificate === undefined) return false
  const problem = judgeCertificate(cryptography, certificate, {
    overlay: configuration.instanceName,
    roots: [authority.rootCertificate],
    now: clock(),
    badNodes: configuration.badNodes,
  })
  return problem === undefined && FABRIC_KEY_ROLES.some((role) => hasRole(certificate, role))
}

const namesIn = (request: Uint8Array) => orUndefined(() => readSigningRequest(request).names)

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof FormatError) return undefined
    throw cause
  }
}

const ok = (type: string, body: Uint8Array): EnrolmentHttpResponse => ({
  status: 200,
  headers: { "content-type": type },
  body,
})

const plain = (status: number, token: string): EnrolmentHttpResponse => ({
  status,
  headers: { "content-type": "text/plain" },
  body: toUtf8(token),
})

function refuse(token: Refusal, problem?: MembershipProblem): EnrolmentHttpResponse {
  const { headers, ...rest } = plain(403, token)
  return { ...rest, headers: problem === undefined ? headers : { ...headers, [PROBLEM_HEADER]: problem } }
}
