import type { Certificate, Role } from "../../core/identity/certificate.ts"
import { parseNodeId } from "../../core/identity/node-id.ts"
import {
  DEFAULT_ROLES,
  ENROLMENT,
  FABRIC_KEY_ROLES,
  hasRole,
  PROVISIONER,
} from "../../core/identity/roles.ts"
import { judgeCertificate } from "../../core/identity/trust.ts"
import { fromUtf8, toBase64Url, toUtf8 } from "../../core/kit/bytes.ts"
import { earliest, type Instant } from "../../core/kit/time.ts"
import { hasAll } from "../authority/holders.ts"
import { readSigningRequest } from "../crypto/signing-request.ts"
import type { EnrolmentHttpRequest, EnrolmentHttpResponse } from "../kit/interface.ts"
import {
  CERTIFICATE_TYPE,
  ENROLMENT_PATHS,
  ok,
  orUndefined,
  plain,
  refuse,
} from "../network/enrolment-answers.ts"
import type { EnrolmentHandler, EnrolmentSettings } from "./enrolment-server.ts"
import { pack, printRecords } from "./records-text.ts"

// What enrolment does for nodes that have been admitted. Each shows its certificate in TLS, and is judged by it.

const MOST_PHONE_NAMES = 16
const JSON_TYPE = "application/json"

/** A request of a node whose certificate holds. */
type MemberHandler = (
  node: Certificate,
  request: EnrolmentHttpRequest,
) => EnrolmentHttpResponse | Promise<EnrolmentHttpResponse>

/** Each route, with who may ask it. */
export function createMemberRoutes(settings: EnrolmentSettings): Readonly<Record<string, EnrolmentHandler>> {
  const forThose = (
    may: (certificate: Certificate) => boolean,
    handle: MemberHandler,
    judge = judgeNow,
  ): EnrolmentHandler => {
    return async (request) => {
      const certificate = judge(settings, request)
      if (certificate === undefined || !may(certificate)) return refuse("failed_authentication")
      return handle(certificate, request)
    }
  }
  const worksWithKeys = (certificate: Certificate) =>
    FABRIC_KEY_ROLES.some((role) => hasRole(certificate, role))
  return {
    [`POST ${ENROLMENT_PATHS.fabricKeys}`]: forThose(worksWithKeys, () => handOutKeys(settings)),
    [`POST ${ENROLMENT_PATHS.phoneCertificate}`]: forThose(worksWithKeys, (_, request) =>
      certifyForPhones(settings, request),
    ),
    [`POST ${ENROLMENT_PATHS.renew}`]: forThose(
      () => true,
      (node, request) => renew(settings, node, request),
      judgeLapsed,
    ),
    [`POST ${ENROLMENT_PATHS.authority}`]: forThose(mayHoldAuthority, (node) =>
      handOutAuthority(settings, node),
    ),
    [`POST ${ENROLMENT_PATHS.revoke}`]: forThose(
      (node) => hasRole(node, PROVISIONER),
      (_, request) => revoke(settings, request),
    ),
    [`POST ${ENROLMENT_PATHS.records}`]: forThose(
      (node) => hasRole(node, ENROLMENT),
      () => handOutRecords(settings),
    ),
  }
}

/** A full node of a farm: it can add users and make invites, and so is trusted with as much already. */
const mayHoldAuthority = ({ roles }: { readonly roles: readonly Role[] }): boolean =>
  hasAll(roles, DEFAULT_ROLES)

/** The certificate that the client showed, where it is good now. */
function judgeNow(settings: EnrolmentSettings, request: EnrolmentHttpRequest): Certificate | undefined {
  return judgedAt(settings, request, () => settings.clock())
}

/** The same where it lapsed no longer ago than it had lasted: a node that was away comes back. */
function judgeLapsed(settings: EnrolmentSettings, request: EnrolmentHttpRequest): Certificate | undefined {
  return judgedAt(settings, request, ({ notBefore, notAfter }) => {
    const now = settings.clock()
    return now - notAfter > notAfter - notBefore ? now : earliest(now, notAfter)
  })
}

function judgedAt(
  { cryptography, configuration }: EnrolmentSettings,
  { clientCertificate }: EnrolmentHttpRequest,
  at: (certificate: Certificate) => Instant,
): Certificate | undefined {
  if (clientCertificate === undefined) return undefined
  const certificate = orUndefined(() => cryptography.readCertificate(clientCertificate))
  if (certificate === undefined) return undefined
  const problem = judgeCertificate(cryptography, certificate, {
    overlay: configuration.instanceName,
    roots: configuration.rootCertificates,
    now: at(certificate),
    badNodes: configuration.badNodes,
  })
  return problem === undefined ? certificate : undefined
}

function handOutKeys({ fabricKeys }: EnrolmentSettings): EnrolmentHttpResponse {
  const keys = fabricKeys.map(({ epoch, key }) => ({ epoch, key: toBase64Url(key) }))
  return ok(JSON_TYPE, toUtf8(JSON.stringify({ keys })))
}

/** The request names the overlay's domain, and addresses that are the node's own affair. */
function certifyForPhones(
  { authority, configuration, clock }: EnrolmentSettings,
  { body }: EnrolmentHttpRequest,
): EnrolmentHttpResponse {
  if (authority === undefined) return plain(404, "not_found")
  const names = orUndefined(() => readSigningRequest(body).names)
  const domain = configuration.sipDomain
  const addresses = names?.filter(({ value }) => value !== domain) ?? []
  if (names === undefined || names.length > MOST_PHONE_NAMES || addresses.some(({ type }) => type !== "ip")) {
    return refuse("bad_CSR")
  }
  const phoneNames = { domain, addresses: addresses.map(({ value }) => value) }
  return ok(CERTIFICATE_TYPE, authority.issuePhone(body, phoneNames, clock()))
}

/** The same Node-ID and roles, for the key that the certificate is for. */
async function renew(
  { authority, clock }: EnrolmentSettings,
  { nodeIds, roles }: Certificate,
  { body }: EnrolmentHttpRequest,
): Promise<EnrolmentHttpResponse> {
  if (authority === undefined) return plain(404, "not_found")
  const isWhole = orUndefined(() => readSigningRequest(body)) !== undefined
  const [nodeId] = nodeIds
  if (!isWhole || nodeId === undefined) return refuse("bad_CSR")
  return ok(CERTIFICATE_TYPE, await authority.renew(body, nodeId, roles, clock()))
}

/**
 * The CA with its private keys, where fewer nodes hold it than should. It travels in TLS between two nodes that have
 * proved who they are, and to no other. docs/decisions.
 */
function handOutAuthority(settings: EnrolmentSettings, node: Certificate): EnrolmentHttpResponse {
  const { authority, fabric, wantedHolders } = settings
  if (authority === undefined || fabric === undefined) return plain(404, "not_found")
  const living = fabric.nodes()
  const holders = living.filter(({ roles }) => roles.includes(ENROLMENT))
  const isLiving = living.some((each) => node.nodeIds.some((nodeId) => nodeId === each.node))
  const isHolder = holders.some((each) => node.nodeIds.some((nodeId) => nodeId === each.node))
  if (!isLiving || (holders.length >= wantedHolders && !isHolder)) return plain(409, "held_by_enough")
  return ok(JSON_TYPE, toUtf8(JSON.stringify({ version: 1, ...authority.secrets() })))
}

async function revoke(
  settings: EnrolmentSettings,
  { body }: EnrolmentHttpRequest,
): Promise<EnrolmentHttpResponse> {
  const node = orUndefined(() => parseNodeId(fromUtf8(body) ?? ""))
  if (settings.authority === undefined || node === undefined) return plain(404, "not_found")
  await settings.revoke(node)
  return ok("text/plain", toUtf8(node))
}

/** Everything that this node holds, for a backup that an enrolment node makes. */
async function handOutRecords({ fabric }: EnrolmentSettings): Promise<EnrolmentHttpResponse> {
  if (fabric === undefined) return plain(404, "not_found")
  return ok("application/gzip", await pack(printRecords(fabric.snapshot())))
}
