import { after, type Duration, type Instant, NEVER, seconds } from "../kit/time.ts"

const FIRST_ROOM = 256
/** Texts and bytes lie one behind the other in pieces of this size; what is larger has one of its own. */
const SLAB_BYTES = 65_536
/** Pieces that are kept for the next entries, instead of being made anew. */
const SPARE_SLABS = 32
/** An entry that comes takes so many with it that are over, so that there is never much to do at once. */
const TAKEN_ALONG = 2
/** What nothing takes along goes that much later. */
const GRACE = seconds(1)
/** A table with fewer entries than that part of its room is made smaller. */
const SPARSE = 8

/** Of the columns: numbers an entry. */
const STRIDE = 6
const HASH = 0
/** The place, plus one, of the next entry of the same slot; 0 where there is none. */
const NEXT = 1
/** The number of the slab, as they were begun. */
const SLAB = 2
const START = 3
const KEY_LENGTH = 4
const BYTES_LENGTH = 5
/** In the place of KEY_LENGTH: it has been dropped, and waits for its turn. */
const GONE = -1

export interface Left {
  readonly key: string
  /** Latin1, where it is a text. */
  readonly bytes?: Uint8Array | string | undefined
  readonly about?: object | undefined
  readonly number?: number
}

/**
 * What is left of transactions that linger, all for the same time: entries found by a text and its hash (`KeyHash`), first in, first out. Hundreds of thousands of them are
 * usual, and a collector of garbage copies what survives twice and marks it again and again; so they are no objects but numbers and bytes in a few
 * large pieces of memory, and cost nothing while they wait (docs/performance.md). `about` is kept as it is: something that many entries share.
 */
export class Remains {
  readonly #lifetime: Duration
  /** A ring; how long it is, a power of two, less one. */
  #mask = FIRST_ROOM - 1
  #columns = new Int32Array(FIRST_ROOM * STRIDE)
  #until = new Float64Array(FIRST_ROOM)
  #numbers = new Float64Array(FIRST_ROOM)
  #about: (object | undefined)[] = new Array<object | undefined>(FIRST_ROOM).fill(undefined)
  /** By a part of the hash: the place, plus one, of the latest such entry. */
  #heads = new Int32Array(FIRST_ROOM)
  /** Entries that have come, and have gone, since the beginning; dropped ones go in their turn. */
  #come = 0
  #gone = 0
  #dropped = 0
  #slabs: Uint8Array[] = []
  #firstSlab = 0
  #used = SLAB_BYTES
  readonly #spare: Uint8Array[] = []

  constructor(lifetime: Duration) {
    this.#lifetime = lifetime
  }

  get size(): number {
    return this.#come - this.#gone - this.#dropped
  }

  /** When `expire` has something to do at last: what is over before is not found any more, and takes up room only. */
  get deadline(): Instant {
    return this.#come === this.#gone ? NEVER : after(this.#until[this.#gone & this.#mask]! as Instant, GRACE)
  }

  /** The number of the new entry. One with the same key that is there already is found no more. */
  add({ key, bytes, about, number = 0 }: Left, hash: number, now: Instant): number {
    for (let count = 0; count < TAKEN_ALONG && this.#isFirstOver(now); count++) this.#shift()
    if (this.#come - this.#gone > this.#mask) this.#resize(2 * (this.#mask + 1))
    const entry = this.#come++
    const place = entry & this.#mask
    const size = bytes?.length ?? 0
    const slab = this.#roomFor(key.length + size)
    const start = this.#used
    write(key, slab, start)
    if (typeof bytes === "string") write(bytes, slab, start + key.length)
    else if (bytes !== undefined) slab.set(bytes, start + key.length)
    this.#used += key.length + size
    const at = place * STRIDE
    this.#columns[at + HASH] = hash
    this.#columns[at + SLAB] = this.#firstSlab + this.#slabs.length - 1
    this.#columns[at + START] = start
    this.#columns[at + KEY_LENGTH] = key.length
    this.#columns[at + BYTES_LENGTH] = size
    this.#until[place] = after(now, this.#lifetime)
    this.#numbers[place] = number
    this.#about[place] = about
    this.#link(place)
    return entry
  }

  /** The number of the latest entry of that key that is not over; undefined where there is none. */
  find(key: string, hash: number, now: Instant): number | undefined {
    if (this.#come === this.#gone) return undefined
    let place = this.#heads[hash & this.#mask]! - 1
    while (place >= 0) {
      const at = place * STRIDE
      if (this.#columns[at + HASH] === hash && this.#until[place]! > now && this.#hasKey(at, key))
        return this.#gone + ((place - this.#gone) & this.#mask)
      place = this.#columns[at + NEXT]! - 1
    }
    return undefined
  }

  /** Whether that entry is still there. */
  has(entry: number, now: Instant): boolean {
    if (!(entry >= this.#gone && entry < this.#come)) return false
    const place = entry & this.#mask
    return this.#columns[place * STRIDE + KEY_LENGTH] !== GONE && this.#until[place]! > now
  }

  keyOf(entry: number): string {
    const [bytes, start] = [this.#slabOf(entry), this.#column(entry, START)]
    let key = ""
    for (let at = 0; at < this.#column(entry, KEY_LENGTH); at++)
      key += String.fromCharCode(bytes[start + at]!)
    return key
  }

  /** A copy. */
  bytesOf(entry: number): Uint8Array {
    const start = this.#column(entry, START) + this.#column(entry, KEY_LENGTH)
    return this.#slabOf(entry).slice(start, start + this.#column(entry, BYTES_LENGTH))
  }

  aboutOf(entry: number): object | undefined {
    return this.#about[entry & this.#mask]
  }

  numberOf(entry: number): number {
    return this.#numbers[entry & this.#mask]!
  }

  /** Before its time. */
  drop(entry: number): void {
    const place = entry & this.#mask
    this.#unlink(place)
    this.#columns[place * STRIDE + KEY_LENGTH] = GONE
    this.#about[place] = undefined
    this.#dropped++
  }

  /** Lets go of all that is over. */
  expire(now: Instant): void {
    while (this.#isFirstOver(now)) this.#shift()
    let room = this.#mask + 1
    while (room > FIRST_ROOM && (this.#come - this.#gone) * SPARSE < room) room /= 2
    if (room <= this.#mask) this.#resize(room)
    if (this.#come > this.#gone) return
    this.#spare.length = 0
  }

  #isFirstOver(now: Instant): boolean {
    return this.#gone < this.#come && this.#until[this.#gone & this.#mask]! <= now
  }

  /** The oldest goes. */
  #shift(): void {
    const place = this.#gone & this.#mask
    const at = place * STRIDE
    if (this.#columns[at + KEY_LENGTH] === GONE) this.#dropped--
    else this.#unlink(place)
    this.#about[place] = undefined
    this.#gone++
    const isLast = this.#gone === this.#come
    const spent = isLast
      ? this.#slabs.length
      : this.#slabIndex(this.#columns[(this.#gone & this.#mask) * STRIDE + SLAB]!)
    for (let count = 0; count < spent; count++) this.#freeSlab()
  }

  #freeSlab(): void {
    const slab = this.#slabs.shift()!
    this.#firstSlab = (this.#firstSlab + 1) | 0
    if (this.#slabs.length === 0) this.#used = SLAB_BYTES
    if (slab.length === SLAB_BYTES && this.#spare.length < SPARE_SLABS) this.#spare.push(slab)
  }

  #roomFor(length: number): Uint8Array {
    const last = this.#slabs.at(-1)
    if (last !== undefined && this.#used + length <= last.length) return last
    const slab =
      length > SLAB_BYTES ? new Uint8Array(length) : (this.#spare.pop() ?? new Uint8Array(SLAB_BYTES))
    this.#slabs.push(slab)
    this.#used = 0
    return slab
  }

  #column(entry: number, column: number): number {
    return this.#columns[(entry & this.#mask) * STRIDE + column]!
  }

  #slabOf(entry: number): Uint8Array {
    return this.#slabs[this.#slabIndex(this.#column(entry, SLAB))]!
  }

  /** Numbers of slabs come round after years. */
  #slabIndex(number: number): number {
    return (number - this.#firstSlab) | 0
  }

  #hasKey(at: number, key: string): boolean {
    if (this.#columns[at + KEY_LENGTH] !== key.length) return false
    const slab = this.#slabs[this.#slabIndex(this.#columns[at + SLAB]!)]!
    const start = this.#columns[at + START]!
    for (let index = 0; index < key.length; index++)
      if (slab[start + index] !== key.charCodeAt(index)) return false
    return true
  }

  #link(place: number): void {
    const at = place * STRIDE
    const slot = this.#columns[at + HASH]! & this.#mask
    this.#columns[at + NEXT] = this.#heads[slot]!
    this.#heads[slot] = place + 1
  }

  #unlink(place: number): void {
    const columns = this.#columns
    const slot = columns[place * STRIDE + HASH]! & this.#mask
    const next = columns[place * STRIDE + NEXT]!
    let at = this.#heads[slot]!
    if (at === place + 1) {
      this.#heads[slot] = next
      return
    }
    while (columns[(at - 1) * STRIDE + NEXT] !== place + 1) at = columns[(at - 1) * STRIDE + NEXT]!
    columns[(at - 1) * STRIDE + NEXT] = next
  }

  /** The same entries in a ring of another size. */
  #resize(room: number): void {
    const [columns, until, numbers, about, mask] = [
      this.#columns,
      this.#until,
      this.#numbers,
      this.#about,
      this.#mask,
    ]
    this.#mask = room - 1
    this.#columns = new Int32Array(room * STRIDE)
    this.#until = new Float64Array(room)
    this.#numbers = new Float64Array(room)
    this.#about = new Array<object | undefined>(room).fill(undefined)
    this.#heads = new Int32Array(room)
    for (let entry = this.#gone; entry < this.#come; entry++) {
      const [from, to] = [entry & mask, entry & this.#mask]
      for (let column = 0; column < STRIDE; column++)
        this.#columns[to * STRIDE + column] = columns[from * STRIDE + column]!
      this.#until[to] = until[from]!
      this.#numbers[to] = numbers[from]!
      this.#about[to] = about[from]
      if (this.#columns[to * STRIDE + KEY_LENGTH] !== GONE) this.#link(to)
    }
  }
}

function write(text: string, bytes: Uint8Array, start: number): void {
  for (let at = 0; at < text.length; at++) bytes[start + at] = text.charCodeAt(at)
}
