import { roomFor } from "./growing.ts"

const FIRST_SLOTS = 64
/** Used slots of all; beyond, walks become long. */
const FULLEST = 0.8
const WORD = 2 ** 32

/**
 * Finds rows by a hash of their keys: a table of open addressing, eight bytes a slot. It does not know the keys, so whoever asks goes
 * through the rows of one hash and looks: `for (let slot = index.first(hash); slot >= 0; slot = index.next(slot)) … index.row(slot)`.
 */
export class RowIndex {
  /** By slot: a row and one, or 0 where it is free; and the hash. */
  #rows = new Int32Array(FIRST_SLOTS)
  #hashes = new Int32Array(FIRST_SLOTS)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The first slot with a row of that hash; -1 where there is none. `hash`: 32 bits, well mixed. */
  first(hash: number): number {
    return this.#from(this.#home(hash), hash)
  }

  /** The next one of the same hash. */
  next(slot: number): number {
    return this.#from(this.#behind(slot), this.#hashes[slot]!)
  }

  row(slot: number): number {
    return this.#rows[slot]! - 1
  }

  add(hash: number, row: number): void {
    if (this.#size + 1 > FULLEST * this.#rows.length) this.#grow()
    this.#put(hash | 0, row)
    this.#size++
  }

  delete(hash: number, row: number): void {
    let slot = this.first(hash)
    while (slot >= 0 && this.row(slot) !== row) slot = this.next(slot)
    if (slot < 0) return
    this.#size--
    this.#close(slot)
  }

  #from(start: number, hash: number): number {
    const wanted = hash | 0
    for (let slot = start; this.#rows[slot] !== 0; slot = this.#behind(slot))
      if (this.#hashes[slot] === wanted) return slot
    return -1
  }

  /** Those that stand behind a gap, and would be looked for before it, move up. */
  #close(slot: number): void {
    const length = this.#rows.length
    let gap = slot
    for (let from = this.#behind(gap); this.#rows[from] !== 0; from = this.#behind(from)) {
      const home = this.#home(this.#hashes[from]!)
      const way = (from - home + length) % length
      if (way < (from - gap + length) % length) continue
      this.#rows[gap] = this.#rows[from]!
      this.#hashes[gap] = this.#hashes[from]!
      gap = from
    }
    this.#rows[gap] = 0
  }

  #put(hash: number, row: number): void {
    let slot = this.#home(hash)
    while (this.#rows[slot] !== 0) slot = this.#behind(slot)
    this.#rows[slot] = row + 1
    this.#hashes[slot] = hash
  }

  /** Not by the last digits of the hash, so that the table may have any length. */
  #home(hash: number): number {
    return Math.floor(((hash >>> 0) * this.#rows.length) / WORD)
  }

  #behind(slot: number): number {
    return slot + 1 === this.#rows.length ? 0 : slot + 1
  }

  #grow(): void {
    const [rows, hashes] = [this.#rows, this.#hashes]
    const length = roomFor(FIRST_SLOTS, rows.length)
    this.#rows = new Int32Array(length)
    this.#hashes = new Int32Array(length)
    for (let slot = 0; slot < rows.length; slot++)
      if (rows[slot] !== 0) this.#put(hashes[slot]!, rows[slot]! - 1)
  }
}

const FNV_PRIME = 0x01000193
export const FIRST_HASH = 0x811c9dc5 | 0

/** FNV-1a of bytes, after `seed`; to be `mixed` at last. */
export function hashOfBytes(bytes: Uint8Array, start: number, end: number, seed = FIRST_HASH): number {
  let hash = seed
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME)
  return hash
}

/** The same of a text, of which each character counts as its code. */
export function hashOfText(text: string, seed = FIRST_HASH): number {
  let hash = seed
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME)
  return hash
}

/** Spreads a hash over all its digits. The finalizer of MurmurHash3. */
export function mixed(hash: number): number {
  let word = hash
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
  return word ^ (word >>> 16)
}
