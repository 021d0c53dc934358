import type { NodeId } from "../../identity/node-id.ts"
import type { ResourceId } from "../../reload/header.ts"

/** A point on the ring. Node-IDs and CHORD-RELOAD's Resource-IDs share it: 32 hexadecimal digits. */
export type Point = NodeId | ResourceId

/** Node-IDs in their order on the ring. Reading is quick; changing copies, since it is rare. */
export class Circle {
  #ids: readonly NodeId[] = []

  get ids(): readonly NodeId[] {
    return this.#ids
  }

  get size(): number {
    return this.#ids.length
  }

  has(id: NodeId): boolean {
    return this.#ids[this.#indexAt(id)] === id
  }

  /** Whether it was not there before. */
  add(id: NodeId): boolean {
    const index = this.#indexAt(id)
    if (this.#ids[index] === id) return false
    this.#ids = this.#ids.toSpliced(index, 0, id)
    return true
  }

  /** Whether it was there. */
  delete(id: NodeId): boolean {
    const index = this.#indexAt(id)
    if (this.#ids[index] !== id) return false
    this.#ids = this.#ids.toSpliced(index, 1)
    return true
  }

  /** The first id at `point` or after it, clockwise; undefined where the circle is empty. */
  at(point: Point): NodeId | undefined {
    return this.#ids[this.#indexAt(point)] ?? this.#ids[0]
  }

  /** Up to `count` ids from `point` on, clockwise, leaving out `without`. */
  from(point: Point, count: number, without?: NodeId): readonly NodeId[] {
    const start = this.#indexAt(point)
    const found: NodeId[] = []
    for (let i = 0; i < this.#ids.length && found.length < count; i++) {
      const id = this.#ids[(start + i) % this.#ids.length]!
      if (id !== without) found.push(id)
    }
    return found
  }

  /** Up to `count` ids before `point`, counter-clockwise: the nearest first. */
  before(point: Point, count: number): readonly NodeId[] {
    const size = this.#ids.length
    const start = this.#indexAt(point)
    const found: NodeId[] = []
    for (let i = 1; i <= Math.min(count, size); i++) found.push(this.#ids[(start - i + 2 * size) % size]!)
    return found
  }

  /** Index of the first id at `point` or above it in number; the size where there is none. */
  #indexAt(point: Point): number {
    let low = 0
    let high = this.#ids.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#ids[middle]! < point) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Whether `point` lies on the way clockwise from `from`, which is left out, to `to`, which is not. */
export function isWithin(point: Point, from: Point, to: Point): boolean {
  return from < to ? from < point && point <= to : from < point || point <= to
}

const BITS = 128n
const WHOLE = 1n << BITS

export const toNumber = (point: Point): bigint => BigInt(`0x${point}`)

export const toPoint = (number: bigint): ResourceId =>
  (((number % WHOLE) + WHOLE) % WHOLE).toString(16).padStart(32, "0") as ResourceId

/** How far it is clockwise. */
export const distance = (from: Point, to: Point): bigint => (toNumber(to) - toNumber(from) + WHOLE) % WHOLE

/** Where the `i`th finger of `id` begins, from 1: half the ring away. RFC 6940 §10.7.4.2. */
export const fingerStart = (id: NodeId, i: number): ResourceId =>
  toPoint(toNumber(id) + (1n << BigInt(128 - i)))

/** Which finger `peer` can be for `self`: 1 for the far half of the ring, 2 for the quarter before it, … */
export const fingerIndex = (self: NodeId, peer: NodeId): number =>
  129 - distance(self, peer).toString(2).length

/** How many peers there are if they lie everywhere as densely as along this way. RFC 7363 §6.2. */
export function estimateSize(from: NodeId, to: NodeId, gaps: number): number {
  const way = distance(from, to)
  return way === 0n ? gaps : Number((WHOLE * BigInt(gaps)) / way)
}

/** The part of the ring, of 1, that lies behind `predecessor` up to `id`; all of it where both are one. */
export const shareOf = (predecessor: NodeId, id: NodeId): number =>
  predecessor === id ? 1 : Number((distance(predecessor, id) * 1_000_000_000n) / WHOLE) / 1e9
