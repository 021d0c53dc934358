import type { Cryptography, Identity, Role } from "../../core/identity/certificate.ts"
import type { FailureDomain } from "../../core/identity/roles.ts"
import { judgeCertificate } from "../../core/identity/trust.ts"
import { type Address, formatAddress } from "../../core/kit/address.ts"
import { fromBase64, fromUtf8, toUtf8 } from "../../core/kit/bytes.ts"
import { FormatError } from "../../core/kit/errors.ts"
import type { Instant } from "../../core/kit/time.ts"
import type { Configuration } from "../../core/reload/configuration.ts"
import { CONFIGURATION_TYPE, parseConfiguration } from "../../core/reload/configuration-document.ts"
import { verifyConfiguration } from "../../core/reload/configuration-signature.ts"
import type { PhoneNames } from "../authority/authority.ts"
import { loadIdentity } from "../crypto/cryptography.ts"
import { hostName } from "../crypto/general-name.ts"
import { pemOf } from "../crypto/issuing.ts"
import { createSigningRequest } from "../crypto/signing-request.ts"
import type { TlsMaterial } from "../kit/interface.ts"
import { MembershipError, type MembershipProblem } from "../kit/membership-error.ts"
import {
  CERTIFICATE_TYPE,
  ENROLMENT_PATHS,
  PROBLEM_HEADER,
  REQUEST_TYPE,
} from "../network/enrolment-answers.ts"
import { type EnrolmentTrust, exchange, type HttpsResponse } from "./enrolment-https.ts"
import type { FabricKey, Invite } from "./invite.ts"
import { writeForm } from "./multipart.ts"

// The joining side of RFC 6940 §11.2 and §11.3: configuration, certificate, then the fabric keys.

const NOBODY = new Uint8Array()

/** What a node needs to ask for admission. */
export interface EnrolmentPlan {
  readonly invite: Invite
  /** The invite as it was given: its text is the password. */
  readonly text: string
  /** The node's private key, PEM. */
  readonly key: string
  /** Undefined asks for all that the invite grants. */
  readonly roles: readonly Role[] | undefined
  /** Where the node stands: what may fail as one. */
  readonly place?: FailureDomain
  readonly cryptography: Cryptography
  readonly now: Instant
}

export interface Enrolled {
  /** The enrolment node that answered. */
  readonly address: Address
  /** DER. */
  readonly root: Uint8Array
  readonly identity: Identity
  readonly configuration: Configuration
  readonly document: string
  readonly fabricKeys: readonly FabricKey[]
  /** Leaf and root. */
  readonly fabricTls: TlsMaterial
}

/**
 * Joins through the first of the invite's addresses that proves to be of its overlay. Throws
 * MembershipError: what an enrolment node of the overlay refuses is final, all else is tried at
 * the next address.
 */
export async function enrol(plan: EnrolmentPlan): Promise<Enrolled> {
  return firstAnswering(plan.invite.addresses, (address) => enrolAt(address, plan))
}

/** A certificate for the SIPS port, DER, from the first of the enrolment nodes that answers. */
export async function requestPhoneCertificate(
  addresses: readonly Address[],
  trust: EnrolmentTrust,
  member: TlsMaterial,
  keyPem: string,
  { domain, addresses: hosts }: PhoneNames,
): Promise<Uint8Array> {
  const request = createSigningRequest(keyPem, [...new Set([domain, ...hosts])].map(hostName))
  return firstAnswering(addresses, async (address) => {
    const response = await exchange(address, trust, {
      method: "POST",
      path: ENROLMENT_PATHS.phoneCertificate,
      headers: { accept: CERTIFICATE_TYPE, "content-type": REQUEST_TYPE },
      body: request,
      client: member,
    })
    return accepted(response, address, trust.overlay).body
  })
}

/** What another enrolment node may do better; the first of them is what is told of several. */
const PASSING: readonly MembershipProblem[] = ["busy", "untrusted", "unreachable"]

/** Asks one enrolment node after the other; what an enrolment node of the overlay refuses is final. */
export async function firstAnswering<T>(
  addresses: readonly Address[],
  attempt: (address: Address) => Promise<T>,
): Promise<T> {
  const failures: MembershipError[] = []
  for (const address of addresses) {
    try {
      return await attempt(address)
    } catch (cause) {
      const passing = cause instanceof MembershipError && PASSING.includes(cause.problem)
      if (!passing) throw cause
      failures.push(cause)
    }
  }
  const worst = PASSING.flatMap((each) => failures.find(({ problem }) => problem === each) ?? [])[0]
  if (worst === undefined)
    throw new MembershipError("unreachable", "no address of an enrolment node is known")
  throw new MembershipError(worst.problem, failures.map(({ message }) => message).join("; "), {
    cause: worst,
  })
}

async function enrolAt(address: Address, plan: EnrolmentPlan): Promise<Enrolled> {
  const { invite, key, cryptography, now } = plan
  const trust = { ...invite, cryptography, now }
  const { configuration, document, root } = await fetchConfiguration(address, trust)
  const certificate = accepted(
    await exchange(address, trust, enrolRequest(plan)),
    address,
    invite.overlay,
  ).body
  const identity = readIdentity(key, certificate, cryptography, address)
  const problem = judgeCertificate(cryptography, identity.certificate, {
    overlay: invite.overlay,
    roots: configuration.rootCertificates,
    now,
    badNodes: configuration.badNodes,
  })
  if (problem !== undefined) throw untrusted(address, `it issued a certificate that does not fit: ${problem}`)
  const fabricTls = { certificate: pemOf(certificate) + pemOf(root), key }
  const fabricKeys = await fetchFabricKeys(address, trust, fabricTls)
  return { address, root, identity, configuration, document, fabricKeys, fabricTls }
}

/** The document that an enrolment node hands out, verified under the root that it proved to stand under. */
export async function fetchConfiguration(address: Address, trust: EnrolmentTrust) {
  const response = await exchange(address, trust, {
    method: "GET",
    path: ENROLMENT_PATHS.configuration,
    headers: { accept: CONFIGURATION_TYPE },
    body: NOBODY,
  })
  const document = fromUtf8(accepted(response, address, trust.overlay).body)
  if (document === undefined) throw untrusted(address, "its configuration is not UTF-8")
  try {
    const parsed = parseConfiguration(document, trust.overlay)
    const { configuration } = parsed
    const problem = verifyConfiguration(trust.cryptography, parsed, {
      overlay: trust.overlay,
      roots: [response.root],
      // A first document names its own signers; that it is genuine hangs on the invite's root.
      signers: configuration.configurationSigners,
      now: trust.now,
    })
    if (problem !== undefined) throw untrusted(address, problem)
    return { configuration, document, root: response.root }
  } catch (cause) {
    if (cause instanceof FormatError) throw untrusted(address, `its configuration: ${cause.message}`)
    throw cause
  }
}

function enrolRequest({ invite, text, key, roles, place }: EnrolmentPlan) {
  const form = writeForm([
    { name: "username", value: toUtf8(invite.id) },
    { name: "password", value: toUtf8(text.trim()) },
    { name: "csr", type: REQUEST_TYPE, value: createSigningRequest(key) },
    ...(roles === undefined ? [] : [{ name: "roles", value: toUtf8(roles.join(",")) }]),
    ...(place?.site === undefined ? [] : [{ name: "site", value: toUtf8(place.site) }]),
    ...(place?.rack === undefined ? [] : [{ name: "rack", value: toUtf8(place.rack) }]),
  ])
  return {
    method: "POST",
    path: ENROLMENT_PATHS.enrol,
    headers: { accept: CERTIFICATE_TYPE, "content-type": form.contentType },
    body: form.body,
  } as const
}

async function fetchFabricKeys(
  address: Address,
  trust: EnrolmentTrust,
  client: TlsMaterial,
): Promise<readonly FabricKey[]> {
  const response = await exchange(address, trust, {
    method: "POST",
    path: ENROLMENT_PATHS.fabricKeys,
    headers: { accept: "application/json" },
    body: NOBODY,
    client,
  })
  // A node whose roles need no fabric keys gets none.
  if (response.status === 403) return []
  const keys = parseFabricKeys(fromUtf8(accepted(response, address, trust.overlay).body) ?? "")
  if (keys === undefined) throw untrusted(address, "its fabric keys cannot be read")
  return keys
}

/** `{"keys":[{"epoch":1,"key":"base64url of 32 bytes"}]}`, as it is handed out and kept on disk. */
export function parseFabricKeys(text: string): readonly FabricKey[] | undefined {
  try {
    const { keys } = JSON.parse(text) as { readonly keys: readonly { epoch: unknown; key: unknown }[] }
    const read = keys.map(({ epoch, key }) => ({ epoch: Number(epoch), key: fromBase64(String(key)) }))
    const whole = read.filter((each): each is FabricKey => each.epoch >= 1 && each.key?.length === 32)
    return whole.length === read.length ? whole : undefined
  } catch {
    return undefined
  }
}

/** Our key with the certificate that an enrolment node issued for it. */
export function readIdentity(
  key: string,
  der: Uint8Array,
  cryptography: Cryptography,
  address?: Address,
): Identity {
  try {
    return loadIdentity(key, der, cryptography)
  } catch (cause) {
    if (cause instanceof FormatError) throw untrusted(address, cause.message)
    throw cause
  }
}

const REMEDIES: Readonly<Partial<Record<MembershipProblem, string>>> = {
  "invite-expired":
    "the invite has expired: make a new one with `carillon invite`, or compare the nodes' clocks",
  "invite-used-up": "the invite has been used as often as it allows: make a new one with `carillon invite`",
  "invite-refused":
    "it did not issue the invite, or not for these roles: make a new one with `carillon invite`",
  "invite-damaged": "the invite is cut short or changed: copy the whole line, or make a new one",
  "other-overlay": "the invite is for another overlay: make a new one on a node of this one",
}

/** The response, if it is 200; otherwise throws what the enrolment node has against us. */
export function accepted(response: HttpsResponse, address: Address, overlay: string): HttpsResponse {
  if (response.status === 200) return response
  if (response.status === 503) {
    const cause = fromUtf8(response.body) ?? "no cause"
    throw new MembershipError("busy", `${formatAddress(address)} cannot serve enrolment now: ${cause}`)
  }
  const problem = (response.headers[PROBLEM_HEADER] ?? "") as MembershipProblem
  const token = (fromUtf8(response.body) ?? "").slice(0, 64)
  const remedy = REMEDIES[problem]
  throw new MembershipError(
    remedy === undefined ? "invite-refused" : problem,
    `${formatAddress(address)} does not admit this node to ${overlay}: ` +
      (remedy ?? `it answers ${response.status} ${token}; look at that node's log and version`),
  )
}

const untrusted = (address: Address | undefined, reason: string): MembershipError =>
  new MembershipError(
    "untrusted",
    `${address === undefined ? "the enrolment node" : formatAddress(address)} cannot be trusted to enrol this node: ${reason}`,
  )
