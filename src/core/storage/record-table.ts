import { concat } from "../kit/bytes.ts"
import type { Hashes } from "../kit/crypto.ts"
import { Deadlines } from "../kit/deadlines.ts"
import { Few } from "../kit/few.ts"
import { toHex } from "../kit/hex.ts"
import { earliest, type Instant, NEVER } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import type { KindId } from "../reload/stored-data.ts"
import { encode, u32 } from "../wire/codec.ts"
import { type HeldValue, sharedBytes } from "./held-value.ts"
import type { KindDefinition } from "./kind.ts"
import type { KindRecord } from "./kind-record.ts"

/** All that is held at one Resource-ID. */
interface HeldResource {
  readonly records: Few<KindId, KindRecord>
  /** No value expires before; the one that did may be gone. */
  expiry: Instant
  digest: string | undefined
}

/** Where a value is held. */
export interface HeldPlace {
  readonly resource: ResourceId
  readonly kindId: KindId
  readonly slot: string
}

/** Records by Resource-ID and Kind, their count, their next expiry, and their digests. */
export class RecordTable {
  readonly #resources = new Map<ResourceId, HeldResource>()
  readonly #expiries = new Deadlines<ResourceId>()
  #values = 0

  get values(): number {
    return this.#values
  }

  get size(): number {
    return this.#resources.size
  }

  /** When some value expires; at times early, since it may have been replaced. */
  get deadline(): Instant {
    return this.#expiries.next
  }

  resources(): Iterable<ResourceId> {
    return this.#resources.keys()
  }

  records(resource: ResourceId): readonly KindRecord[] {
    return this.#resources.get(resource)?.records.values() ?? []
  }

  record(resource: ResourceId, kind: KindId): KindRecord | undefined {
    return this.#resources.get(resource)?.records.get(kind)
  }

  /** Puts a value into its slot; the one that was there comes back. */
  place(resource: ResourceId, definition: KindDefinition, held: HeldValue): HeldValue | undefined {
    const at = this.#resource(resource)
    const record: KindRecord = at.records.get(definition.id) ?? {
      definition,
      generation: 0,
      values: new Few(),
    }
    at.records.set(definition.id, record)
    const replaced = record.values.get(held.slot)
    record.values.set(held.slot, held)
    if (replaced === undefined) this.#values++
    at.digest = undefined
    this.#setExpiry(resource, at, earliest(at.expiry, held.expiresAt))
    return replaced
  }

  /** Takes a value out, and with the last one the record, and with the last of these the resource. */
  remove({ resource, kindId, slot }: HeldPlace): HeldValue | undefined {
    const at = this.#resources.get(resource)
    const record = at?.records.get(kindId)
    const held = record?.values.get(slot)
    if (!at || !record || !held) return undefined
    record.values.delete(slot)
    this.#values--
    at.digest = undefined
    if (record.values.size === 0) at.records.delete(kindId)
    if (at.records.size > 0) return held
    this.#resources.delete(resource)
    this.#expiries.delete(resource)
    return held
  }

  placesAt(resource: ResourceId): readonly HeldPlace[] {
    return this.records(resource).flatMap(({ definition, values }) =>
      values.keys().map((slot) => ({ resource, kindId: definition.id, slot })),
    )
  }

  /** A Resource-ID of which a value has expired; `undefined` where none has. */
  takeExpired(now: Instant): readonly HeldPlace[] | undefined {
    const resource = this.#expiries.takeDue(now)
    if (resource === undefined) return undefined
    const at = this.#resources.get(resource)!
    const places = this.placesAt(resource)
    const expiryOf = ({ kindId, slot }: HeldPlace) => at.records.get(kindId)!.values.get(slot)!.expiresAt
    const left = places.map(expiryOf).filter((expiry) => expiry > now)
    this.#setExpiry(
      resource,
      at,
      left.reduce((a, b) => earliest(a, b), NEVER),
    )
    return places.filter((place) => expiryOf(place) <= now)
  }

  /** Equal for the same values of the same times, whatever is left of their lifetimes. "" for none. */
  digest(resource: ResourceId, hashes: Hashes): string {
    const at = this.#resources.get(resource)
    if (at === undefined) return ""
    at.digest ??= toHex(hashes.sha256(concat(...fingerprintParts(at))))
    return at.digest
  }

  #resource(resource: ResourceId): HeldResource {
    const known = this.#resources.get(resource)
    if (known) return known
    const at: HeldResource = { records: new Few(), expiry: NEVER, digest: undefined }
    this.#resources.set(resource, at)
    return at
  }

  #setExpiry(resource: ResourceId, at: HeldResource, expiry: Instant): void {
    at.expiry = expiry
    this.#expiries.set(resource, expiry)
  }
}

function fingerprintParts({ records }: HeldResource): readonly Uint8Array[] {
  const byId = records.values().sort((a, b) => a.definition.id - b.definition.id)
  return byId.flatMap(({ definition, values }) => [
    encode(u32, definition.id),
    encode(u32, values.size),
    ...values
      .keys()
      .sort()
      .flatMap((slot) => sharedBytes(values.get(slot)!)),
  ])
}
