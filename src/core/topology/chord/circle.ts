import type { NodeId } from "../../identity/node-id.ts"
import type { ResourceId } from "../../reload/header.ts"
import { indexAt, type Ring, type Table } from "./rules.ts"

/** A point on the ring. Node-IDs and CHORD-RELOAD's Resource-IDs share it: 32 hexadecimal digits. */
export type Point = NodeId | ResourceId

/** Node-IDs in their order on the ring. Reading is quick; changing copies, since it is rare. */
export class Circle implements Table<NodeId> {
  #ids: readonly NodeId[] = []

  get ids(): readonly NodeId[] {
    return this.#ids
  }

  get size(): number {
    return this.#ids.length
  }

  id(index: number): NodeId {
    return this.#ids[index]!
  }

  has(id: NodeId): boolean {
    return this.#ids[indexAt(this, id)] === id
  }

  /** Whether it was not there before. */
  add(id: NodeId): boolean {
    const index = indexAt(this, id)
    if (this.#ids[index] === id) return false
    this.#ids = this.#ids.toSpliced(index, 0, id)
    return true
  }

  /** Whether it was there. */
  delete(id: NodeId): boolean {
    const index = indexAt(this, id)
    if (this.#ids[index] !== id) return false
    this.#ids = this.#ids.toSpliced(index, 1)
    return true
  }
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

/** Distances between Node-IDs. */
export const NODE_IDS: Ring<NodeId, ResourceId> = {
  fingerIndex,
  fingerStart,
  way: (from, to) => Number(distance(from, to) >> 75n),
  wayFrom: (from, to) => Number(distance(from, to) >> 75n),
  further: (from, way) => toPoint(toNumber(from) + (BigInt(Math.floor(way)) << 75n)),
}

/** The part of the ring, of 1, that lies behind `predecessor` up to `id`; all of it where both are one. */
export const shareOf = (predecessor: NodeId, id: NodeId): number =>
  predecessor === id ? 1 : Number((distance(predecessor, id) * 1_000_000_000n) / WHOLE) / 1e9
