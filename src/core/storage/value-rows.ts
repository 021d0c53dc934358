import { concat, equalBytes } from "../kit/bytes.ts"
import { toHex } from "../kit/hex.ts"
import { Interned } from "../kit/interned.ts"
import { readTime, TIME_BYTES, writeTime } from "../kit/row-times.ts"
import { Rows } from "../kit/rows.ts"
import { after, type Instant, seconds } from "../kit/time.ts"
import type { DataModel } from "../reload/stored-data.ts"
import type { HeldValue } from "./held-value.ts"
import type { KindDefinition } from "./kind.ts"
import { indexIn, joinValue, splitValue, type ValueParts, withLength } from "./value-parts.ts"

// A held value at rest: the next in its chain, whose chain that is, its author, when it came, storage_time and lifetime, and what the
// rest is made of; then those parts of StoredData that are not known from its author, without the lengths that follow from others.
const NEXT_AT = 0
const OWNER_AT = 4
const AUTHOR_AT = 8
const STORED_AT = 12
const STORAGE_TIME_AT = STORED_AT + TIME_BYTES
const LIFETIME_AT = STORAGE_TIME_AT + 8
const FORM_AT = LIFETIME_AT + 4
const KEY_AT = FORM_AT + 1

const EXISTS = 1
/** Its key, in an array its index, is not the author's usual one. */
const OTHER_KEY = 2
/** It is signed otherwise than the author's first. */
const OTHER_SIGNER = 4
/** The length of the value takes four bytes instead of one. */
const LONG = 8
const MOST_SHORT = 0xff

const WORD = 2 ** 32

/** What a signer's values of a Kind have in common, as his first had it: nodes write under their own key, by one certificate. */
interface Author {
  readonly signer: string
  readonly key: Uint8Array
  readonly signerBytes: Uint8Array
}

/** Held values as rows of bytes, in chains. */
export class ValueRows {
  readonly #rows = new Rows()
  readonly #authorNames = new Interned<string>()
  readonly #authors: Author[] = []

  get size(): number {
    return this.#rows.size
  }

  /** `owner`: a number of whoever keeps the chain. */
  add(held: HeldValue, definition: KindDefinition, owner: number, next: number): number {
    return this.#rows.add(this.#write(held, definition, owner, next))
  }

  /** Where it stands in its chain stays as it is. */
  replace(row: number, held: HeldValue, definition: KindDefinition): void {
    this.#rows.replace(row, this.#write(held, definition, this.owner(row), this.next(row)))
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
    return this.#author(row).signer
  }

  expiresAt(row: number): Instant {
    const rows = this.#rows
    rows.seek(row)
    return after(
      readTime(rows.view, rows.at + STORED_AT),
      seconds(rows.view.getUint32(rows.at + LIFETIME_AT)),
    )
  }

  /** See `slotOf`. */
  slot(row: number, model: DataModel): string {
    if (model === "single") return ""
    const { memory, view, at } = this.#seek(row)
    const isOther = (view.getUint8(at + FORM_AT) & OTHER_KEY) !== 0
    const start = at + KEY_AT + 2
    const key = isOther ? memory.subarray(start, start + view.getUint16(at + KEY_AT)) : this.#author(row).key
    return model === "dictionary" ? toHex(key) : String(indexIn(key))
  }

  /** As it was given. */
  read(row: number, model: DataModel): HeldValue {
    const slot = this.slot(row, model)
    const expiresAt = this.expiresAt(row)
    const signer = this.signer(row)
    const parts = this.#parts(row)
    const { view, at } = this.#rows
    const storageTimeAt = at + STORAGE_TIME_AT
    return {
      slot,
      wire: joinValue(parts, model),
      storageTime: view.getUint32(storageTimeAt) * WORD + view.getUint32(storageTimeAt + 4),
      exists: parts.exists,
      signer,
      storedAt: readTime(view, at + STORED_AT),
      expiresAt,
    }
  }

  #seek(row: number): Rows {
    this.#rows.seek(row)
    return this.#rows
  }

  #author(row: number): Author {
    return this.#authors[this.#rows.int(row, AUTHOR_AT)]!
  }

  /** Where they stand. */
  #parts(row: number): ValueParts {
    const author = this.#author(row)
    const { memory, view, at, length } = this.#rows
    const form = view.getUint8(at + FORM_AT)
    let place = at + KEY_AT
    const take = (sizeOfLength: 1 | 2 | 4) => {
      const bytes =
        sizeOfLength === 1
          ? view.getUint8(place)
          : sizeOfLength === 2
            ? view.getUint16(place)
            : view.getUint32(place)
      const start = place + sizeOfLength
      place = start + bytes
      return memory.subarray(start, place)
    }
    const key = form & OTHER_KEY ? take(2) : author.key
    const value = take(form & LONG ? 4 : 1)
    const signerBytes = form & OTHER_SIGNER ? take(2) : author.signerBytes
    return {
      times: memory.subarray(at + STORAGE_TIME_AT, at + FORM_AT),
      exists: (form & EXISTS) !== 0,
      ...{ key, value, signerBytes },
      signature: memory.subarray(place, at + length),
    }
  }

  #write(held: HeldValue, definition: KindDefinition, owner: number, next: number): Uint8Array {
    const parts = splitValue(held.wire, definition.model)
    const number = this.#authorOf(held.signer, definition, parts)
    const author = this.#authors[number]!
    const { exists, key, value, signerBytes, signature } = parts
    const isOtherKey = !equalBytes(key, author.key)
    const isOtherSigner = !equalBytes(signerBytes, author.signerBytes)
    const isLong = value.length > MOST_SHORT
    const bytes = concat(
      new Uint8Array(KEY_AT),
      ...(isOtherKey ? withLength(2, key) : []),
      ...withLength(isLong ? 4 : 1, value),
      ...(isOtherSigner ? withLength(2, signerBytes) : []),
      signature,
    )
    const view = new DataView(bytes.buffer)
    view.setInt32(NEXT_AT, next)
    view.setInt32(OWNER_AT, owner)
    view.setInt32(AUTHOR_AT, number)
    writeTime(view, STORED_AT, held.storedAt)
    bytes.set(parts.times, STORAGE_TIME_AT)
    bytes[FORM_AT] =
      (exists ? EXISTS : 0) |
      (isOtherKey ? OTHER_KEY : 0) |
      (isOtherSigner ? OTHER_SIGNER : 0) |
      (isLong ? LONG : 0)
    return bytes
  }

  #authorOf(signer: string, { id }: KindDefinition, { key, signerBytes }: ValueParts): number {
    const number = this.#authorNames.numberOf(`${id} ${signer}`)
    this.#authors[number] ??= { signer, key: key.slice(), signerBytes: signerBytes.slice() }
    return number
  }
}
