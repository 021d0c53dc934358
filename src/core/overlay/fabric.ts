import type { Certificate, Cryptography, Identity } from "../identity/certificate.ts"
import type { NodeId } from "../identity/node-id.ts"
import { RememberingCryptography } from "../identity/remembering.ts"
import { judgeCertificate } from "../identity/trust.ts"
import { invariant } from "../kit/errors.ts"
import { LIMITS } from "../kit/limits.ts"
import { count, type LogEffect, log } from "../kit/log.ts"
import { after, type Duration, type Instant, minutes, seconds } from "../kit/time.ts"
import type { Configuration } from "../reload/configuration.ts"
import { parseResourceId, type ResourceId } from "../reload/header.ts"
import { overlayHash } from "../reload/message.ts"
import type { ChordUpdate } from "../reload/overlay-methods.ts"
import type { KindId } from "../reload/stored-data.ts"
import type { StorageChange } from "../storage/change.ts"
import { KindRegistry } from "../storage/kinds.ts"
import { Storage } from "../storage/storage.ts"
import { Chord } from "../topology/chord/chord.ts"
import type { Topology } from "../topology/topology.ts"
import { Durability, type Persisted } from "./durability.ts"
import type { OverlayEffect, OverlaySettings, Ticket } from "./interface.ts"
import { type Appointment, Schedule } from "./schedule.ts"

/** How long a certificate that was judged is not judged again: validity may end meanwhile. */
const JUDGEMENT_HOLDS = seconds(60)

/** After a revocation the responsible peers sign anew what the revoked node has written; by then they have. */
const RESIGNING_TAKES = minutes(1)

const NOWHERE = parseResourceId("0".repeat(32))

interface Judgement {
  readonly verdict: string | undefined
  readonly until: Instant
}

/** What all parts of one overlay machine share: the time, the effects, the settings, and the data. */
export class Fabric {
  readonly settings: OverlaySettings
  readonly self: NodeId
  readonly cryptography: Cryptography
  readonly #remembering: RememberingCryptography
  #identity: Identity
  #valueSigner: Identity
  #configuration: Configuration
  #document: string | undefined
  /** Until then values of nodes that have just been revoked are still read: they are being signed anew. */
  #lenientUntil = 0 as Instant
  #formerBadNodes: readonly NodeId[] = []
  readonly overlayHash: number
  readonly kinds: KindRegistry
  readonly storage: Storage
  readonly topology: Topology<ChordUpdate>
  readonly schedule = new Schedule()
  now = 0 as Instant
  startedAt = 0 as Instant
  /** We are a peer: part of the ring. */
  isPeer = false
  readonly #judgements = new Map<string, Judgement>()
  readonly #durability = new Durability({
    emit: (effect) => this.emit(effect),
    in: (wait, run) => this.in(wait, run),
    failed: (reason) => this.log("error", "overlay.persist-failed", { reason }),
    held: (resources) => this.storage.snapshotAt(resources),
  })
  #effects: OverlayEffect[] = []

  constructor(settings: OverlaySettings) {
    const { identity, configuration, random, fullMeshLimit } = settings
    this.settings = settings
    this.self = identity.nodeId
    this.#remembering = new RememberingCryptography(settings.cryptography)
    this.cryptography = this.#remembering
    this.#configuration = configuration
    this.#document = settings.document
    this.#identity = identity
    this.#valueSigner = this.#remembering.remembering(identity)
    this.overlayHash = overlayHash(this.cryptography, configuration.instanceName)
    this.kinds = new KindRegistry(settings.kinds)
    this.storage = new Storage({
      kinds: this.kinds,
      cryptography: this.cryptography,
      judge: (certificate, now) => this.judgeSigner(certificate, now),
    })
    this.topology = new Chord({ self: this.self, random, fullMeshLimit, ...configuration.chord })
  }

  /** Ours, for messages. */
  get identity(): Identity {
    return this.#identity
  }

  /** Ours, for values: what it signs need not be verified when it comes back as a copy. */
  get valueSigner(): Identity {
    return this.#valueSigner
  }

  /** From now on we sign under another certificate of the same node. */
  renew(identity: Identity): void {
    invariant(identity.nodeId === this.self, "a node keeps its Node-ID when its certificate is renewed")
    this.#identity = identity
    this.#valueSigner = this.#remembering.remembering(identity)
  }

  /** The one in force. */
  get configuration(): Configuration {
    return this.#configuration
  }

  /** The signed document of it; undefined where nobody gave us one. */
  get document(): string | undefined {
    return this.#document
  }

  /** Another configuration is in force from now on. */
  reconfigure(configuration: Configuration, document: string): void {
    this.#formerBadNodes = this.#configuration.badNodes
    this.#lenientUntil = after(this.now, RESIGNING_TAKES)
    this.#configuration = configuration
    this.#document = document
    this.#judgements.clear()
  }

  emit(effect: OverlayEffect): void {
    this.#effects.push(effect)
  }

  /** Hands over what has been emitted. */
  takeEffects(): readonly OverlayEffect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  log(level: LogEffect["level"], event: string, fields: LogEffect["fields"] = {}): void {
    this.emit(log(level, event, fields))
  }

  /** Something came that may not be heard. */
  refuse(cause: string): void {
    this.emit(count("reload_refused_total", { cause }))
  }

  in(wait: Duration, run: () => void): Appointment {
    return this.schedule.at(after(this.now, wait), run)
  }

  /** Why not to trust the certificate; undefined where it is one of ours. */
  judge(certificate: Certificate, at: Instant = this.now): string | undefined {
    const known = this.#judgements.get(certificate.fingerprint)
    if (known && at === this.now && this.now < known.until) return known.verdict
    const verdict = this.#judgeBy(certificate, at, this.#configuration.badNodes)
    if (at !== this.now) return verdict
    if (this.#judgements.size >= LIMITS.reload.judgedCertificates) this.#judgements.clear()
    this.#judgements.set(certificate.fingerprint, { verdict, until: after(this.now, JUDGEMENT_HOLDS) })
    return verdict
  }

  /** The same of who signed a stored value: `at` the time of reading. */
  judgeSigner(certificate: Certificate, at: Instant = this.now): string | undefined {
    const verdict = this.judge(certificate, at)
    if (verdict === undefined || this.now >= this.#lenientUntil) return verdict
    return this.#judgeBy(certificate, at, this.#formerBadNodes)
  }

  #judgeBy(certificate: Certificate, now: Instant, badNodes: readonly NodeId[]): string | undefined {
    const { instanceName, rootCertificates } = this.#configuration
    return judgeCertificate(this.cryptography, certificate, {
      overlay: instanceName,
      roots: rootCertificates,
      now,
      badNodes,
    })
  }

  /** The first Resource-ID, from that one on clockwise, at which we hold a value of that Kind; zero for none. §7.4.4. */
  nearest(from: ResourceId, kind: KindId): ResourceId {
    const onTheWay = [...this.storage.resources()].sort(
      (a, b) => Number(a < from) - Number(b < from) || (a < b ? -1 : 1),
    )
    const holds = (id: ResourceId) => this.storage.kindsAt(id, this.now).includes(kind)
    return onTheWay.find(holds) ?? NOWHERE
  }

  /** Makes it durable, then says so. What is nothing is durable at once. */
  persist(changes: readonly StorageChange[], done: Persisted): void {
    this.#durability.persist(changes, done)
  }

  /** Says so once everything is durable that is held now, or that the disk does not take it. */
  whenDurable(done: Persisted): void {
    this.#durability.whenDurable(done)
  }

  persisted(ticket: Ticket, failure: string | undefined): void {
    this.#durability.ended(ticket, failure)
  }

  get isPersisting(): boolean {
    return this.#durability.isBusy
  }
}
