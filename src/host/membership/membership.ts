import { randomBytes } from "node:crypto"
import { setTimeout as wait } from "node:timers/promises"
import type { Cryptography, Identity, Role } from "../../core/identity/certificate.ts"
import type { NodeId } from "../../core/identity/node-id.ts"
import {
  DEFAULT_ROLES,
  ENROLMENT,
  FABRIC_KEY_ROLES,
  type FailureDomain,
  hasRole,
  rolesOfDomain,
} from "../../core/identity/roles.ts"
import type { Address } from "../../core/kit/address.ts"
import { CarillonError, FormatError, invariant } from "../../core/kit/errors.ts"
import { ipBytes } from "../../core/kit/ip.ts"
import { type Duration, type Instant, minutes, seconds } from "../../core/kit/time.ts"
import type { Configuration } from "../../core/reload/configuration.ts"
import { parseConfiguration } from "../../core/reload/configuration-document.ts"
import { writeConfiguration } from "../../core/reload/configuration-writer.ts"
import { createAuthority, openAuthority, type PhoneNames } from "../authority/authority.ts"
import { firstConfiguration } from "../authority/first-configuration.ts"
import { WANTED_HOLDERS } from "../authority/holders.ts"
import { loadIdentity, openSslCryptography } from "../crypto/cryptography.ts"
import { dersOf, NODE_LIFE, newKey, pemOf } from "../crypto/issuing.ts"
import { createSigningRequest } from "../crypto/signing-request.ts"
import { enrol, parseFabricKeys } from "../enrolment/enrolment-client.ts"
import type { EnrolmentHandler } from "../enrolment/enrolment-server.ts"
import { decodeInvite, type FabricKey } from "../enrolment/invite.ts"
import type { RunningFabric } from "../enrolment/running-fabric.ts"
import { readIfPresent, writePrivateFile } from "../kit/files.ts"
import type { TlsMaterial } from "../kit/interface.ts"
import { MembershipError } from "../kit/membership-error.ts"
import { Member } from "./member.ts"
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

/** What makes this node one of its overlay. It changes while the node runs: certificates are renewed, the CA comes. */
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
  /** Serves enrolment, as far as this node can: without the CA it admits nobody. */
  readonly enrolment: EnrolmentHandler
  /**
   * For the SIPS port: the certificate on disk while it fits and is young enough, else a new one
   * from the CA. Throws MembershipError `unreachable` where there is none and no enrolment node answers.
   */
  phoneTls(names: PhoneNames): Promise<TlsMaterial>
  /** One line of text. Throws FormatError for options that no invite may have. */
  invite(options: InviteOptions): Promise<string>
  /** The node runs: from now on uses of invites are counted in the fabric. */
  attach(fabric: RunningFabric): void
  /** Gets this node another certificate, which is on disk when it comes. Throws MembershipError. */
  renew(): Promise<Identity>
  /** Gets the CA from an enrolment node, and a certificate with the role. Throws MembershipError. */
  takeAuthority(): Promise<void>
  /** Keeps a configuration document that has taken effect. */
  takeDocument(document: string, configuration: Configuration): Promise<void>
  /** Takes a node's certificate back, for all nodes: here, or by an enrolment node. Throws MembershipError. */
  revoke(node: NodeId): Promise<void>
}

/** What the operator says the data directory is of; whatever disagrees is refused. */
export interface Expectation {
  readonly domain?: string
  /** The text of an invite: it must be for the same overlay. It may have expired. */
  readonly invite?: string
}

/** How a member behaves, whatever its data directory says. */
export interface MemberSettings {
  readonly clock?: () => Instant
  /** How long certificates last that this node issues, where it holds the CA. Default: 90 days. */
  readonly certificateLife?: Duration
  /** How many nodes are to hold the CA. Default: 3. */
  readonly wantedHolders?: number
}

export interface NewOverlay extends MemberSettings {
  readonly data: string
  /** Also the SIP domain and the realm: a host name or an IP address. */
  readonly domain: string
  /** RELOAD port as others reach it: bootstrap and enrolment. */
  readonly advertised: Address
  /** Roles of this node; `enrolment` is added. Default: registrar, proxy, provisioner. */
  readonly roles?: readonly Role[]
  readonly place?: FailureDomain
}

export interface Joining extends MemberSettings {
  readonly data: string
  readonly invite: string
  readonly advertised: Address
  /** Fewer than the invite grants; default: all of them. */
  readonly roles?: readonly Role[]
  readonly place?: FailureDomain
  /** It takes longer: a sentence on why, each time that is found out anew. */
  readonly waiting?: (cause: string) => void
}

/** Where nodes die while another joins, the fabric may need a minute to know again what it holds (decision 15). */
const PATIENCE = minutes(2)
const ASK_AGAIN = seconds(1)

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
  settings: MemberSettings = {},
): Promise<Member | undefined> {
  const files = await findMembership(data)
  if (files === undefined) return undefined
  const membership = await load(files, settings)
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
export async function createOverlay({ data, advertised, ...options }: NewOverlay): Promise<Member> {
  await refuseMember(data)
  const { roles = DEFAULT_ROLES, place, clock = systemClock } = options
  const domain = options.domain.toLowerCase()
  if (!DOMAIN.test(domain) && ipBytes(domain) === undefined) {
    throw new FormatError(
      `"${options.domain}" is neither a host name nor an IP address: choose another --domain`,
    )
  }
  const cryptography = openSslCryptography()
  const now = clock()
  const files = await beginMembership(data)
  const authority = await createAuthority(files.authority, domain, cryptography, now, options.certificateLife)
  const key = newKey()
  const admitted = await authority.admit({
    request: createSigningRequest(key),
    roles: [...new Set([...roles, ENROLMENT]), ...(place === undefined ? [] : rolesOfDomain(place))],
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
  return load(await commitMembership(data, files), options)
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
  place,
  waiting,
  ...settings
}: Joining): Promise<Member> {
  await refuseMember(data)
  const cryptography = openSslCryptography()
  const clock = settings.clock ?? systemClock
  const invite = decodeInvite(cryptography, text, clock())
  const files = await beginMembership(data)
  const key = (await readIfPresent(files.nodeKey)) ?? newKey()
  await writePrivateFile(files.nodeKey, key)
  // With the same key: whoever asks again costs no further use.
  const enrolled = await patiently(
    () => enrol({ invite, text, key, roles, cryptography, now: clock(), ...(place && { place }) }),
    waiting,
  )
  const { document, configuration, fabricTls, fabricKeys, identity } = enrolled
  await writePrivateFile(files.enrolment, printEnrolment([enrolled.address]))
  if (FABRIC_KEY_ROLES.some((role) => hasRole(identity.certificate, role))) {
    const names = { domain: configuration.sipDomain, addresses: [advertised.host] }
    await phoneMaterial(files, names, {
      authority: undefined,
      root: enrolled.root,
      member: fabricTls,
      addresses: [enrolled.address],
      trust: { ...invite, cryptography, now: clock() },
    })
  }
  await writeMembership(files, { document, key, chain: fabricTls.certificate, fabricKeys })
  return load(await commitMembership(data, files), settings)
}

/** Tries again while enrolment nodes are there that cannot do it yet. */
async function patiently<T>(attempt: () => Promise<T>, waiting: Joining["waiting"]): Promise<T> {
  const start = performance.now()
  let told = ""
  for (;;) {
    try {
      return await attempt()
    } catch (cause) {
      const isPassing = cause instanceof MembershipError && cause.problem === "busy"
      if (!isPassing || performance.now() - start > PATIENCE) throw cause
      if (cause.message !== told) waiting?.(cause.message)
      told = cause.message
      await wait(ASK_AGAIN)
    }
  }
}

/** Throws MembershipError where the directory is that of a member already. */
export async function refuseMember(data: string): Promise<void> {
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

/** Into the files of a membership that is being made. */
export async function writeMembership(
  files: MembershipFiles,
  { document, key, chain, fabricKeys }: Written,
): Promise<void> {
  await writePrivateFile(files.nodeKey, key)
  await writePrivateFile(files.nodeCertificate, chain)
  await writePrivateFile(files.fabricKeys, printFabricKeys(fabricKeys))
  await writePrivateFile(files.configuration, document)
}

type Opening = Required<MemberSettings>

async function load(
  files: MembershipFiles,
  { clock = systemClock, certificateLife = NODE_LIFE, wantedHolders = WANTED_HOLDERS }: MemberSettings,
): Promise<Member> {
  try {
    return await read(files, { clock, certificateLife, wantedHolders })
  } catch (cause) {
    if (cause instanceof MembershipError || !(cause instanceof CarillonError)) throw cause
    throw damaged(files.directory, cause.message, cause)
  }
}

async function read(
  files: MembershipFiles,
  { clock, certificateLife, wantedHolders }: Opening,
): Promise<Member> {
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
  const authority = await openAuthority(files.authority, overlay, cryptography, certificateLife)
  const identity = loadIdentity(fabricTls.key, leaf, cryptography)
  const addresses = await readEnrolment(files.enrolment)
  return new Member(
    files,
    { configuration, document, identity, fabricTls, fabricKeys, root, authority, addresses },
    { cryptography, clock, certificateLife, wantedHolders },
  )
}
