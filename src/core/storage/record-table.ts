import { concat } from "../kit/bytes.ts"
import type { Hashes } from "../kit/crypto.ts"
import { fromHex, isHexOf, toHex } from "../kit/hex.ts"
import { Interned } from "../kit/interned.ts"
import { RowDeadlines } from "../kit/row-deadlines.ts"
import { hashOfText, mixed, RowIndex } from "../kit/row-index.ts"
import { Rows } from "../kit/rows.ts"
import { earliest, type Instant, NEVER } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import type { KindId } from "../reload/stored-data.ts"
import { encode, u32 } from "../wire/codec.ts"
import { type HeldValue, sharedBytes } from "./held-value.ts"
import type { KindDefinition } from "./kind.ts"
import type { KindRecord } from "./kind-record.ts"
import { ValueRows } from "./value-rows.ts"

/** Where a value is held. */
export interface HeldPlace {
  readonly resource: ResourceId
  readonly kindId: KindId
  readonly slot: string
}

// A record of one Kind at rest: the next Kind at the same place, the last of its values, how many these are, which Kind,
// its generation counter, a stamp of its last change, and the Resource-ID.
const NEXT_AT = 0
const LAST_AT = 4
const COUNT_AT = 8
const KIND_AT = 12
const GENERATION_AT = 16
const STAMP_AT = 24
const RESOURCE_AT = 32

const NONE = -1

/** Values of one record that are found by going through them. */
const FEW = 8

/**
 * Records by Resource-ID and Kind, their count and their next expiry. What is held is bytes: objects are made of it for
 * whoever looks, as a node has millions of values and looks at few.
 */
export class RecordTable {
  readonly #kinds = new Rows()
  readonly #values = new ValueRows()
  readonly #definitions = new Interned<KindDefinition>()
  /** By Resource-ID: the first Kind there. */
  readonly #index = new RowIndex()
  /** By Kind's row and slot, of records that have many values. */
  readonly #slots = new RowIndex()
  /** Of Kinds' rows. At times early, since a value may have been replaced. */
  readonly #expiries = new RowDeadlines()
  #stamp = 0

  get values(): number {
    return this.#values.size
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
    for (const row of this.#kinds.all()) {
      const resource = this.#resourceOf(row)
      if (this.#first(resource) === row) yield resource
    }
  }

  records(resource: ResourceId): readonly KindRecord[] {
    return this.#kindRows(resource).map((row) => this.#look(row))
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
    return this.#expiries.of(row) <= now ? undefined : this.#kinds.double(row, STAMP_AT)
  }

  /** Puts a value into its slot; who signed the one that was there comes back. */
  place(resource: ResourceId, definition: KindDefinition, held: HeldValue): string | undefined {
    const found = this.#find(resource, definition.id)
    const row = found === NONE ? this.#addKind(resource, definition) : found
    const present = found === NONE ? NONE : this.#findValue(row, held.slot)
    const replaced = present === NONE ? undefined : this.#values.signer(present)
    if (present === NONE) this.#addValue(row, held)
    else this.#values.replace(present, held, definition)
    this.#kinds.setDouble(row, STAMP_AT, ++this.#stamp)
    this.#expiries.set(row, earliest(this.#expiries.of(row), held.expiresAt))
    return replaced
  }

  setGeneration(resource: ResourceId, kind: KindId, generation: number): void {
    const row = this.#find(resource, kind)
    if (row !== NONE) this.#kinds.setDouble(row, GENERATION_AT, generation)
  }

  /** Takes a value out, and with the last one the record; who signed it comes back. */
  remove({ resource, kindId, slot }: HeldPlace): string | undefined {
    const row = this.#find(resource, kindId)
    const value = row === NONE ? NONE : this.#findValue(row, slot)
    if (value === NONE) return undefined
    const signer = this.#values.signer(value)
    this.#removeValue(row, value, slot)
    if (this.#kinds.int(row, COUNT_AT) === 0) this.#removeKind(resource, row)
    else this.#kinds.setDouble(row, STAMP_AT, ++this.#stamp)
    return signer
  }

  placesAt(resource: ResourceId): readonly HeldPlace[] {
    return this.#kindRows(resource).flatMap((row) =>
      this.#valueRows(row).map((value) => this.#placeOf(resource, row, value)),
    )
  }

  /** What has expired of one record; `undefined` where nothing has, of none. */
  takeExpired(now: Instant): readonly HeldPlace[] | undefined {
    const row = this.#expiries.takeDue(now)
    if (row === undefined) return undefined
    const resource = this.#resourceOf(row)
    const places: HeldPlace[] = []
    let next = NEVER
    for (const value of this.#valueRows(row)) {
      const expiresAt = this.#values.expiresAt(value)
      if (expiresAt <= now) places.push(this.#placeOf(resource, row, value))
      else next = earliest(next, expiresAt)
    }
    this.#expiries.set(row, next)
    return places
  }

  /** Equal for the same values of the same times, whatever is left of their lifetimes. "" for none. */
  digest(resource: ResourceId, hashes: Hashes): string {
    const records = this.records(resource)
    return records.length === 0 ? "" : toHex(hashes.sha256(concat(...fingerprintParts(records))))
  }

  #look(row: number): KindRecord {
    const definition = this.#definitionOf(row)
    const { model } = definition
    return {
      definition,
      generation: this.#kinds.double(row, GENERATION_AT),
      size: this.#kinds.int(row, COUNT_AT),
      isLiving: (now) => this.#valueRows(row).some((value) => this.#values.expiresAt(value) > now),
      get: (slot) => {
        const value = this.#findValue(row, slot)
        return value === NONE ? undefined : this.#values.read(value, model)
      },
      values: () => this.#valueRows(row).map((value) => this.#values.read(value, model)),
    }
  }

  #placeOf(resource: ResourceId, row: number, value: number): HeldPlace {
    const { id, model } = this.#definitionOf(row)
    return { resource, kindId: id, slot: this.#values.slot(value, model) }
  }

  /** The row of the first Kind at that place. */
  #first(resource: ResourceId): number {
    const index = this.#index
    for (let slot = index.first(hashOf(resource)); slot >= 0; slot = index.next(slot))
      if (this.#isOf(index.row(slot), resource)) return index.row(slot)
    return NONE
  }

  #find(resource: ResourceId, kind: KindId): number {
    let row = this.#first(resource)
    while (row !== NONE && this.#definitionOf(row).id !== kind) row = this.#kinds.int(row, NEXT_AT)
    return row
  }

  #kindRows(resource: ResourceId): readonly number[] {
    const rows: number[] = []
    for (let row = this.#first(resource); row !== NONE; row = this.#kinds.int(row, NEXT_AT)) rows.push(row)
    return rows
  }

  #addKind(resource: ResourceId, definition: KindDefinition): number {
    const bytes = new Uint8Array(RESOURCE_AT + resource.length / 2)
    const view = new DataView(bytes.buffer)
    view.setInt32(NEXT_AT, NONE)
    view.setInt32(LAST_AT, NONE)
    view.setInt32(KIND_AT, this.#definitions.numberOf(definition))
    bytes.set(fromHex(resource), RESOURCE_AT)
    const row = this.#kinds.add(bytes)
    const last = this.#kindRows(resource).at(-1)
    if (last === undefined) this.#index.add(hashOf(resource), row)
    else this.#kinds.setInt(last, NEXT_AT, row)
    return row
  }

  #removeKind(resource: ResourceId, row: number): void {
    const next = this.#kinds.int(row, NEXT_AT)
    const before = this.#kindRows(resource).find((other) => this.#kinds.int(other, NEXT_AT) === row)
    if (before !== undefined) this.#kinds.setInt(before, NEXT_AT, next)
    else {
      this.#index.delete(hashOf(resource), row)
      if (next !== NONE) this.#index.add(hashOf(resource), next)
    }
    this.#expiries.delete(row)
    this.#kinds.delete(row)
  }

  /** In the order in which they came: their chain leads from the last to the first. */
  #valueRows(row: number): readonly number[] {
    const rows: number[] = []
    for (let value = this.#kinds.int(row, LAST_AT); value !== NONE; value = this.#values.next(value))
      rows.push(value)
    return rows.reverse()
  }

  #findValue(row: number, slot: string): number {
    const { model } = this.#definitionOf(row)
    if (this.#kinds.int(row, COUNT_AT) > FEW) return this.#findAmongMany(row, slot)
    let value = this.#kinds.int(row, LAST_AT)
    while (value !== NONE && this.#values.slot(value, model) !== slot) value = this.#values.next(value)
    return value
  }

  #findAmongMany(row: number, slot: string): number {
    const { model } = this.#definitionOf(row)
    const index = this.#slots
    for (let at = index.first(slotHash(row, slot)); at >= 0; at = index.next(at)) {
      const value = index.row(at)
      if (this.#values.owner(value) === row && this.#values.slot(value, model) === slot) return value
    }
    return NONE
  }

  #addValue(row: number, held: HeldValue): void {
    const value = this.#values.add(held, this.#definitionOf(row), row, this.#kinds.int(row, LAST_AT))
    this.#kinds.setInt(row, LAST_AT, value)
    const count = this.#kinds.int(row, COUNT_AT) + 1
    this.#kinds.setInt(row, COUNT_AT, count)
    if (count === FEW + 1) for (const each of this.#valueRows(row)) this.#indexSlot(row, each)
    else if (count > FEW) this.#indexSlot(row, value)
  }

  #indexSlot(row: number, value: number): void {
    this.#slots.add(slotHash(row, this.#values.slot(value, this.#definitionOf(row).model)), value)
  }

  #removeValue(row: number, value: number, slot: string): void {
    const next = this.#values.next(value)
    const count = this.#kinds.int(row, COUNT_AT)
    const rows = this.#valueRows(row)
    const behind = rows[rows.indexOf(value) + 1]
    if (behind === undefined) this.#kinds.setInt(row, LAST_AT, next)
    else this.#values.setNext(behind, next)
    if (count > FEW) this.#slots.delete(slotHash(row, slot), value)
    if (count === FEW + 1)
      for (const each of rows)
        if (each !== value)
          this.#slots.delete(slotHash(row, this.#values.slot(each, this.#definitionOf(row).model)), each)
    this.#kinds.setInt(row, COUNT_AT, count - 1)
    this.#values.delete(value)
  }

  #isOf(row: number, resource: ResourceId): boolean {
    const rows = this.#kinds
    rows.seek(row)
    return isHexOf(resource, rows.memory, rows.at + RESOURCE_AT, rows.at + rows.length)
  }

  #resourceOf(row: number): ResourceId {
    const rows = this.#kinds
    rows.seek(row)
    return toHex(rows.memory.subarray(rows.at + RESOURCE_AT, rows.at + rows.length)) as ResourceId
  }

  #definitionOf(row: number): KindDefinition {
    return this.#definitions.of(this.#kinds.int(row, KIND_AT))
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
