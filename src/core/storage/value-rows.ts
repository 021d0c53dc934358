import { toHex } from "../kit/hex.ts"
import { Interned } from "../kit/interned.ts"
import { Rows } from "../kit/rows.ts"
import { after, type Instant, seconds } from "../kit/time.ts"
import type { DataModel } from "../reload/stored-data.ts"
import { type HeldValue, LIFETIME_AT, STORAGE_TIME_AT, VALUE_AT } from "./held-value.ts"

// A held value at rest: the next in its chain, whose chain that is, who signed it, when it came; then StoredData as on the wire.
const NEXT_AT = 0
const OWNER_AT = 4
const SIGNER_AT = 8
const STORED_AT = 12
const WIRE_AT = 20

const WORD = 2 ** 32

/** Held values as rows of bytes, in chains. */
export class ValueRows {
  readonly #rows = new Rows()
  readonly #signers = new Interned<string>()

  get size(): number {
    return this.#rows.size
  }

  /** `owner`: a number of whoever keeps the chain. */
  add(held: HeldValue, owner: number, next: number): number {
    return this.#rows.add(this.#write(held, owner, next))
  }

  /** Where it stands in its chain stays as it is. */
  replace(row: number, held: HeldValue): void {
    this.#rows.replace(row, this.#write(held, this.owner(row), this.next(row)))
  }

  delete(row: number): void {
    this.#rows.delete(row)
  }

  /** The next row of its chain; -1 behind the last. */
  next(row: number): number {
    return this.#rows.int(row, NEXT_AT)
  }

  setNext(row: number, next: number): void {
    this.#rows.setInt(row, NEXT_AT, next)
  }

  owner(row: number): number {
    return this.#rows.int(row, OWNER_AT)
  }

  signer(row: number): string {
    return this.#signers.of(this.#rows.int(row, SIGNER_AT))
  }

  expiresAt(row: number): Instant {
    const rows = this.#rows
    rows.seek(row)
    const lifetime = rows.view.getUint32(rows.at + WIRE_AT + LIFETIME_AT)
    return after(rows.view.getFloat64(rows.at + STORED_AT) as Instant, seconds(lifetime))
  }

  /** See `slotOf`. */
  slot(row: number, model: DataModel): string {
    const rows = this.#rows
    if (model === "single") return ""
    rows.seek(row)
    const at = rows.at + WIRE_AT + VALUE_AT
    if (model === "array") return String(rows.view.getUint32(at))
    return toHex(rows.memory.subarray(at + 2, at + 2 + rows.view.getUint16(at)))
  }

  /** As it was given. */
  read(row: number, model: DataModel): HeldValue {
    const slot = this.slot(row, model)
    const signer = this.signer(row)
    const expiresAt = this.expiresAt(row)
    const wire = this.#rows.bytes(row, WIRE_AT)
    const { view, at } = this.#rows
    const storageTimeAt = at + WIRE_AT + STORAGE_TIME_AT
    return {
      slot,
      wire,
      storageTime: view.getUint32(storageTimeAt) * WORD + view.getUint32(storageTimeAt + 4),
      exists: wire[existsAt(wire, model)] === 1,
      signer,
      storedAt: view.getFloat64(at + STORED_AT) as Instant,
      expiresAt,
    }
  }

  #write({ wire, signer, storedAt }: HeldValue, owner: number, next: number): Uint8Array {
    const bytes = new Uint8Array(WIRE_AT + wire.length)
    const view = new DataView(bytes.buffer)
    view.setInt32(NEXT_AT, next)
    view.setInt32(OWNER_AT, owner)
    view.setInt32(SIGNER_AT, this.#signers.numberOf(signer))
    view.setFloat64(STORED_AT, storedAt)
    bytes.set(wire, WIRE_AT)
    return bytes
  }
}

/** Behind the index, or the key. RFC 6940 §7.2. */
function existsAt(wire: Uint8Array, model: DataModel): number {
  if (model === "single") return VALUE_AT
  if (model === "array") return VALUE_AT + 4
  return VALUE_AT + 2 + ((wire[VALUE_AT]! << 8) | wire[VALUE_AT + 1]!)
}
