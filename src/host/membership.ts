import { randomBytes } from "node:crypto"
import type { Cryptography, Identity, Role } from "../core/identity/certificate.ts"
import { DEFAULT_ROLES, ENROLMENT, FABRIC_KEY_ROLES, hasRole, isGrantable } from "../core/identity/roles.ts"
import { type Address, formatAddress } from "../core/kit/address.ts"
import { CarillonError, FormatError, invariant } from "../core/kit/errors.ts"
import { ipBytes } from "../core/kit/ip.ts"
import { parseAddress } from "../core/kit/parse-address.ts"
import type { Duration, Instant } from "../core/kit/time.ts"
import type { Configuration } from "../core/reload/configuration.ts"
import { parseConfiguration } from "../core/reload/configuration-document.ts"
import { writeConfiguration } from "../core/reload/configuration-writer.ts"
import { createAuthority, openAuthority, type PhoneNames } from "./authority.ts"
import { loadIdentity, openSslCryptography, sha256Hex } from "./cryptography.ts"
import { enrol, parseFabricKeys } from "./enrolment-client.ts"
import { createEnrolmentHandler, type EnrolmentHandler } from "./enrolment-server.ts"
import { readIfPresent, writePrivateFile } from "./files.ts"
import { firstConfiguration } from "./first-configuration.ts"
import type { TlsMaterial } from "./interface.ts"
import { decodeInvite, encodeInvite, type FabricKey } from "./invite.ts"
import { dersOf, newKey, pemOf } from "./issuing.ts"
import { MembershipError } from "./membership-error.ts"
import {
  beginMembership,
  commitMembership,
  damaged,
  findMembership,
  type MembershipFiles,
  printEnrolment,
  printFabricKeys,
  readEnrolment,
  readRequired,
} from "./membership-files.ts"
import { phoneMaterial } from "./phone-certificate.ts"
import { createSigningRequest } from "./signing-request.ts"

export interface InviteOptions {
  /** Default: registrar, proxy, provisioner. */
  readonly roles?: readonly Role[]
  /** How many nodes may join with it. */
  readonly uses: number
  /** From now. */
  readonly expires: Duration
  /** Where enrolment is served. Default: where this node was enrolled, and what the configuration document says. */
  readonly addresses?: readonly Address[]
}

/** What makes this node one of its overlay. */
export interface Membership {
  readonly identity: Identity
  readonly cryptography: Cryptography
  readonly configuration: Configuration
  /** The signed configuration document. */
  readonly document: string
  /** The last one signs, all verify. */
  readonly fabricKeys: readonly FabricKey[]
  /** Node certificate with the root behind it. */
  readonly fabricTls: TlsMaterial
  /** DER. */
  readonly rootCertificates: readonly Uint8Array[]
  /** Whether this node holds the CA, and so enrols others. */
  readonly isAuthority: boolean
  /** Serves enrolment; undefined on a node that does not hold the CA. */
  readonly enrolment: EnrolmentHandler | undefined
  /**
   * For the SIPS port: the certificate on disk while it fits and is young enough, else a new one
   * from the CA. Throws MembershipError `unreachable` where there is none and no enrolment node answers.
   */
  phoneTls(names: PhoneNames): Promise<TlsMaterial>
  /** One line of text. Throws FormatError for options that no invite may have. */
  invite(options: InviteOptions): Promise<string>
}

/** What the operator says the data directory is of; whatever disagrees is refused. */
export interface Expectation {
  readonly domain?: string
  /** The text of an invite: it must be for the same overlay. It may have expired. */
  readonly invite?: string
}

export interface NewOverlay {
  readonly data: string
  /** Also the SIP domain and the realm: a host name or an IP address. */
  readonly domain: string
  /** RELOAD port as others reach it: bootstrap and enrolment. */
  readonly advertised: Address
  /** Roles of this node; `enrolment` is added. Default: registrar, proxy, provisioner. */
  readonly roles?: readonly Role[]
  readonly clock?: () => Instant
}

export interface Joining {
  readonly data: string
  readonly invite: string
  readonly advertised: Address
  /** Fewer than the invite grants; default: all of them. */
  readonly roles?: readonly Role[]
  readonly clock?: () => Instant
}

const systemClock = () => Date.now() as Instant

/** Names that certificates, URIs and the SIP domain can all hold. */
const DOMAIN = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i

/**
 * The membership that the data directory holds; undefined where it holds none yet. Throws
 * MembershipError where it is of another overlay than expected, of a newer layout, or not whole.
 */
export async function openMembership(
  data: string,
  expected: Expectation = {},
  clock: () => Instant = systemClock,
): Promise<Membership | undefined> {
  const files = await findMembership(data)
  if (files === undefined) return undefined
  const membership = await load(files, clock)
  const { sipDomain, instanceName } = membership.configuration
  if (expected.domain !== undefined && expected.domain.toLowerCase() !== sipDomain) {
    throw otherOverlay(data, instanceName, `the domain ${expected.domain}`)
  }
  if (expected.invite !== undefined) {
    const asLongAsItLasts = 0 as Instant
    const { overlay } = decodeInvite(membership.cryptography, expected.invite, asLongAsItLasts)
    if (overlay !== instanceName) throw otherOverlay(data, instanceName, `an invite to ${overlay}`)
  }
  return membership
}

/** Makes an overlay, with this node as its first and its CA. */
export async function createOverlay({ data, advertised, ...options }: NewOverlay): Promise<Membership> {
  await refuseMember(data)
  const { roles = DEFAULT_ROLES, clock = systemClock } = options
  const domain = options.domain.toLowerCase()
  if (!DOMAIN.test(domain) && ipBytes(domain) === undefined) {
    throw new FormatError(
      `"${options.domain}" is neither a host name nor an IP address: choose another --domain`,
    )
  }
  const cryptography = openSslCryptography()
  const now = clock()
  const files = await beginMembership(data)
  const authority = await createAuthority(files.authority, domain, cryptography, now)
  const key = newKey()
  const admitted = await authority.admit({
    request: createSigningRequest(key),
    roles: [...new Set([...roles, ENROLMENT])],
    now,
  })
  invariant(admitted.kind === "issued", "a new CA admits its own node")
  const configuration = firstConfiguration({ domain, advertised, authority, now })
  const fabricKeys = [{ epoch: 1, key: Uint8Array.from(randomBytes(32)) }]
  await writeMembership(files, {
    document: writeConfiguration(configuration, authority.signer),
    key,
    chain: pemOf(admitted.certificate) + pemOf(authority.rootCertificate),
    fabricKeys,
  })
  return load(await commitMembership(data, files), clock)
}

/**
 * Joins the invite's overlay by its enrolment nodes. Throws MembershipError. After a failure it can
 * be tried again with the same invite: this node's key is kept, and costs one use only.
 */
export async function joinOverlay({
  data,
  invite: text,
  advertised,
  roles,
  clock,
}: Joining): Promise<Membership> {
  await refuseMember(data)
  const cryptography = openSslCryptography()
  const now = (clock ?? systemClock)()
  const invite = decodeInvite(cryptography, text, now)
  const files = await beginMembership(data)
  const key = (await readIfPresent(files.nodeKey)) ?? newKey()
  await writePrivateFile(files.nodeKey, key)
  const enrolled = await enrol({ invite, text, key, roles, cryptography, now })
  const { document, configuration, fabricTls, fabricKeys, identity } = enrolled
  await writePrivateFile(files.enrolment, printEnrolment(enrolled.address))
  if (FABRIC_KEY_ROLES.some((role) => hasRole(identity.certificate, role))) {
    const names = { domain: configuration.sipDomain, addresses: [advertised.host] }
    await phoneMaterial(files, names, {
      authority: undefined,
      root: enrolled.root,
      member: fabricTls,
      addresses: [enrolled.address],
      trust: { ...invite, cryptography, now },
    })
  }
  await writeMembership(files, { document, key, chain: fabricTls.certificate, fabricKeys })
  return load(await commitMembership(data, files), clock ?? systemClock)
}

async function refuseMember(data: string): Promise<void> {
  const member = await findMembership(data)
  if (member === undefined) return
  const { configuration } = parseConfiguration(await readRequired(member.configuration))
  throw otherOverlay(data, configuration.instanceName, "a new membership")
}

const otherOverlay = (data: string, overlay: string, wanted: string): MembershipError =>
  new MembershipError(
    "other-overlay",
    `the data directory ${data} is of the overlay ${overlay}, and ${wanted} does not go with it: ` +
      "leave that option out, or use another --data",
  )

interface Written {
  readonly document: string
  readonly key: string
  readonly chain: string
  readonly fabricKeys: readonly FabricKey[]
}

async function writeMembership(
  files: MembershipFiles,
  { document, key, chain, fabricKeys }: Written,
): Promise<void> {
  await writePrivateFile(files.nodeKey, key)
  await writePrivateFile(files.nodeCertificate, chain)
  await writePrivateFile(files.fabricKeys, printFabricKeys(fabricKeys))
  await writePrivateFile(files.configuration, document)
}

async function load(files: MembershipFiles, clock: () => Instant): Promise<Membership> {
  try {
    return await read(files, clock)
  } catch (cause) {
    if (cause instanceof MembershipError || !(cause instanceof CarillonError)) throw cause
    throw damaged(files.directory, cause.message, cause)
  }
}

async function read(files: MembershipFiles, clock: () => Instant): Promise<Membership> {
  const cryptography = openSslCryptography()
  const document = await readRequired(files.configuration)
  const { configuration } = parseConfiguration(document)
  const fabricTls = {
    certificate: await readRequired(files.nodeCertificate),
    key: await readRequired(files.nodeKey),
  }
  const [leaf, root] = dersOf(fabricTls.certificate)
  if (leaf === undefined || root === undefined) throw damaged(files.nodeCertificate, "it lacks a certificate")
  const fabricKeys = parseFabricKeys(await readRequired(files.fabricKeys))
  if (fabricKeys === undefined) throw damaged(files.fabricKeys, "its keys cannot be read")
  const overlay = configuration.instanceName
  const authority = await openAuthority(files.authority, overlay, cryptography)
  const identity = loadIdentity(fabricTls.key, leaf, cryptography)
  const rootFingerprint = sha256Hex(root)
  const addresses = distinct([...(await readEnrolment(files.enrolment)), ...enrolmentServers(configuration)])
  return {
    identity,
    cryptography,
    configuration,
    document,
    fabricKeys,
    fabricTls,
    rootCertificates: configuration.rootCertificates,
    isAuthority: authority !== undefined,
    enrolment:
      authority &&
      createEnrolmentHandler({ authority, cryptography, configuration, document, fabricKeys, clock }),
    phoneTls: (names) =>
      phoneMaterial(files, names, {
        authority,
        root,
        member: fabricTls,
        addresses,
        trust: { overlay, rootFingerprint, cryptography, now: clock() },
      }),
    invite: async (options) =>
      makeInvite(
        { addresses, ...options },
        { overlay, cryptography, fabricKeys, rootFingerprint, now: clock() },
      ),
  }
}

const MOST_USES = 100_000

function makeInvite(
  {
    roles = DEFAULT_ROLES,
    uses,
    expires,
    addresses,
  }: Required<Pick<InviteOptions, "addresses">> & InviteOptions,
  from: {
    readonly overlay: string
    readonly cryptography: Cryptography
    readonly fabricKeys: readonly FabricKey[]
    readonly rootFingerprint: string
    readonly now: Instant
  },
): string {
  const key = from.fabricKeys.at(-1)
  if (key === undefined)
    throw new FormatError("this node's roles have no fabric key, and so it cannot invite")
  if (!(Number.isInteger(uses) && uses >= 1 && uses <= MOST_USES)) {
    throw new FormatError(`an invite cannot be for ${uses} uses: choose 1 to ${MOST_USES}`)
  }
  if (!(expires > 0)) throw new FormatError("an invite must last longer than no time at all")
  const unknown = roles.find((role) => !isGrantable(role))
  if (unknown !== undefined) throw new FormatError(`an invite cannot grant the role "${unknown}"`)
  const invite = {
    id: randomBytes(12).toString("base64url"),
    overlay: from.overlay,
    addresses,
    rootFingerprint: from.rootFingerprint,
    roles,
    uses,
    expires: (from.now + expires) as Instant,
  }
  return encodeInvite(from.cryptography, invite, key)
}

/** `https://192.0.2.1:6084`: others are for clients with more patience than ours. */
const enrolmentServers = (configuration: Configuration): readonly Address[] =>
  configuration.enrollmentServers
    .map((url) => parseAddress(url.replace(/^https:\/\//, "").replace(/\/$/, "")))
    .filter((each) => each !== undefined)

const distinct = (addresses: readonly Address[]): readonly Address[] => [
  ...new Map(addresses.map((each) => [formatAddress(each), each])).values(),
]
