import { randomBytes, X509Certificate } from "node:crypto"
import type { Cryptography, Identity } from "../../core/identity/certificate.ts"
import type { NodeId } from "../../core/identity/node-id.ts"
import { DEFAULT_ROLES, ENROLMENT, hasRole, isGrantable } from "../../core/identity/roles.ts"
import { judgeCertificate } from "../../core/identity/trust.ts"
import { type Address, formatAddress } from "../../core/kit/address.ts"
import { FormatError, invariant } from "../../core/kit/errors.ts"
import { parseAddress } from "../../core/kit/parse-address.ts"
import { after, type Duration, type Instant } from "../../core/kit/time.ts"
import type { Configuration } from "../../core/reload/configuration.ts"
import { writeConfiguration } from "../../core/reload/configuration-writer.ts"
import { type Authority, openAuthority, type PhoneNames, writeAuthority } from "../authority/authority.ts"
import { holdersOf } from "../authority/holders.ts"
import { sha256Hex } from "../crypto/cryptography.ts"
import { pemOf, ROOT_LIFE } from "../crypto/issuing.ts"
import { createSigningRequest } from "../crypto/signing-request.ts"
import { fetchConfiguration, firstAnswering, readIdentity } from "../enrolment/enrolment-client.ts"
import {
  createEnrolmentHandler,
  type EnrolmentHandler,
  type EnrolmentSettings,
} from "../enrolment/enrolment-server.ts"
import { encodeInvite, type FabricKey } from "../enrolment/invite.ts"
import {
  type MemberAsking,
  requestAuthority,
  requestRecords,
  requestRenewal,
  requestRevocation,
} from "../enrolment/member-requests.ts"
import type { RunningFabric } from "../enrolment/running-fabric.ts"
import { writePrivateFile } from "../kit/files.ts"
import type { TlsMaterial } from "../kit/interface.ts"
import { MembershipError } from "../kit/membership-error.ts"
import type { InviteOptions, Membership } from "./membership.ts"
import { type MembershipFiles, printEnrolment } from "./membership-files.ts"
import { phoneMaterial } from "./phone-certificate.ts"

/** RFC 6940 §6.3.2.1: 65535 is no sequence of a document. */
const SEQUENCES = 65_535
const MOST_USES = 100_000

/** What was read from the data directory. */
export interface MemberState {
  readonly configuration: Configuration
  readonly document: string
  readonly identity: Identity
  readonly fabricTls: TlsMaterial
  readonly fabricKeys: readonly FabricKey[]
  /** DER. */
  readonly root: Uint8Array
  readonly authority: Authority | undefined
  /** Where enrolment was served when this node last looked. */
  readonly addresses: readonly Address[]
}

/** A node's membership while it runs: what it is changes on disk first, then here, then in the fabric. */
export class Member implements Membership, EnrolmentSettings {
  readonly cryptography: Cryptography
  readonly clock: () => Instant
  readonly wantedHolders: number
  readonly enrolment: EnrolmentHandler
  readonly #files: MembershipFiles
  readonly #certificateLife: Duration
  #state: MemberState
  #fabric: RunningFabric | undefined

  constructor(
    files: MembershipFiles,
    state: MemberState,
    settings: {
      readonly cryptography: Cryptography
      readonly clock: () => Instant
      readonly certificateLife: Duration
      readonly wantedHolders: number
    },
  ) {
    this.#files = files
    this.#state = state
    this.cryptography = settings.cryptography
    this.clock = settings.clock
    this.#certificateLife = settings.certificateLife
    this.wantedHolders = settings.wantedHolders
    this.enrolment = createEnrolmentHandler(this)
  }

  get identity(): Identity {
    return this.#state.identity
  }

  get configuration(): Configuration {
    return this.#state.configuration
  }

  get document(): string {
    return this.#state.document
  }

  get fabricTls(): TlsMaterial {
    return this.#state.fabricTls
  }

  get fabricKeys(): readonly FabricKey[] {
    return this.#state.fabricKeys
  }

  get rootCertificates(): readonly Uint8Array[] {
    return this.#state.configuration.rootCertificates
  }

  /** When the CA's root ends, and with it all that it has issued. */
  get authorityExpires(): Instant {
    return new X509Certificate(this.#state.root).validToDate.getTime() as Instant
  }

  get authority(): Authority | undefined {
    return this.#state.authority
  }

  get isAuthority(): boolean {
    return this.#state.authority !== undefined
  }

  get fabric(): RunningFabric | undefined {
    return this.#fabric
  }

  attach(fabric: RunningFabric): void {
    this.#fabric = fabric
  }

  async phoneTls(names: PhoneNames): Promise<TlsMaterial> {
    const { authority, root } = this.#state
    return phoneMaterial(this.#files, names, { authority, root, ...this.#asking() })
  }

  async invite(options: InviteOptions): Promise<string> {
    const { fabricKeys, configuration, root, addresses } = this.#state
    const key = fabricKeys.at(-1)
    if (key === undefined)
      throw new FormatError("this node's roles have no fabric key, and so it cannot invite")
    const { roles = DEFAULT_ROLES, uses, expires } = options
    if (!(Number.isInteger(uses) && uses >= 1 && uses <= MOST_USES)) {
      throw new FormatError(`an invite cannot be for ${uses} uses: choose 1 to ${MOST_USES}`)
    }
    if (!(expires > 0)) throw new FormatError("an invite must last longer than no time at all")
    const unknown = roles.find((role) => !isGrantable(role))
    if (unknown !== undefined) throw new FormatError(`an invite cannot grant the role "${unknown}"`)
    const invite = {
      id: randomBytes(12).toString("base64url"),
      overlay: configuration.instanceName,
      addresses: options.addresses ?? distinct([...addresses, ...enrolmentServers(configuration)]),
      rootFingerprint: sha256Hex(root),
      roles,
      uses,
      expires: after(this.clock(), expires),
    }
    return encodeInvite(this.cryptography, invite, key)
  }

  async renew(): Promise<Identity> {
    const { authority, identity, fabricTls } = this.#state
    const { roles } = identity.certificate
    if (authority === undefined) return this.#take(await requestRenewal(this.#asking()))
    const request = createSigningRequest(fabricTls.key)
    const held = [...new Set([...roles, ENROLMENT])]
    return this.#take(await authority.renew(request, identity.nodeId, held, this.clock()))
  }

  async takeAuthority(): Promise<void> {
    const secrets = await requestAuthority(this.#asking())
    await writeAuthority(this.#files.authority, secrets)
    const authority = await openAuthority(
      this.#files.authority,
      this.configuration.instanceName,
      this.cryptography,
      this.#certificateLife,
    )
    this.#state = { ...this.#state, authority }
    await this.renew()
  }

  /**
   * A document that the fabric follows now. While the fabric was parted either half may have revoked nodes: where
   * the later document lacks what ours has, a node that holds the CA signs one with both, and that is taken instead.
   */
  async takeDocument(document: string, configuration: Configuration): Promise<void> {
    if (document === this.#state.document) return
    const { authority, configuration: ours } = this.#state
    const forgotten = ours.badNodes.filter((node) => !configuration.badNodes.includes(node))
    if (authority === undefined || forgotten.length === 0) return this.#keep(document, configuration)
    await this.#sign(authority, configuration, { badNodes: [...configuration.badNodes, ...forgotten] })
  }

  async #keep(document: string, configuration: Configuration): Promise<void> {
    await writePrivateFile(this.#files.configuration, document)
    this.#state = { ...this.#state, document, configuration }
  }

  /** Writes, signs and spreads another configuration document. Needs the CA. */
  async reissue(change: (before: Configuration) => Partial<Configuration>): Promise<void> {
    const { authority, configuration: before } = this.#state
    invariant(authority !== undefined, "only a node that holds the CA signs configurations")
    await this.#sign(authority, before, change(before))
  }

  async #sign(authority: Authority, before: Configuration, change: Partial<Configuration>): Promise<void> {
    const configuration: Configuration = {
      ...before,
      sequence: (before.sequence + 1) % SEQUENCES,
      expiration: after(this.clock(), ROOT_LIFE),
      ...change,
    }
    const document = writeConfiguration(configuration, authority.signer)
    await this.#keep(document, configuration)
    this.#fabric?.reconfigure(document)
  }

  async revoke(node: NodeId): Promise<void> {
    if (this.configuration.badNodes.includes(node)) return
    if (!this.isAuthority) return requestRevocation(this.#asking(), node)
    await this.reissue(({ badNodes }) => ({ badNodes: [...new Set([...badNodes, node])] }))
  }

  /** The document that the enrolment node at `address`, or the first that answers, hands out. */
  async fetchDocument(address?: Address) {
    const { trust, addresses } = this.#asking()
    return firstAnswering(address === undefined ? addresses : [address], (each) =>
      fetchConfiguration(each, trust),
    )
  }

  /** All that the node at that address holds. Needs the role enrolment. */
  fetchRecords(address: Address) {
    return requestRecords({ ...this.#asking(), addresses: [address] })
  }

  /** Where enrolment is served now, for the time when nobody is there to say so. */
  async rememberEnrolment(addresses: readonly Address[]): Promise<void> {
    const known = this.#state.addresses.map(formatAddress).join()
    if (addresses.length === 0 || addresses.map(formatAddress).join() === known) return
    await writePrivateFile(this.#files.enrolment, printEnrolment(addresses))
    this.#state = { ...this.#state, addresses }
  }

  #asking(): MemberAsking {
    const { configuration, root, fabricTls, addresses, identity } = this.#state
    const living = holdersOf(this.#fabric?.nodes() ?? [])
      .filter(({ self }) => !self)
      .flatMap(({ address }) => parseAddress(address) ?? [])
    return {
      addresses: distinct([...living, ...addresses, ...enrolmentServers(configuration)]),
      trust: {
        overlay: identity.certificate.overlay,
        rootFingerprint: sha256Hex(root),
        cryptography: this.cryptography,
        now: this.clock(),
      },
      member: fabricTls,
    }
  }

  async #take(certificate: Uint8Array): Promise<Identity> {
    const { fabricTls, root, configuration, identity } = this.#state
    const fresh = readIdentity(fabricTls.key, certificate, this.cryptography)
    const problem = judgeCertificate(this.cryptography, fresh.certificate, {
      overlay: configuration.instanceName,
      roots: configuration.rootCertificates,
      now: this.clock(),
      badNodes: configuration.badNodes,
    })
    if (problem !== undefined || fresh.nodeId !== identity.nodeId)
      throw new MembershipError(
        "untrusted",
        `enrolment renewed this node's certificate with one that does not fit: ${problem ?? "another Node-ID"}`,
      )
    const renewed = { certificate: pemOf(certificate) + pemOf(root), key: fabricTls.key }
    await writePrivateFile(this.#files.nodeCertificate, renewed.certificate)
    this.#state = { ...this.#state, identity: fresh, fabricTls: renewed }
    return fresh
  }

  /** Whether this node's certificate lacks the role that the CA gives it: a step that a crash has cut off. */
  get lacksRole(): boolean {
    return this.isAuthority && !hasRole(this.identity.certificate, ENROLMENT)
  }
}

/** `https://192.0.2.1:6084`: others are for clients with more patience than ours. */
export const enrolmentServers = (configuration: Configuration): readonly Address[] =>
  configuration.enrollmentServers
    .map((url) => parseAddress(url.replace(/^https:\/\//, "").replace(/\/$/, "")))
    .filter((each) => each !== undefined)

export const distinct = (addresses: readonly Address[]): readonly Address[] => [
  ...new Map(addresses.map((each) => [formatAddress(each), each])).values(),
]
