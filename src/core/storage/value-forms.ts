import { concat, equalBytes } from "../kit/bytes.ts"
import { toHex } from "../kit/hex.ts"
import { Interned } from "../kit/interned.ts"
import { Likeness } from "../kit/likeness.ts"
import { readTime, TIME_BYTES, writeTime } from "../kit/row-times.ts"
import type { Rows } from "../kit/rows.ts"
import { after, type Instant, seconds } from "../kit/time.ts"
import type { KindId } from "../reload/stored-data.ts"
import type { HeldValue } from "./held-value.ts"
import type { KindDefinition } from "./kind.ts"
import { indexIn, joinValue, splitValue, type ValueParts, withLength } from "./value-parts.ts"

// A held value at rest: its author, when it came, storage_time less that, lifetime, and what the rest is made of; then those parts of
// StoredData that are not known from its author, without the lengths that follow from others.
const AUTHOR_AT = 0
const STORED_AT = 4
const STORAGE_TIME_AT = STORED_AT + TIME_BYTES
const LIFETIME_AT = STORAGE_TIME_AT + 4
const FORM_AT = LIFETIME_AT + 4
const PARTS_AT = FORM_AT + 1

const EXISTS = 1
/** Its key, in an array its index, is not the author's usual one. */
const OTHER_KEY = 2
/** It is signed otherwise than the author's first. */
const OTHER_SIGNER = 4
/** The length of the value takes four bytes instead of one. */
const LONG = 8
/** The value is written as what it repeats of its Kind's example, and what is new. */
const PACKED = 16
/** Its storage_time is far from the time when it came, and stands in front of the parts. */
const FAR_TIME = 32
const FAR_TIME_BYTES = 8
const MOST_SHORT = 0xff

/** Of values that are packed. */
const LONGEST_PACKED = 512
/** A shorter value says little of what others of its Kind are like. */
const SHORTEST_EXAMPLE = 32

const WORD = 2 ** 32

/** What a signer's values of a Kind have in common, as his first had it: nodes write under their own key, by one certificate. */
interface Author {
  readonly signer: string
  readonly key: Uint8Array
  readonly signerBytes: Uint8Array
}

/** Held values as bytes in rows. Where one is read, its row has just been sought, and it stands from `start` on to the row's end. */
export class ValueForms {
  readonly #authorNames = new Interned<string>()
  readonly #authors: Author[] = []
  /** What values of a Kind are like: the first that was long enough. */
  readonly #likenesses = new Map<KindId, Likeness>()

  signer(rows: Rows, start: number): string {
    return this.#author(rows, start).signer
  }

  expiresAt({ view }: Rows, start: number): Instant {
    return after(readTime(view, start + STORED_AT), seconds(view.getUint32(start + LIFETIME_AT)))
  }

  /** See `slotOf`. */
  slot(rows: Rows, start: number, { model }: KindDefinition): string {
    if (model === "single") return ""
    const { memory, view } = rows
    const form = view.getUint8(start + FORM_AT)
    const lengthAt = partsAt(start, form)
    const keyAt = lengthAt + 2
    const key =
      form & OTHER_KEY
        ? memory.subarray(keyAt, keyAt + view.getUint16(lengthAt))
        : this.#author(rows, start).key
    return model === "dictionary" ? toHex(key) : String(indexIn(key))
  }

  /** As it was given. */
  read(rows: Rows, start: number, definition: KindDefinition): HeldValue {
    const storedAt = readTime(rows.view, start + STORED_AT)
    const storageTime = storageTimeOf(rows, start)
    const parts = this.#parts(rows, start, definition.id, storageTime)
    return {
      slot: this.slot(rows, start, definition),
      wire: joinValue(parts, definition.model),
      storageTime,
      exists: parts.exists,
      signer: this.signer(rows, start),
      storedAt,
      expiresAt: this.expiresAt(rows, start),
    }
  }

  /** With room in front for so many bytes. */
  write(held: HeldValue, definition: KindDefinition, ahead: number): Uint8Array {
    const parts = splitValue(held.wire, definition.model)
    const { times, exists, key, value, signerBytes, signature } = parts
    const number = this.#authorOf(held.signer, definition, parts)
    const author = this.#authors[number]!
    const storedAt = Math.floor(held.storedAt)
    const sooner = held.storageTime - storedAt
    const packed = this.#likenessOf(definition.id, value)?.pack(value)
    const written = packed ?? value
    let form = exists ? EXISTS : 0
    if (!equalBytes(key, author.key)) form |= OTHER_KEY
    if (!equalBytes(signerBytes, author.signerBytes)) form |= OTHER_SIGNER
    if (written.length > MOST_SHORT) form |= LONG
    if (packed !== undefined) form |= PACKED
    if (sooner !== (sooner | 0)) form |= FAR_TIME
    const bytes = concat(
      new Uint8Array(ahead + PARTS_AT),
      ...(form & FAR_TIME ? [times.subarray(0, FAR_TIME_BYTES)] : []),
      ...(form & OTHER_KEY ? withLength(2, key) : []),
      ...withLength(form & LONG ? 4 : 1, written),
      ...(form & OTHER_SIGNER ? withLength(2, signerBytes) : []),
      signature,
    )
    const view = new DataView(bytes.buffer)
    view.setInt32(ahead + AUTHOR_AT, number)
    writeTime(view, ahead + STORED_AT, held.storedAt)
    view.setInt32(ahead + STORAGE_TIME_AT, sooner)
    bytes.set(times.subarray(FAR_TIME_BYTES), ahead + LIFETIME_AT)
    bytes[ahead + FORM_AT] = form
    return bytes
  }

  #author({ view }: Rows, start: number): Author {
    return this.#authors[view.getInt32(start + AUTHOR_AT)]!
  }

  #parts(rows: Rows, start: number, kind: KindId, storageTime: number): ValueParts {
    const author = this.#author(rows, start)
    const { memory, view, at, length } = rows
    const form = view.getUint8(start + FORM_AT)
    let place = partsAt(start, form)
    const take = (sizeOfLength: 1 | 2 | 4) => {
      const bytes =
        sizeOfLength === 1
          ? view.getUint8(place)
          : sizeOfLength === 2
            ? view.getUint16(place)
            : view.getUint32(place)
      const from = place + sizeOfLength
      place = from + bytes
      return memory.subarray(from, place)
    }
    const key = form & OTHER_KEY ? take(2) : author.key
    const written = take(form & LONG ? 4 : 1)
    const signerBytes = form & OTHER_SIGNER ? take(2) : author.signerBytes
    return {
      times: timesOf(storageTime, view.getUint32(start + LIFETIME_AT)),
      exists: (form & EXISTS) !== 0,
      value: form & PACKED ? this.#likenesses.get(kind)!.unpack(written) : written,
      ...{ key, signerBytes },
      signature: memory.subarray(place, at + length),
    }
  }

  #authorOf(signer: string, { id }: KindDefinition, { key, signerBytes }: ValueParts): number {
    const number = this.#authorNames.numberOf(`${id} ${signer}`)
    this.#authors[number] ??= { signer, key: key.slice(), signerBytes: signerBytes.slice() }
    return number
  }

  #likenessOf(kind: KindId, value: Uint8Array): Likeness | undefined {
    const known = this.#likenesses.get(kind)
    if (known !== undefined || value.length < SHORTEST_EXAMPLE) return known
    const likeness = new Likeness(value, LONGEST_PACKED)
    this.#likenesses.set(kind, likeness)
    return likeness
  }
}

const partsAt = (start: number, form: number): number =>
  start + PARTS_AT + (form & FAR_TIME ? FAR_TIME_BYTES : 0)

function storageTimeOf({ view }: Rows, start: number): number {
  const far = start + PARTS_AT
  return view.getUint8(start + FORM_AT) & FAR_TIME
    ? view.getUint32(far) * WORD + view.getUint32(far + 4)
    : readTime(view, start + STORED_AT) + view.getInt32(start + STORAGE_TIME_AT)
}

/** As they stand in StoredData. */
function timesOf(storageTime: number, lifetime: number): Uint8Array {
  const times = new Uint8Array(FAR_TIME_BYTES + 4)
  const view = new DataView(times.buffer)
  view.setUint32(0, storageTime / WORD)
  view.setUint32(4, storageTime)
  view.setUint32(FAR_TIME_BYTES, lifetime)
  return times
}
