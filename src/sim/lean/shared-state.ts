import { type Instant, NEVER } from "../../core/kit/time.ts"
import type { Table } from "../../core/topology/chord/rules.ts"
import type { ChordState, Wanted } from "../../core/topology/chord/state.ts"

const NEEDS_US = 1
const DISMISSED = 2
/** The link is up: it may be down for a moment before the peer is forgotten, or outlast it. */
const LINKED = 4
const SHIFT = 3
const FLAGS = 7

/** Room for so many peers at first; twice as much each time it does not suffice. */
const SMALLEST = 32
const GROWTH = 1.5

const NOBODY: ReadonlyMap<number, Wanted<number>> = new Map()

/**
 * The Chord state of a whole population in a few arrays, and the seat of one peer: `sit` says whose. A peer's
 * table is a sorted stretch of one array, an entry being the other's rank and three flags.
 */
export class SharedState implements ChordState<number> {
  readonly peers: Table<number>
  readonly isMesh = false
  #slab: Uint32Array
  #used = 0
  readonly #free = new Map<number, number[]>()
  readonly #offset: Uint32Array
  readonly #size: Uint16Array
  readonly #room: Uint16Array
  readonly #joined: Uint8Array
  /** Five instants for each: started, update, search, searched, refresh, tidy. */
  readonly #times: Float64Array
  /** Few have any of these at a time. */
  readonly #links = new Map<number, Set<number>>()
  readonly #wanted = new Map<number, Map<number, Wanted<number>>>()
  #seat = 0
  #base = 0

  constructor(ranks: number, expectedEntries: number) {
    this.#slab = new Uint32Array(expectedEntries)
    this.#offset = new Uint32Array(ranks)
    this.#size = new Uint16Array(ranks)
    this.#room = new Uint16Array(ranks)
    this.#joined = new Uint8Array(ranks)
    this.#times = new Float64Array(ranks * TIMES).fill(NEVER)
    const state = this
    this.peers = {
      get size() {
        return state.#size[state.#seat]!
      },
      id: (index) => state.#slab[state.#base + index]! >>> SHIFT,
    }
  }

  sit(rank: number): void {
    this.#seat = rank
    this.#base = this.#offset[rank]!
  }

  /** Everything that this peer knew is forgotten, and its room is free for others. */
  clear(): void {
    const seat = this.#seat
    const room = this.#room[seat]!
    if (room > 0) this.#freeOf(room).push(this.#base)
    this.#size[seat] = 0
    this.#room[seat] = 0
    this.#joined[seat] = 0
    this.#times.fill(NEVER, seat * TIMES, (seat + 1) * TIMES)
    this.#times[seat * TIMES + SEARCHED] = 0
    this.#links.delete(seat)
    this.#wanted.delete(seat)
  }

  get bytes(): number {
    const arrays = [this.#slab, this.#offset, this.#size, this.#room, this.#joined, this.#times]
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  get self(): number {
    return this.#seat
  }
  get joined(): boolean {
    return this.#joined[this.#seat] === 1
  }
  set joined(joined: boolean) {
    this.#joined[this.#seat] = joined ? 1 : 0
  }
  get startedAt(): Instant {
    return this.#time(0)
  }
  set startedAt(at: Instant) {
    this.#setTime(0, at)
  }
  get updateAt(): Instant {
    return this.#time(1)
  }
  set updateAt(at: Instant) {
    this.#setTime(1, at)
  }
  get searchAt(): Instant {
    return this.#time(2)
  }
  set searchAt(at: Instant) {
    this.#setTime(2, at)
  }
  get searchedAt(): Instant {
    return this.#time(SEARCHED)
  }
  set searchedAt(at: Instant) {
    this.#setTime(SEARCHED, at)
  }
  get refreshAt(): Instant {
    return this.#time(4)
  }
  set refreshAt(at: Instant) {
    this.#setTime(4, at)
  }
  get tidyAt(): Instant {
    return this.#time(5)
  }
  set tidyAt(at: Instant) {
    this.#setTime(5, at)
  }

  heard(): void {}
  unheard(): void {}

  isLinked(id: number): boolean {
    const index = this.#find(id)
    if (index >= 0) return (this.#slab[this.#base + index]! & LINKED) !== 0
    return this.#links.get(this.#seat)?.has(id) === true
  }

  link(id: number): void {
    const index = this.#find(id)
    if (index >= 0) this.#slab[this.#base + index]! |= LINKED
    else this.#linkAlone(id)
  }

  unlink(id: number): void {
    const index = this.#find(id)
    if (index >= 0) this.#slab[this.#base + index]! &= ~LINKED
    this.#unlinkAlone(id)
  }

  linked(): readonly number[] {
    const found = [...(this.#links.get(this.#seat) ?? [])]
    const end = this.#base + this.#size[this.#seat]!
    for (let i = this.#base; i < end; i++) {
      const entry = this.#slab[i]!
      if ((entry & LINKED) !== 0) found.push(entry >>> SHIFT)
    }
    return found
  }

  isPeer(id: number): boolean {
    return this.#find(id) >= 0
  }

  addPeer(id: number): boolean {
    const at = this.#firstAt(id)
    const size = this.#size[this.#seat]!
    if (at < size && this.#slab[this.#base + at]! >>> SHIFT === id) return false
    if (size === this.#room[this.#seat]) this.#grow()
    const start = this.#base + at
    this.#slab.copyWithin(start + 1, start, this.#base + size)
    this.#slab[start] = (id << SHIFT) | (this.#unlinkAlone(id) ? LINKED : 0)
    this.#size[this.#seat] = size + 1
    return true
  }

  deletePeer(id: number): boolean {
    const index = this.#find(id)
    if (index < 0) return false
    const start = this.#base + index
    if ((this.#slab[start]! & LINKED) !== 0) this.#linkAlone(id)
    const size = this.#size[this.#seat]!
    this.#slab.copyWithin(start, start + 1, this.#base + size)
    this.#size[this.#seat] = size - 1
    return true
  }

  needsUs(id: number): boolean {
    return this.#flag(id, NEEDS_US)
  }
  setNeedsUs(id: number, needs: boolean): void {
    this.#setFlag(id, NEEDS_US, needs)
  }
  isDismissed(id: number): boolean {
    return this.#flag(id, DISMISSED)
  }
  setDismissed(id: number, dismissed: boolean): void {
    this.#setFlag(id, DISMISSED, dismissed)
  }

  get wanted(): ReadonlyMap<number, Wanted<number>> {
    return this.#wanted.get(this.#seat) ?? NOBODY
  }

  want(id: number, wanted: Wanted<number>): void {
    let all = this.#wanted.get(this.#seat)
    if (all === undefined) {
      all = new Map()
      this.#wanted.set(this.#seat, all)
    }
    all.set(id, wanted)
  }

  unwant(id: number): void {
    const all = this.#wanted.get(this.#seat)
    if (all?.delete(id) && all.size === 0) this.#wanted.delete(this.#seat)
  }

  // Only a full mesh corrects, and this is none.
  correctedAt(): Instant {
    return 0 as Instant
  }
  setCorrectedAt(): void {}

  #time(which: number): Instant {
    return this.#times[this.#seat * TIMES + which]! as Instant
  }

  #setTime(which: number, at: Instant): void {
    this.#times[this.#seat * TIMES + which] = at
  }

  #firstAt(id: number): number {
    let low = 0
    let high = this.#size[this.#seat]!
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#slab[this.#base + middle]! >>> SHIFT < id) low = middle + 1
      else high = middle
    }
    return low
  }

  #find(id: number): number {
    const at = this.#firstAt(id)
    return at < this.#size[this.#seat]! && this.#slab[this.#base + at]! >>> SHIFT === id ? at : -1
  }

  #flag(id: number, flag: number): boolean {
    const index = this.#find(id)
    return index >= 0 && (this.#slab[this.#base + index]! & flag) !== 0
  }

  #setFlag(id: number, flag: number, isSet: boolean): void {
    const index = this.#find(id)
    if (index < 0) return
    if (isSet) this.#slab[this.#base + index]! |= flag
    else this.#slab[this.#base + index]! &= ~flag & (FLAGS | ~FLAGS)
  }

  #linkAlone(id: number): void {
    const alone = this.#links.get(this.#seat)
    if (alone) alone.add(id)
    else this.#links.set(this.#seat, new Set([id]))
  }

  #unlinkAlone(id: number): boolean {
    const alone = this.#links.get(this.#seat)
    if (!alone?.delete(id)) return false
    if (alone.size === 0) this.#links.delete(this.#seat)
    return true
  }

  /** Moves the table to where there is more room. */
  #grow(): void {
    const seat = this.#seat
    const old = this.#room[seat]!
    const room = old === 0 ? SMALLEST : old + (old >> 1)
    let base = this.#freeOf(room).pop()
    if (base === undefined) {
      base = this.#used
      this.#used += room
      if (this.#used > this.#slab.length) {
        const larger = new Uint32Array(Math.ceil(this.#used * GROWTH))
        larger.set(this.#slab)
        this.#slab = larger
      }
    }
    this.#slab.copyWithin(base, this.#base, this.#base + this.#size[seat]!)
    if (old > 0) this.#freeOf(old).push(this.#base)
    this.#room[seat] = room
    this.#offset[seat] = base
    this.#base = base
  }

  #freeOf(room: number): number[] {
    const known = this.#free.get(room)
    if (known) return known
    const fresh: number[] = []
    this.#free.set(room, fresh)
    return fresh
  }
}

const TIMES = 6
const SEARCHED = 3
