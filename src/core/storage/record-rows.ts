import { concat } from "../kit/bytes.ts"
import { fromHex, isHexOf, toHex } from "../kit/hex.ts"
import { Interned } from "../kit/interned.ts"
import { Rows } from "../kit/rows.ts"
import type { Instant } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import type { HeldValue } from "./held-value.ts"
import type { KindDefinition } from "./kind.ts"
import { ValueForms } from "./value-forms.ts"

// A record of one Kind at rest: the next Kind at the same place, of which the last leads to the first; which Kind; what follows; a stamp
// of its last change; its generation counter. Then, in the first row of a place, the length of the Resource-ID and that. Then the value,
// where there is one, as in most records; or a chain: the last of its values, how many these are, and when some of them may expire.
const NEXT_AT = 0
const KIND_AT = 4
const FORM_AT = 6
const STAMP_AT = 7
const STAMP_BYTES = 6
const GENERATION_AT = STAMP_AT + STAMP_BYTES
const BODY_AT = GENERATION_AT + 8

const FIRST = 1
const CHAINED = 2

const LAST_AT = 0
const COUNT_AT = 4
const DUE_AT = 8
const CHAIN_BYTES = 16

// A value of a chain: the next one, and whose chain that is.
const OWNER_AT = 4
const LINK_BYTES = 8

export const NONE = -1
/** In place of a value's row: it stands in the row of its record. */
export const INLINE = -2

const WORD = 2 ** 32

/** Rows of records and of their values. What stands where is known here, and what it means in RecordTable. */
export class RecordRows {
  readonly #records = new Rows()
  readonly #values = new Rows()
  readonly #definitions = new Interned<KindDefinition>()
  readonly #forms = new ValueForms()
  /** Those of records with chains, whose rows are no values. */
  #chained = 0

  get values(): number {
    return this.#records.size - this.#chained + this.#values.size
  }

  all(): Iterable<number> {
    return this.#records.all()
  }

  /** A record with one value, alone at its place as yet, where its row is the first; `resource` undefined: it is not. */
  add(resource: ResourceId | undefined, definition: KindDefinition, held: HeldValue): number {
    const ahead = BODY_AT + (resource === undefined ? 0 : 1 + resource.length / 2)
    const bytes = this.#forms.write(held, definition, ahead)
    const view = new DataView(bytes.buffer)
    view.setUint16(KIND_AT, this.#definitions.numberOf(definition))
    if (resource !== undefined) writeFirst(bytes, resource)
    const row = this.#records.add(bytes)
    this.#records.setInt(row, NEXT_AT, row)
    return row
  }

  delete(row: number): void {
    if (this.isChained(row)) this.#chained--
    this.#records.delete(row)
  }

  /** The next Kind at the same place. */
  next(row: number): number {
    return this.#records.int(row, NEXT_AT)
  }

  setNext(row: number, next: number): void {
    this.#records.setInt(row, NEXT_AT, next)
  }

  definition(row: number): KindDefinition {
    this.#records.seek(row)
    return this.#definitions.of(this.#records.view.getUint16(this.#records.at + KIND_AT))
  }

  stamp(row: number): number {
    this.#records.seek(row)
    const { view, at } = this.#records
    return view.getUint16(at + STAMP_AT) * WORD + view.getUint32(at + STAMP_AT + 2)
  }

  setStamp(row: number, stamp: number): void {
    this.#records.seek(row)
    const { view, at } = this.#records
    view.setUint16(at + STAMP_AT, stamp / WORD)
    view.setUint32(at + STAMP_AT + 2, stamp)
  }

  generation(row: number): number {
    return this.#records.double(row, GENERATION_AT)
  }

  setGeneration(row: number, generation: number): void {
    this.#records.setDouble(row, GENERATION_AT, generation)
  }

  isFirst(row: number): boolean {
    return (this.#form(row) & FIRST) !== 0
  }

  /** Its row becomes the first of its place. */
  makeFirst(row: number, resource: ResourceId): void {
    const before = this.#records.bytes(row)
    const ahead = new Uint8Array(BODY_AT + 1 + resource.length / 2)
    ahead.set(before.subarray(0, BODY_AT))
    writeFirst(ahead, resource)
    this.#records.replace(row, concat(ahead, before.subarray(BODY_AT)))
  }

  isOf(first: number, resource: ResourceId): boolean {
    this.#records.seek(first)
    const { memory, at } = this.#records
    const start = at + BODY_AT + 1
    return isHexOf(resource, memory, start, start + memory[start - 1]!)
  }

  resource(row: number): ResourceId {
    let first = row
    while (!this.isFirst(first)) first = this.next(first)
    const { memory, at } = this.#records
    const start = at + BODY_AT + 1
    return toHex(memory.subarray(start, start + memory[start - 1]!)) as ResourceId
  }

  /** When something of it may expire. */
  due(row: number): Instant {
    return this.isChained(row)
      ? (this.#records.double(row, this.#body() + DUE_AT) as Instant)
      : this.expiresAt(row, INLINE)
  }

  /** Of a chain. */
  setDue(row: number, due: Instant): void {
    if (this.isChained(row)) this.#records.setDouble(row, this.#body() + DUE_AT, due)
  }

  isChained(row: number): boolean {
    return (this.#form(row) & CHAINED) !== 0
  }

  /** How many values it has. */
  count(row: number): number {
    return this.isChained(row) ? this.#records.int(row, this.#body() + COUNT_AT) : 1
  }

  setCount(row: number, count: number): void {
    this.#records.seek(row)
    this.#records.setInt(row, this.#body() + COUNT_AT, count)
  }

  /** The value that came last. */
  last(row: number): number {
    return this.isChained(row) ? this.#records.int(row, this.#body() + LAST_AT) : INLINE
  }

  setLast(row: number, value: number): void {
    this.#records.seek(row)
    this.#records.setInt(row, this.#body() + LAST_AT, value)
  }

  /** What came before it; NONE before the first. */
  before(value: number): number {
    return value === INLINE ? NONE : this.#values.int(value, 0)
  }

  setBefore(value: number, before: number): void {
    this.#values.setInt(value, 0, before)
  }

  owner(value: number): number {
    return this.#values.int(value, OWNER_AT)
  }

  /** Its value becomes a chain of one. */
  chain(row: number): void {
    const due = this.due(row)
    this.#records.seek(row)
    const body = this.#body()
    const before = this.#records.bytes(row)
    const value = this.#values.add(concat(linkBytes(row, NONE), before.subarray(body)))
    const bytes = concat(before.subarray(0, body), new Uint8Array(CHAIN_BYTES))
    const view = new DataView(bytes.buffer)
    bytes[FORM_AT]! |= CHAINED
    view.setInt32(body + LAST_AT, value)
    view.setInt32(body + COUNT_AT, 1)
    view.setFloat64(body + DUE_AT, due)
    this.#records.replace(row, bytes)
    this.#chained++
  }

  /** The only value of its chain stands in its row again. */
  unchain(row: number): void {
    const value = this.last(row)
    const body = this.#body()
    const bytes = concat(
      this.#records.bytes(row).subarray(0, body),
      this.#values.bytes(value).subarray(LINK_BYTES),
    )
    bytes[FORM_AT]! &= ~CHAINED
    this.#values.delete(value)
    this.#records.replace(row, bytes)
    this.#chained--
  }

  /** To a chain. */
  addValue(row: number, before: number, held: HeldValue): number {
    const bytes = this.#forms.write(held, this.definition(row), LINK_BYTES)
    bytes.set(linkBytes(row, before))
    return this.#values.add(bytes)
  }

  replaceValue(row: number, value: number, held: HeldValue): void {
    const definition = this.definition(row)
    if (value !== INLINE) {
      const bytes = this.#forms.write(held, definition, LINK_BYTES)
      bytes.set(linkBytes(row, this.before(value)))
      return this.#values.replace(value, bytes)
    }
    const ahead = this.#body()
    const bytes = this.#forms.write(held, definition, ahead)
    const { memory, at } = this.#records
    bytes.set(memory.subarray(at, at + ahead))
    this.#records.replace(row, bytes)
  }

  /** Of a chain. */
  deleteValue(value: number): void {
    this.#values.delete(value)
  }

  signer(row: number, value: number): string {
    const start = this.#seekValue(row, value)
    return this.#forms.signer(this.#rowsOf(value), start)
  }

  expiresAt(row: number, value: number): Instant {
    const start = this.#seekValue(row, value)
    return this.#forms.expiresAt(this.#rowsOf(value), start)
  }

  slot(row: number, value: number): string {
    const definition = this.definition(row)
    const start = this.#seekValue(row, value)
    return this.#forms.slot(this.#rowsOf(value), start, definition)
  }

  read(row: number, value: number): HeldValue {
    const definition = this.definition(row)
    const start = this.#seekValue(row, value)
    return this.#forms.read(this.#rowsOf(value), start, definition)
  }

  #rowsOf(value: number): Rows {
    return value === INLINE ? this.#records : this.#values
  }

  /** Where the value stands in its table's memory. */
  #seekValue(row: number, value: number): number {
    if (value === INLINE) {
      this.#records.seek(row)
      return this.#records.at + this.#body()
    }
    this.#values.seek(value)
    return this.#values.at + LINK_BYTES
  }

  #form(row: number): number {
    this.#records.seek(row)
    return this.#records.memory[this.#records.at + FORM_AT]!
  }

  /** Where the value or the chain of the row that was sought begins in it. */
  #body(): number {
    const { memory, at } = this.#records
    return memory[at + FORM_AT]! & FIRST ? BODY_AT + 1 + memory[at + BODY_AT]! : BODY_AT
  }
}

function writeFirst(bytes: Uint8Array, resource: ResourceId): void {
  bytes[FORM_AT]! |= FIRST
  bytes[BODY_AT] = resource.length / 2
  bytes.set(fromHex(resource), BODY_AT + 1)
}

function linkBytes(owner: number, before: number): Uint8Array {
  const bytes = new Uint8Array(LINK_BYTES)
  const view = new DataView(bytes.buffer)
  view.setInt32(0, before)
  view.setInt32(OWNER_AT, owner)
  return bytes
}
