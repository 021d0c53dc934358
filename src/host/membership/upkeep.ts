import { ENROLMENT } from "../../core/identity/roles.ts"
import { type Address, formatAddress } from "../../core/kit/address.ts"
import { CarillonError } from "../../core/kit/errors.ts"
import { type LogEffect, log } from "../../core/kit/log.ts"
import { parseAddress } from "../../core/kit/parse-address.ts"
import { after, type Duration, type Instant, minutes, seconds } from "../../core/kit/time.ts"
import { isOlder } from "../../core/reload/header.ts"
import type { PhoneNames } from "../authority/authority.ts"
import { asksForAuthorityAt, holdersOf, isShortOfHolders, leadOf } from "../authority/holders.ts"
import { ROOT_LIFE } from "../crypto/issuing.ts"
import type { RunningFabric } from "../enrolment/running-fabric.ts"
import type { NodeHost, TlsMaterial } from "../kit/interface.ts"
import { enrolmentServers, type Member } from "./member.ts"
import { isYoung } from "./phone-certificate.ts"

/** How often a node looks after what ages. */
const ROUND = seconds(5)
/** Something that failed is tried again after so long, or a twentieth of a certificate's life where that is less. */
const AGAIN = minutes(1)
/** How often enrolment nodes compare their documents: two halves of a fabric may each have signed one. */
const COMPARISON = minutes(1)
/** A holder that is away stays listed for so long. */
const LISTED_FOR = minutes(10)

export interface UpkeepSettings {
  readonly member: Member
  readonly fabric: RunningFabric
  readonly host: Pick<NodeHost, "renewIdentity" | "renewPhoneTls">
  /** Names on the certificate for phones, and the one in use; undefined where the operator brings one. */
  readonly phones: { readonly names: PhoneNames; readonly material: TlsMaterial } | undefined
  readonly clock: () => Instant
  readonly log: (event: LogEffect) => void
}

/**
 * What keeps a node fit to run for years: its certificates are renewed in time, the CA is held by enough nodes,
 * the configuration document is renewed and lists where enrolment is served.
 */
export class Upkeep {
  readonly #settings: UpkeepSettings
  #phoneMaterial: TlsMaterial | undefined
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> = Promise.resolve()
  #isStopped = false
  /** When what failed may be tried again. */
  readonly #notBefore = new Map<string, Instant>()
  #shortSince: Instant | undefined
  /** When each enrolment node, by address, was last seen alive. */
  readonly #seen = new Map<string, Instant>()
  #comparedAt: Instant | undefined

  constructor(settings: UpkeepSettings) {
    this.#settings = settings
    this.#phoneMaterial = settings.phones?.material
  }

  start(): void {
    const go = async () => {
      await this.round()
      if (!this.#isStopped) this.#timer = setTimeout(start, ROUND)
    }
    const start = () => {
      this.#round = go()
    }
    start()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#round
  }

  /** Looks after everything once. Never rejects for what others do or fail to do. */
  async round(): Promise<void> {
    await this.#step("node-certificate", () => this.#renewNode())
    await this.#step("phone-certificate", () => this.#renewPhones())
    await this.#step("authority", () => this.#takeAuthority())
    await this.#step("configuration", () => this.#lead())
    await this.#step("addresses", () => this.#remember())
  }

  async #step(name: string, work: () => Promise<void>): Promise<void> {
    const { clock, member } = this.#settings
    if (this.#isStopped || clock() < (this.#notBefore.get(name) ?? 0)) return
    try {
      await work()
    } catch (cause) {
      const isExpected = cause instanceof CarillonError || (cause as NodeJS.ErrnoException).code !== undefined
      if (!isExpected) throw cause
      const { notBefore, notAfter } = member.identity.certificate
      const wait = Math.min(AGAIN, (notAfter - notBefore) / 20) as Duration
      this.#notBefore.set(name, after(clock(), wait))
      this.#settings.log(log("warn", "upkeep.failed", { what: name, cause: (cause as Error).message }))
    }
  }

  async #renewNode(): Promise<void> {
    const { member, clock } = this.#settings
    if (isYoung(member.fabricTls, clock()) && !member.lacksRole) return
    await member.renew()
    this.#showNode()
  }

  #showNode(): void {
    const { member, host } = this.#settings
    const { identity, fabricTls } = member
    host.renewIdentity(identity, fabricTls)
    const until = new Date(identity.certificate.notAfter).toISOString()
    this.#settings.log(log("info", "upkeep.certificate-renewed", { until }))
  }

  async #renewPhones(): Promise<void> {
    const { phones, member, clock, host } = this.#settings
    if (phones === undefined || this.#phoneMaterial === undefined) return
    if (isYoung(this.#phoneMaterial, clock())) return
    const fresh = await member.phoneTls(phones.names)
    if (fresh.certificate === this.#phoneMaterial.certificate)
      throw new NotRenewed("no enrolment node answers: phones see the old certificate on")
    this.#phoneMaterial = fresh
    host.renewPhoneTls(fresh)
    this.#settings.log(log("info", "upkeep.phone-certificate-renewed", {}))
  }

  async #takeAuthority(): Promise<void> {
    const { member, fabric, clock } = this.#settings
    const now = clock()
    const nodes = fabric.nodes()
    const { wantedHolders: wanted } = member
    this.#shortSince = isShortOfHolders({ nodes, wanted }) ? (this.#shortSince ?? now) : undefined
    const listed = member.configuration.enrollmentServers.length
    const at = asksForAuthorityAt({ nodes, listed, wanted, shortSince: this.#shortSince })
    if (at === undefined || now < at || member.isAuthority) return
    await member.takeAuthority()
    this.#settings.log(log("info", "upkeep.authority-taken", { holders: holdersOf(nodes).length + 1 }))
    this.#showNode()
  }

  /** Every node takes in what is newer; one of the enrolment nodes signs what has to be new. */
  async #lead(): Promise<void> {
    await this.#compare()
    const { member, fabric, clock } = this.#settings
    if (!member.isAuthority || leadOf(fabric.nodes())?.self !== true) return
    const listed = this.#toList()
    const current = member.configuration.enrollmentServers
    const isOld = member.configuration.expiration - clock() < ROOT_LIFE / 3
    const isMissing = listed.length !== current.length || listed.some((each) => !current.includes(each))
    if (!isOld && !isMissing) return
    await member.reissue(() => ({
      enrollmentServers: listed,
      bootstrapNodes: listed.flatMap((url) => parseAddress(url.slice("https://".length)) ?? []),
    }))
    this.#settings.log(log("info", "upkeep.configuration-renewed", { enrolment: listed.join(" ") }))
  }

  /** Enrolment nodes that live, and those that are away for a short while. */
  #toList(): readonly string[] {
    const { member, fabric, clock } = this.#settings
    const now = clock()
    for (const { address } of holdersOf(fabric.nodes()))
      if (parseAddress(address) !== undefined) this.#seen.set(`https://${address}`, now)
    for (const url of member.configuration.enrollmentServers)
      if (!this.#seen.has(url)) this.#seen.set(url, now)
    for (const [url, seen] of this.#seen) if (now > after(seen, LISTED_FOR)) this.#seen.delete(url)
    const others = this.#replaced()
    return [...this.#seen.keys()].filter((url) => !others.has(url)).sort()
  }

  /** A node that is alone, of a document that lists others only, was restored: those are not coming back. */
  #replaced(): ReadonlySet<string> {
    const { member, fabric } = this.#settings
    const living = holdersOf(fabric.nodes()).map(({ address }) => `https://${address}`)
    const isRestored = !member.configuration.enrollmentServers.some((url) => living.includes(url))
    return new Set(isRestored ? member.configuration.enrollmentServers : [])
  }

  async #compare(): Promise<void> {
    const now = this.#settings.clock()
    if (this.#comparedAt !== undefined && now < after(this.#comparedAt, COMPARISON)) return
    this.#comparedAt = now
    for (const address of this.#othersToAsk()) await this.#compareWith(address)
  }

  /** An enrolment node asks all others, any other node the first that answers. */
  #othersToAsk(): readonly (Address | undefined)[] {
    const { member, fabric } = this.#settings
    const others = holdersOf(fabric.nodes()).filter(({ self }) => !self)
    if (!member.isAuthority) return enrolmentServers(member.configuration).length > 0 ? [undefined] : []
    return others.flatMap(({ address }) => parseAddress(address) ?? [])
  }

  async #compareWith(address: Address | undefined): Promise<void> {
    const { member, fabric } = this.#settings
    const { configuration: theirs, document } = await member.fetchDocument(address)
    const ours = member.configuration
    if (isOlder(ours.sequence, theirs.sequence)) return fabric.reconfigure(document)
    const isLead = member.isAuthority && leadOf(fabric.nodes())?.self === true
    if (theirs.sequence !== ours.sequence || document === member.document || !isLead) return
    // Two have signed at the same time, or while the fabric was parted: what either revoked stays revoked.
    await member.reissue(({ badNodes }) => ({ badNodes: [...new Set([...badNodes, ...theirs.badNodes])] }))
    this.#settings.log(log("info", "upkeep.configurations-merged", { sequence: ours.sequence }))
  }

  async #remember(): Promise<void> {
    const { member, fabric } = this.#settings
    const living = holdersOf(fabric.nodes()).filter(({ self, roles }) => !self && roles.includes(ENROLMENT))
    const addresses = living.flatMap(({ address }) => parseAddress(address) ?? [])
    await member.rememberEnrolment(
      [...addresses].sort((a, b) => (formatAddress(a) < formatAddress(b) ? -1 : 1)),
    )
  }
}

class NotRenewed extends CarillonError {
  readonly code = "host.not-renewed"
}
