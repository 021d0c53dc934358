import { concat } from "../kit/bytes.ts"
import type { Hashes } from "../kit/crypto.ts"
import { toHex } from "../kit/hex.ts"
import { RowHeap } from "../kit/row-heap.ts"
import { hashOfText, mixed, RowIndex } from "../kit/row-index.ts"
import { earliest, type Instant, NEVER } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import type { KindId } from "../reload/stored-data.ts"
import { encode, u32 } from "../wire/codec.ts"
import { type HeldValue, sharedBytes } from "./held-value.ts"
import type { KindDefinition } from "./kind.ts"
import type { KindRecord } from "./kind-record.ts"
import { INLINE, NONE, RecordRows } from "./record-rows.ts"

/** Where a value is held. */
export interface HeldPlace {
  readonly resource: ResourceId
  readonly kindId: KindId
  readonly slot: string
}

/** Values of one record that are found by going through them. */
const FEW = 8

/**
 * Records by Resource-ID and Kind, their count and their next expiry. What is held is bytes: objects are made of it for
 * whoever looks, as a node has millions of values and looks at few.
 */
export class RecordTable {
  readonly #rows = new RecordRows()
  /** By Resource-ID: the first Kind there. */
  readonly #index = new RowIndex()
  /** By record and slot, of records that have many values. */
  readonly #slots = new RowIndex()
  /** At times early, since a value may have been replaced. */
  readonly #expiries = new RowHeap((row) => this.#rows.due(row))
  #stamp = 0

  get values(): number {
    return this.#rows.values
  }

  /** Resource-IDs at which something is held. */
  get size(): number {
    return this.#index.size
  }

  /** When some value expires; at times early. */
  get deadline(): Instant {
    return this.#expiries.next
  }

  *resources(): Generator<ResourceId> {
    for (const row of this.#rows.all()) if (this.#rows.isFirst(row)) yield this.#rows.resource(row)
  }

  records(resource: ResourceId): readonly KindRecord[] {
    return this.#recordsAt(resource).map((row) => this.#look(row))
  }

  record(resource: ResourceId, kind: KindId): KindRecord | undefined {
    const row = this.#find(resource, kind)
    return row === NONE ? undefined : this.#look(row)
  }

  /**
   * A number that is another one when something of the record has changed since; 0 where there is none. Undefined where
   * a value's time is over, so that it depends on the clock what it says.
   */
  stamp(resource: ResourceId, kind: KindId, now: Instant): number | undefined {
    const row = this.#find(resource, kind)
    if (row === NONE) return 0
    return this.#rows.due(row) <= now ? undefined : this.#rows.stamp(row)
  }

  /** Puts a value into its slot; who signed the one that was there comes back. */
  place(resource: ResourceId, definition: KindDefinition, held: HeldValue): string | undefined {
    const found = this.#find(resource, definition.id)
    const present = found === NONE ? NONE : this.#findValue(found, held.slot)
    const replaced = present === NONE ? undefined : this.#rows.signer(found, present)
    const row = found === NONE ? this.#addRecord(resource, definition, held) : found
    if (present !== NONE) this.#rows.replaceValue(row, present, held)
    else if (found !== NONE) this.#addValue(row, held)
    this.#rows.setDue(row, earliest(this.#rows.due(row), held.expiresAt))
    this.#expiries.settle(row)
    this.#rows.setStamp(row, ++this.#stamp)
    return replaced
  }

  setGeneration(resource: ResourceId, kind: KindId, generation: number): void {
    const row = this.#find(resource, kind)
    if (row !== NONE) this.#rows.setGeneration(row, generation)
  }

  /** Takes a value out, and with the last one the record; who signed it comes back. */
  remove({ resource, kindId, slot }: HeldPlace): string | undefined {
    const row = this.#find(resource, kindId)
    const value = row === NONE ? NONE : this.#findValue(row, slot)
    if (value === NONE) return undefined
    const signer = this.#rows.signer(row, value)
    if (value === INLINE) this.#removeRecord(resource, row)
    else {
      this.#removeValue(row, value, slot)
      this.#rows.setStamp(row, ++this.#stamp)
    }
    return signer
  }

  placesAt(resource: ResourceId): readonly HeldPlace[] {
    return this.#recordsAt(resource).flatMap((row) =>
      this.#valuesOf(row).map((value) => this.#placeOf(resource, row, value)),
    )
  }

  /** What has expired of one record, to be removed; `undefined` where nothing has, of none. */
  takeExpired(now: Instant): readonly HeldPlace[] | undefined {
    const row = this.#expiries.takeDue(now)
    if (row === undefined) return undefined
    const resource = this.#rows.resource(row)
    const places: HeldPlace[] = []
    let next = NEVER
    for (const value of this.#valuesOf(row)) {
      const expiresAt = this.#rows.expiresAt(row, value)
      if (expiresAt <= now) places.push(this.#placeOf(resource, row, value))
      else next = earliest(next, expiresAt)
    }
    if (next !== NEVER) {
      this.#rows.setDue(row, next)
      this.#expiries.settle(row)
    }
    return places
  }

  /** Equal for the same values of the same times, whatever is left of their lifetimes. "" for none. */
  digest(resource: ResourceId, hashes: Hashes): string {
    const records = this.records(resource)
    return records.length === 0 ? "" : toHex(hashes.sha256(concat(...fingerprintParts(records))))
  }

  #look(row: number): KindRecord {
    return {
      definition: this.#rows.definition(row),
      generation: this.#rows.generation(row),
      size: this.#rows.count(row),
      isLiving: (now) => this.#valuesOf(row).some((value) => this.#rows.expiresAt(row, value) > now),
      get: (slot) => {
        const value = this.#findValue(row, slot)
        return value === NONE ? undefined : this.#rows.read(row, value)
      },
      values: () => this.#valuesOf(row).map((value) => this.#rows.read(row, value)),
    }
  }

  #placeOf(resource: ResourceId, row: number, value: number): HeldPlace {
    return { resource, kindId: this.#rows.definition(row).id, slot: this.#rows.slot(row, value) }
  }

  /** The first Kind at that place. */
  #first(resource: ResourceId): number {
    const index = this.#index
    for (let slot = index.first(hashOf(resource)); slot >= 0; slot = index.next(slot))
      if (this.#rows.isOf(index.row(slot), resource)) return index.row(slot)
    return NONE
  }

  #find(resource: ResourceId, kind: KindId): number {
    const first = this.#first(resource)
    if (first === NONE || this.#rows.definition(first).id === kind) return first
    let row = this.#rows.next(first)
    while (row !== first && this.#rows.definition(row).id !== kind) row = this.#rows.next(row)
    return row === first ? NONE : row
  }

  /** In the order in which their Kinds came. */
  #recordsAt(resource: ResourceId): readonly number[] {
    const rows: number[] = []
    const first = this.#first(resource)
    for (let row = first; row !== NONE; row = this.#rows.next(row)) {
      if (row === first && rows.length > 0) break
      rows.push(row)
    }
    return rows
  }

  #addRecord(resource: ResourceId, definition: KindDefinition, held: HeldValue): number {
    const last = this.#recordsAt(resource).at(-1)
    const row = this.#rows.add(last === undefined ? resource : undefined, definition, held)
    if (last === undefined) this.#index.add(hashOf(resource), row)
    else {
      this.#rows.setNext(row, this.#rows.next(last))
      this.#rows.setNext(last, row)
    }
    return row
  }

  #removeRecord(resource: ResourceId, row: number): void {
    const rows = this.#recordsAt(resource)
    const place = rows.indexOf(row)
    const next = this.#rows.next(row)
    this.#rows.setNext(rows.at(place - 1)!, next)
    if (place === 0) {
      this.#index.delete(hashOf(resource), row)
      if (next !== row) {
        this.#rows.makeFirst(next, resource)
        this.#index.add(hashOf(resource), next)
      }
    }
    this.#expiries.delete(row)
    this.#rows.delete(row)
  }

  /** In the order in which they came: their chain leads from the last to the first. */
  #valuesOf(row: number): readonly number[] {
    const values: number[] = []
    for (let value = this.#rows.last(row); value !== NONE; value = this.#rows.before(value))
      values.push(value)
    return values.reverse()
  }

  #findValue(row: number, slot: string): number {
    if (this.#rows.count(row) > FEW) return this.#findAmongMany(row, slot)
    let value = this.#rows.last(row)
    while (value !== NONE && this.#rows.slot(row, value) !== slot) value = this.#rows.before(value)
    return value
  }

  #findAmongMany(row: number, slot: string): number {
    const index = this.#slots
    for (let at = index.first(slotHash(row, slot)); at >= 0; at = index.next(at)) {
      const value = index.row(at)
      if (this.#rows.owner(value) === row && this.#rows.slot(row, value) === slot) return value
    }
    return NONE
  }

  #addValue(row: number, held: HeldValue): void {
    if (!this.#rows.isChained(row)) this.#rows.chain(row)
    const value = this.#rows.addValue(row, this.#rows.last(row), held)
    this.#rows.setLast(row, value)
    const count = this.#rows.count(row) + 1
    this.#rows.setCount(row, count)
    if (count === FEW + 1) for (const each of this.#valuesOf(row)) this.#indexSlot(row, each)
    else if (count > FEW) this.#indexSlot(row, value)
  }

  #indexSlot(row: number, value: number): void {
    this.#slots.add(slotHash(row, this.#rows.slot(row, value)), value)
  }

  /** Another than the last that there is. */
  #removeValue(row: number, value: number, slot: string): void {
    const before = this.#rows.before(value)
    const count = this.#rows.count(row)
    const values = this.#valuesOf(row)
    const behind = values[values.indexOf(value) + 1]
    if (behind === undefined) this.#rows.setLast(row, before)
    else this.#rows.setBefore(behind, before)
    if (count > FEW) this.#slots.delete(slotHash(row, slot), value)
    if (count === FEW + 1)
      for (const each of values)
        if (each !== value) this.#slots.delete(slotHash(row, this.#rows.slot(row, each)), each)
    this.#rows.setCount(row, count - 1)
    this.#rows.deleteValue(value)
    if (count > 2) return
    this.#rows.unchain(row)
    this.#expiries.settle(row)
  }
}

const hashOf = (resource: ResourceId): number => mixed(hashOfText(resource))
const slotHash = (row: number, slot: string): number => mixed(hashOfText(slot, row))

function fingerprintParts(records: readonly KindRecord[]): readonly Uint8Array[] {
  const byId = [...records].sort((a, b) => a.definition.id - b.definition.id)
  return byId.flatMap(({ definition, size, values }) => [
    encode(u32, definition.id),
    encode(u32, size),
    ...[...values()].sort((a, b) => (a.slot < b.slot ? -1 : 1)).flatMap(sharedBytes),
  ])
}
