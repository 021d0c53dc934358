import type { Certificate, Cryptography } from "../identity/certificate.ts"
import { FormatError } from "../kit/errors.ts"
import { LIMITS } from "../kit/limits.ts"
import { NOTHING } from "../kit/machine.ts"
import type { Instant } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import { findSigner } from "../reload/signing.ts"
import {
  type FetchKindResponse,
  type FetchReq,
  type KindId,
  type StoredData,
  type StoredDataSpecifier,
  type StoreKindData,
  type StoreReq,
  storedData,
} from "../reload/stored-data.ts"
import { decodeViews } from "../wire/codec.ts"
import { DecodeError } from "../wire/decode-error.ts"
import type { StorageChange } from "./change.ts"
import { HeldCertificates } from "./held-certificates.ts"
import { type HeldValue, holdValue, wireAt } from "./held-value.ts"
import type { KindDefinition } from "./kind.ts"
import { type KindRecord, livingValues, valueIn } from "./kind-record.ts"
import type { KindRegistry } from "./kinds.ts"
import {
  type FetchOutcome,
  type RecordCopy,
  refusal,
  type StatOutcome,
  type StorageRefusal,
  type StoreOutcome,
} from "./outcome.ts"
import { type HeldPlace, RecordTable } from "./record-table.ts"
import { fetchValues, statValues } from "./selection.ts"
import { type KindPlan, planStore, type StoreContext, unknownKinds } from "./store-plan.ts"

export interface StorageSettings {
  readonly kinds: KindRegistry
  /** A RememberingCryptography saves most of the work. */
  readonly cryptography: Cryptography
  /** Why a signer of values is not to be trusted now; undefined where it is. `judgeCertificate`, bound. */
  readonly judge: (certificate: Certificate, now: Instant) => string | undefined
}

/** A value's place, and whose certificate verifies it. */
export interface HeldSignature {
  readonly resource: ResourceId
  readonly definition: KindDefinition
  readonly slot: string
  readonly signer: string
}

/** What is held of one Kind at one place. */
export interface LivingValues {
  /** The same number as before: nothing has changed since. Undefined where it should be read each time. */
  readonly stamp: number | undefined
  /** Now, before anything changes. */
  readonly read: () => readonly HeldValue[]
}

/**
 * What this peer holds of the fabric's records, in memory. RFC 6940 §7.
 *
 * It answers at once and asks nobody. What has to be on disk it says in StorageChanges; those of one
 * call are all or nothing.
 */
export class Storage {
  readonly #settings: StorageSettings
  readonly #table = new RecordTable()
  readonly #certificates = new HeldCertificates()

  constructor(settings: StorageSettings) {
    this.#settings = settings
  }

  /** When `expire` has something to do. */
  get deadline(): Instant {
    return this.#table.deadline
  }

  /** Removals included. */
  get heldValues(): number {
    return this.#table.values
  }

  get heldResources(): number {
    return this.#table.size
  }

  resources(): Iterable<ResourceId> {
    return this.#table.resources()
  }

  /** Values held at a Resource-ID, removals included. */
  valuesAt(resource: ResourceId): number {
    return this.#table.records(resource).reduce((sum, { size }) => sum + size, 0)
  }

  /**
   * Loads what is on disk, once, into an empty storage. Passes over what is of no use any more: values
   * of Kinds that are gone, or without their certificate, which the next repair fetches anew.
   */
  restore(changes: readonly StorageChange[]): void {
    const certificates = new Map<string, Certificate>()
    for (const change of changes) {
      const certificate = change.kind === "certificate" ? this.#readCertificate(change.der) : undefined
      if (certificate) certificates.set(certificate.fingerprint, certificate)
    }
    for (const change of changes) {
      if (change.kind === "put") this.#restoreValue(change, certificates)
      if (change.kind === "delete") this.#remove(change)
    }
    this.#certificates.takeForgotten()
  }

  /** All that is held, as `restore` takes it: certificates first. */
  snapshot(): readonly StorageChange[] {
    return [...this.#certificates.all(), ...this.#puts(this.#table.resources())]
  }

  /** What is held at those places alone, with the certificates that verify it. */
  snapshotAt(resources: readonly ResourceId[]): readonly StorageChange[] {
    const puts = this.#puts(resources)
    const records = resources.flatMap((resource) => this.#table.records(resource))
    const signers = new Set(records.flatMap(({ values }) => values().map(({ signer }) => signer)))
    const certificates = Array.from(signers, (signer) => {
      const { fingerprint, der } = this.#certificates.get(signer)
      return { kind: "certificate", fingerprint, der } as const
    })
    return [...certificates, ...puts]
  }

  #puts(resources: Iterable<ResourceId>): readonly StorageChange[] {
    return [...resources].flatMap((resource) =>
      this.#table.records(resource).flatMap(({ definition, generation, values }) =>
        values().map(({ slot, wire: value, storedAt }) => {
          const place = { resource, kindId: definition.id, slot, generation }
          return { kind: "put", ...place, value, storedAt } as const
        }),
      ),
    )
  }

  /** Whose certificates verify what is held. */
  signers(): readonly Certificate[] {
    return this.#certificates.certificates()
  }

  /** Where values are held that one of these certificates verifies, by fingerprint. Looks at all of them. */
  signedBy(fingerprints: ReadonlySet<string>): readonly HeldSignature[] {
    return [...this.#table.resources()].flatMap((resource) =>
      this.#table.records(resource).flatMap(({ definition, values }) =>
        values()
          .filter(({ signer }) => fingerprints.has(signer))
          .map(({ slot, signer }) => ({ resource, definition, slot, signer })),
      ),
    )
  }

  /** The values of a record that have not expired, removals included. */
  living(resource: ResourceId, kind: KindId, now: Instant): LivingValues {
    const stamp = this.#table.stamp(resource, kind, now)
    return { stamp, read: () => livingValues(this.#table.record(resource, kind), now) }
  }

  heldAt(resource: ResourceId, kind: KindId, slot: string): HeldValue | undefined {
    return this.#table.record(resource, kind)?.get(slot)
  }

  /** RFC 6940 §7.4.1: all of it, or nothing. */
  store(request: StoreReq, context: StoreContext): StoreOutcome {
    const record = this.#table.record.bind(this.#table)
    const plans = planStore({ ...this.#settings, record }, request, context)
    if ("error" in plans) return plans
    const added = plans.reduce((sum, { placed }) => sum + placed.size, 0)
    if (this.#table.values + added > LIMITS.reload.storedValues)
      return refusal("Error_Data_Too_Large", `this peer holds ${this.#table.values} values and has no room`)
    const { resource } = request
    const changes = plans.flatMap((plan) => this.#carryOut(resource, plan, context))
    const kinds = plans.map((plan) => this.#copyOfPlan(resource, plan, context.now))
    return {
      kind: "accepted",
      response: kinds.map(({ kind, generation }) => ({ kind, generation, replicas: [] })),
      changes: [...changes, ...this.#certificates.takeForgotten()],
      copy: { resource, kinds: kinds.filter(({ values }) => values.length > 0) },
    }
  }

  /** RFC 6940 §7.4.2. Removals that have not expired are told like any value. */
  fetch(request: FetchReq, now: Instant): FetchOutcome {
    const kinds = this.#answer(request, (definition, record, specifier) =>
      fetchValues(definition, record, specifier, now),
    )
    return "error" in kinds ? kinds : { kind: "found", answer: { kinds } }
  }

  /** RFC 6940 §7.4.3. */
  stat(request: FetchReq, now: Instant): StatOutcome {
    const kinds = this.#answer(request, (definition, record, specifier) =>
      statValues(definition, record, specifier, now, this.#settings.cryptography),
    )
    return "error" in kinds ? kinds : { kind: "found", answer: { kinds } }
  }

  /** DER of every certificate that verifies a value held there: for the security block that goes along. */
  certificatesFor(resource: ResourceId): readonly Uint8Array[] {
    return [...this.signersOf(resource).values()].map(({ der }) => der)
  }

  /** The same certificates as they were read once, by their fingerprints. */
  signersOf(resource: ResourceId): ReadonlyMap<string, Certificate> {
    const signers = new Map<string, Certificate>()
    for (const { values } of this.#table.records(resource))
      for (const { signer } of values())
        if (!signers.has(signer)) signers.set(signer, this.#certificates.get(signer))
    return signers
  }

  /** Everything held there, removals too, with what is left of the lifetimes; no Kinds where nothing is. */
  copyOf(resource: ResourceId, now: Instant): RecordCopy {
    const kinds = this.#table
      .records(resource)
      .map((each) => copyOfValues(each, livingValues(each, now), now))
    return { resource, kinds: kinds.filter(({ values }) => values.length > 0) }
  }

  /** Of which something is held there that has not expired. */
  kindsAt(resource: ResourceId, now: Instant): readonly KindId[] {
    return this.#table.records(resource).flatMap((each) => (each.isLiving(now) ? each.definition.id : []))
  }

  /** We are no longer to hold it. */
  drop(resource: ResourceId): readonly StorageChange[] {
    return this.#removeAll(this.#table.placesAt(resource))
  }

  /** Equal on two peers if and only if they hold the same values there. "" where nothing is held. */
  digestOf(resource: ResourceId): string {
    return this.#table.digest(resource, this.#settings.cryptography)
  }

  expire(now: Instant): readonly StorageChange[] {
    const changes: StorageChange[] = []
    for (let places = this.#table.takeExpired(now); places; places = this.#table.takeExpired(now))
      changes.push(...this.#removeAll(places))
    return changes
  }

  #carryOut(resource: ResourceId, plan: KindPlan, { mode, now, ...context }: StoreContext): StorageChange[] {
    const { definition, placed } = plan
    const changes: StorageChange[] = []
    const current = this.#table.record(resource, definition.id)?.generation ?? 0
    const generation = nextGeneration({ current, plan, mode, now })
    for (const held of placed.values()) {
      const signer = context.certificates.get(held.signer) ?? context.requestSigner
      if (this.#hold(resource, definition, held, signer))
        changes.push({ kind: "certificate", fingerprint: signer.fingerprint, der: signer.der })
      const { slot, wire: value, storedAt } = held
      changes.push({ kind: "put", resource, kindId: definition.id, slot, generation, value, storedAt })
    }
    this.#table.setGeneration(resource, definition.id, generation)
    return changes
  }

  /** True where the certificate is new to us. */
  #hold(resource: ResourceId, definition: KindDefinition, held: HeldValue, signer: Certificate): boolean {
    const isNew = this.#certificates.retain(signer)
    const replaced = this.#table.place(resource, definition, held)
    if (replaced !== undefined) this.#certificates.release(replaced)
    return isNew
  }

  #removeAll(places: readonly HeldPlace[]): readonly StorageChange[] {
    if (places.length === 0) return NOTHING
    for (const place of places) this.#remove(place)
    const changes = places.map((place) => ({ kind: "delete", ...place }) as const)
    return [...changes, ...this.#certificates.takeForgotten()]
  }

  #remove(place: HeldPlace): void {
    const signer = this.#table.remove(place)
    if (signer !== undefined) this.#certificates.release(signer)
  }

  #copyOfPlan(resource: ResourceId, { definition, slots }: KindPlan, now: Instant): StoreKindData {
    const record = this.#table.record(resource, definition.id)
    if (record === undefined) return { kind: definition.id, generation: 0, values: new Uint8Array() }
    const values = [...slots].flatMap((slot) => valueIn(record, slot, now) ?? [])
    return copyOfValues(record, values, now)
  }

  /** One answer for each Kind; without values where the asker has seen this state already. §7.4.2.2. */
  #answer(
    { resource, specifiers }: FetchReq,
    valuesOf: (
      definition: KindDefinition,
      record: KindRecord | undefined,
      specifier: StoredDataSpecifier,
    ) => Uint8Array,
  ): readonly FetchKindResponse[] | StorageRefusal {
    const unknown = specifiers.filter(({ kind }) => this.#settings.kinds.get(kind) === undefined)
    if (unknown.length > 0) return unknownKinds(unknown.map(({ kind }) => kind))
    if (new Set(specifiers.map(({ kind }) => kind)).size < specifiers.length)
      return refusal("Error_Invalid_Message", "a Kind stands in the request twice")
    try {
      return specifiers.map((specifier) => {
        const record = this.#table.record(resource, specifier.kind)
        const generation = record?.generation ?? 0
        const seen = generation > 0 && specifier.generation === generation
        const definition = this.#settings.kinds.get(specifier.kind)!
        const values = seen ? new Uint8Array() : valuesOf(definition, record, specifier)
        return { kind: specifier.kind, generation, values }
      })
    } catch (problem) {
      if (problem instanceof DecodeError) return refusal("Error_Invalid_Message", problem.message)
      throw problem
    }
  }

  #readCertificate(der: Uint8Array): Certificate | undefined {
    try {
      return this.#settings.cryptography.readCertificate(der)
    } catch (problem) {
      if (problem instanceof FormatError) return undefined
      throw problem
    }
  }

  #restoreValue(
    { resource, kindId, generation, value, storedAt }: Extract<StorageChange, { kind: "put" }>,
    certificates: ReadonlyMap<string, Certificate>,
  ): void {
    const definition = this.#settings.kinds.get(kindId)
    const data = definition && readStored(definition, value)
    if (definition === undefined || data === undefined) return
    const signer = findSigner(this.#settings.cryptography, data.signature.identity, certificates)
    if ("refused" in signer) return
    this.#hold(resource, definition, holdValue(data, signer.fingerprint, storedAt as Instant), signer)
    const { generation: present } = this.#table.record(resource, kindId)!
    this.#table.setGeneration(resource, kindId, Math.max(present, generation))
  }
}

/**
 * A state that a reader may know by its counter must never get the counter of another one, though
 * values expire, rings merge and peers restart: so a counter is the time of the change, or one more
 * than the last where that is greater. §7.4.1.1 asks for an increase by 1 or more.
 */
function nextGeneration(change: {
  readonly current: number
  readonly plan: KindPlan
  readonly mode: StoreContext["mode"]
  readonly now: Instant
}): number {
  const { current, plan, mode, now } = change
  if (mode === "replica") return Math.max(current, plan.generation)
  if (plan.placed.size === 0) return current
  return Math.max(current + 1, plan.generation + 1, Math.floor(now))
}

function readStored({ model }: KindDefinition, wire: Uint8Array): StoredData | undefined {
  try {
    return decodeViews(storedData(model), wire, "StoredData")
  } catch (problem) {
    if (problem instanceof DecodeError) return undefined
    throw problem
  }
}

const copyOfValues = (record: KindRecord, values: readonly HeldValue[], now: Instant): StoreKindData => ({
  kind: record.definition.id,
  generation: record.generation,
  values: wireAt(values, now),
})
