import type { Cryptography, Role } from "../../core/identity/certificate.ts"
import type { NodeId } from "../../core/identity/node-id.ts"
import { isDomainRole, isGrantable, rolesOfDomain } from "../../core/identity/roles.ts"
import { fromUtf8, toUtf8 } from "../../core/kit/bytes.ts"
import type { Instant } from "../../core/kit/time.ts"
import type { Configuration } from "../../core/reload/configuration.ts"
import { CONFIGURATION_TYPE } from "../../core/reload/configuration-document.ts"
import type { Authority, CountUse } from "../authority/authority.ts"
import { sha256Hex } from "../crypto/cryptography.ts"
import { readSigningRequest } from "../crypto/signing-request.ts"
import type { EnrolmentHttpRequest, EnrolmentHttpResponse } from "../kit/interface.ts"
import { MembershipError, type MembershipProblem } from "../kit/membership-error.ts"
import {
  CERTIFICATE_TYPE,
  ENROLMENT_PATHS,
  ok,
  orUndefined,
  plain,
  refuse,
} from "../network/enrolment-answers.ts"
import { createMemberRoutes } from "./enrolment-members.ts"
import { decodeInvite, type FabricKey, type Invite, isGenuineInvite } from "./invite.ts"
import { readForm } from "./multipart.ts"
import type { RunningFabric } from "./running-fabric.ts"
import { useCounter } from "./use-counter.ts"

/** What enrolment works with; all of it may change while the node runs. */
export interface EnrolmentSettings {
  /** Undefined on a node that does not hold the CA: then it admits nobody. */
  readonly authority: Authority | undefined
  readonly cryptography: Cryptography
  readonly configuration: Configuration
  /** The signed document, as it is handed out. */
  readonly document: string
  readonly fabricKeys: readonly FabricKey[]
  readonly clock: () => Instant
  /** Undefined before the node runs. */
  readonly fabric: RunningFabric | undefined
  /** How many nodes are to hold the CA. */
  readonly wantedHolders: number
  /** Takes a node's certificate back, for all nodes. */
  revoke(node: NodeId): Promise<void>
}

export type EnrolmentHandler = (request: EnrolmentHttpRequest) => Promise<EnrolmentHttpResponse>

/** Serves enrolment; never rejects for what a stranger sends. */
export function createEnrolmentHandler(settings: EnrolmentSettings): EnrolmentHandler {
  const routes: Readonly<Record<string, EnrolmentHandler>> = {
    [`GET ${ENROLMENT_PATHS.configuration}`]: async () => ok(CONFIGURATION_TYPE, toUtf8(settings.document)),
    [`POST ${ENROLMENT_PATHS.enrol}`]: (request) => enrol(settings, request),
    ...createMemberRoutes(settings),
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
  const { authority, fabric } = settings
  if (authority === undefined) return plain(404, "not_found")
  const form = readForm({ contentType: request.headers["content-type"] ?? "", body: request.body })
  const field = (name: string) => fromUtf8(form?.get(name) ?? new Uint8Array()) ?? ""
  const now = settings.clock()
  const invite = readInvite(settings, authority, field("username"), field("password"), now)
  if (typeof invite === "string") return refuse("failed_authentication", invite)
  if (!["", "1"].includes(field("nodeids"))) return refuse("Node-IDs_not_available")
  const roles = rolesFor(invite, field("roles"))
  if (roles === undefined) return refuse("failed_authentication", "invite-refused")
  const place = placeOf(field("site"), field("rack"))
  if (place === undefined) return refuse("failed_authentication", "invite-refused")
  const der = form?.get("csr") ?? new Uint8Array()
  const names = orUndefined(() => readSigningRequest(der).names)
  if (names?.some(({ type }) => type === "email")) return refuse("username_not_available")
  const count: CountUse | undefined = fabric && useCounter(fabric, invite, now)
  const known = fabric?.nodes().map(({ node }) => node as NodeId) ?? []
  const admitted = await authority.admit({
    request: der,
    roles: [...roles, ...place],
    invite: { ...invite, count },
    known,
    now,
  })
  switch (admitted.kind) {
    case "issued":
      return ok(CERTIFICATE_TYPE, admitted.certificate)
    case "used-up":
      return refuse("failed_authentication", "invite-used-up")
    case "bad-request":
      return refuse("bad_CSR")
    case "unavailable":
      return plain(503, admitted.cause)
  }
}

/** The user name is the invite's identifier, the password its text. */
function readInvite(
  { cryptography, configuration, fabricKeys }: EnrolmentSettings,
  authority: Authority,
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

/** Where a node says that it stands needs no invite's leave; undefined where it is no name of a place. */
function placeOf(site: string, rack: string): readonly Role[] | undefined {
  const roles = rolesOfDomain({ site: site || undefined, rack: rack || undefined })
  return roles.every(isDomainRole) ? roles : undefined
}
