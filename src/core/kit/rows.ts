import { invariant } from "./errors.ts"
import { grownInts, roomFor } from "./growing.ts"

/** A slab, where rows stand one behind the other. Larger ones would make a pause of their compaction. */
const SLAB_BYTES = 262_144
/** Rows begin at multiples of it, so that 2^31 places are 8 GiB. */
const UNIT = 4
/** In front of each row: its number, and its length. */
const HEAD = 6
const LENGTH_AT = 4
/** In place of a length that takes more: that stands behind the head. */
const LONG = 0xffff
const LONG_HEAD = HEAD + 4
/** Number of a row that is no more. */
const GONE = 0xffff_ffff
/** A slab of which so much is gone is given up: what is left of it moves. */
const MOST_GONE = 1 / 4

const FIRST_ROWS = 64
const NO_ROW = -1

interface Slab {
  readonly memory: Uint8Array
  readonly view: DataView
  /** Behind its last row. */
  end: number
  /** Bytes of rows that are no more. */
  gone: number
}

/**
 * Many rows of bytes in a few large pieces of memory, each known by a small number: an object, a view and a buffer for each would be
 * several times as large as what they hold, and whoever collects garbage would have to look at each.
 *
 * Rows are looked at where they stand: `seek` says where that is. What is added, replaced or deleted may move any other row.
 */
export class Rows {
  /** Where the row is that was sought last: from `at` on, `length` bytes. */
  memory: Uint8Array
  view: DataView
  at = 0
  length = 0
  readonly #slabs: (Slab | undefined)[] = []
  readonly #freeSlabs: number[] = []
  /** That of the last slab that was given up. */
  #spare: Slab | undefined
  /** The slab that is being filled. */
  #filling = 0
  /** By row number: its place in units; where it is free, less than 0: -2 less the next free one. */
  #places = new Int32Array(FIRST_ROWS)
  #rows = 0
  #free = NO_ROW
  #size = 0
  readonly #slabBytes: number
  readonly #units: number

  /** `slabBytes`: a multiple of 4. */
  constructor(slabBytes = SLAB_BYTES) {
    this.#slabBytes = slabBytes
    this.#units = slabBytes / UNIT
    this.memory = new Uint8Array(0)
    this.view = new DataView(this.memory.buffer)
    this.#filling = this.#addSlab(this.#slabBytes)
  }

  /** How many rows there are. */
  get size(): number {
    return this.#size
  }

  /** Numbers of rows are below it. */
  get end(): number {
    return this.#rows
  }

  has(row: number): boolean {
    return row >= 0 && row < this.#rows && this.#places[row]! >= 0
  }

  add(bytes: Uint8Array): number {
    const row = this.#takeNumber()
    this.#size++
    this.#place(row, bytes)
    return row
  }

  /** The same row with other bytes. */
  replace(row: number, bytes: Uint8Array): void {
    this.seek(row)
    if (sizeOf(bytes.length) === sizeOf(this.length)) {
      writeRow(this.memory, this.view, this.at - headOf(this.length), row, bytes)
      return this.seek(row)
    }
    const slab = this.#vacate(row)
    this.#place(row, bytes)
    this.#tidy(slab)
    this.seek(row)
  }

  /** Its number may be another row's from now on. */
  delete(row: number): void {
    this.seek(row)
    const slab = this.#vacate(row)
    this.#places[row] = -2 - this.#free
    this.#free = row
    this.#size--
    this.#tidy(slab)
  }

  /** Says where a row stands, until one is added, replaced or deleted. */
  seek(row: number): void {
    const place = this.#places[row]!
    invariant(row < this.#rows && place >= 0, "a row that is sought is there")
    const { memory, view } = this.#slabs[Math.floor(place / this.#units)]!
    const head = (place % this.#units) * UNIT
    this.memory = memory
    this.view = view
    this.length = lengthAt(view, head)
    this.at = head + headOf(this.length)
  }

  /** Of four bytes, and of eight below, from `at` in a row on. */
  int(row: number, at: number): number {
    this.seek(row)
    return this.view.getInt32(this.at + at)
  }

  setInt(row: number, at: number, value: number): void {
    this.seek(row)
    this.view.setInt32(this.at + at, value)
  }

  double(row: number, at: number): number {
    this.seek(row)
    return this.view.getFloat64(this.at + at)
  }

  setDouble(row: number, at: number, value: number): void {
    this.seek(row)
    this.view.setFloat64(this.at + at, value)
  }

  /** A copy of a row, or of a part of it. */
  bytes(row: number, start = 0): Uint8Array {
    this.seek(row)
    return this.memory.slice(this.at + start, this.at + this.length)
  }

  /** Numbers of rows, in their order. Rows may come and go meanwhile. */
  *all(): Generator<number> {
    for (let row = 0; row < this.#rows; row++) if (this.#places[row]! >= 0) yield row
  }

  #takeNumber(): number {
    const row = this.#free
    if (row !== NO_ROW) {
      this.#free = -2 - this.#places[row]!
      return row
    }
    if (this.#rows === this.#places.length)
      this.#places = grownInts(this.#places, roomFor(this.#rows + 1, this.#rows))
    return this.#rows++
  }

  #place(row: number, bytes: Uint8Array): void {
    const size = sizeOf(bytes.length)
    const number = this.#slabFor(size)
    const slab = this.#slabs[number]!
    const head = slab.end
    slab.end += size
    writeRow(slab.memory, slab.view, head, row, bytes)
    this.#places[row] = number * this.#units + head / UNIT
  }

  /** One with room for so many bytes. */
  #slabFor(size: number): number {
    if (size > this.#slabBytes) return this.#addSlab(size)
    for (;;) {
      const number = this.#filling
      if (this.#slabBytes - this.#slabs[number]!.end >= size) return number
      this.#filling = this.#addSlab(this.#slabBytes)
      // What moves from the full one may fill the next.
      this.#tidy(number)
    }
  }

  /** The row that was sought leaves its place; the slab where that was. */
  #vacate(row: number): number {
    const number = Math.floor(this.#places[row]! / this.#units)
    const slab = this.#slabs[number]!
    slab.view.setUint32(this.at - headOf(this.length), GONE)
    slab.gone += sizeOf(this.length)
    return number
  }

  #addSlab(bytes: number): number {
    const number = this.#freeSlabs.pop() ?? this.#slabs.length
    const spare = bytes === this.#slabBytes ? this.#spare : undefined
    if (spare !== undefined) this.#spare = undefined
    const memory = spare?.memory ?? new Uint8Array(bytes)
    const view = spare?.view ?? new DataView(memory.buffer)
    this.#slabs[number] = { memory, view, end: 0, gone: 0 }
    return number
  }

  /** Gives a slab up of which too much is gone, but not the one that is being filled. */
  #tidy(number: number): void {
    const slab = this.#slabs[number]
    // It may have been given up already, when what replaces a row of it filled it.
    if (slab === undefined) return
    const isGood = slab.gone < MOST_GONE * slab.memory.length && slab.gone < slab.end
    if (isGood || number === this.#filling) return
    for (let head = 0; head < slab.end; ) {
      const row = slab.view.getUint32(head)
      const length = lengthAt(slab.view, head)
      const start = head + headOf(length)
      if (row !== GONE) this.#place(row, slab.memory.subarray(start, start + length))
      head += sizeOf(length)
    }
    this.#slabs[number] = undefined
    this.#freeSlabs.push(number)
    if (slab.memory.length === this.#slabBytes) this.#spare = slab
  }
}

const headOf = (length: number): number => (length < LONG ? HEAD : LONG_HEAD)

function lengthAt(view: DataView, head: number): number {
  const length = view.getUint16(head + LENGTH_AT)
  return length < LONG ? length : view.getUint32(head + HEAD)
}

function writeRow(memory: Uint8Array, view: DataView, head: number, row: number, bytes: Uint8Array): void {
  view.setUint32(head, row)
  view.setUint16(head + LENGTH_AT, Math.min(bytes.length, LONG))
  if (bytes.length >= LONG) view.setUint32(head + HEAD, bytes.length)
  memory.set(bytes, head + headOf(bytes.length))
}

/** Of a row, what is in front of it included. */
const sizeOf = (length: number): number => UNIT * Math.ceil((headOf(length) + length) / UNIT)
