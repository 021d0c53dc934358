import { type NodeId, parseNodeId } from "../../core/identity/node-id.ts"
import type { Random } from "../../core/kit/random.ts"
import type { Ring } from "../../core/topology/chord/rules.ts"

/** Words of 32 bits in an id. */
const WORDS = 4
const WORD = 2 ** 32

/**
 * All Node-IDs of a population, in ascending order, as one array. A peer is its rank in that order, so ranks
 * are compared where Node-IDs would be. Any other place on the ring is a half: 6.5 lies between ranks 6 and 7.
 */
export class IdSpace implements Ring<number, number> {
  readonly size: number
  readonly #words: Uint32Array
  readonly #way = new Uint32Array(WORDS)
  readonly #point = new Uint32Array(WORDS)

  /** `words`: four for each id, the highest first, ids in ascending order. */
  constructor(words: Uint32Array) {
    this.#words = words
    this.size = words.length / WORDS
  }

  /** Random ids, no two the same. */
  static draw(size: number, random: Random): IdSpace {
    const heads = new Float64Array(size)
    const word = () => Math.floor(WORD * random.next())
    for (let i = 0; i < size; i++) heads[i] = word() * 2 ** 21 + (word() >>> 11)
    heads.sort()
    const words = new Uint32Array(size * WORDS)
    for (let i = 0; i < size; i++) {
      if (i > 0 && heads[i]! <= heads[i - 1]!) heads[i] = heads[i - 1]! + 1
      words[i * WORDS] = Math.floor(heads[i]! / 2 ** 21)
      words[i * WORDS + 1] = ((heads[i]! % 2 ** 21) * 2 ** 11 + (word() >>> 21)) >>> 0
      words[i * WORDS + 2] = word()
      words[i * WORDS + 3] = word()
    }
    return new IdSpace(words)
  }

  /** These, in whatever order. */
  static of(ids: readonly string[]): IdSpace {
    const words = ids.toSorted().flatMap((id) => wordsOf(id))
    return new IdSpace(Uint32Array.from(words))
  }

  nodeId(rank: number): NodeId {
    const words = this.#words.subarray(rank * WORDS, (rank + 1) * WORDS)
    return parseNodeId(Array.from(words, (word) => word.toString(16).padStart(8, "0")).join(""))
  }

  /** How far round the ring it stands, of 1. */
  placeOf(rank: number): number {
    return this.#words[rank * WORDS]! / WORD
  }

  /** Where that point, 32 hexadecimal digits, lies among the ranks: a half, though an id stand there. */
  spotOf(point: string): number {
    return this.#firstAt(wordsOf(point)) - 0.5
  }

  /** Any place on the ring. */
  anySpot(random: Random): number {
    const point = Array.from({ length: WORDS }, () => Math.floor(WORD * random.next()))
    return this.#firstAt(point) - 0.5
  }

  fingerIndex(self: number, peer: number): number {
    const words = this.#words
    const [from, to] = [self * WORDS, peer * WORDS]
    const top = (words[to]! - words[from]! - (words[to + 1]! < words[from + 1]! ? 1 : 0)) | 0
    // In nearly all cases the first word tells.
    if (top !== 0 && words[to + 1] !== words[from + 1]) return 1 + Math.clz32(top)
    const way = this.#measure(self, peer)
    for (let i = 0; i < WORDS; i++) if (way[i] !== 0) return 1 + 32 * i + Math.clz32(way[i]!)
    return 129
  }

  fingerStart(self: number, index: number): number {
    const bit = 128 - index
    const point = this.#point
    for (let i = 0; i < WORDS; i++) point[i] = this.#words[self * WORDS + i]!
    let carry = 2 ** (bit & 31)
    for (let i = WORDS - 1 - (bit >> 5); i >= 0 && carry > 0; i--) {
      const sum = point[i]! + carry
      point[i] = sum >= WORD ? sum - WORD : sum
      carry = sum >= WORD ? 1 : 0
    }
    return this.#firstAt(point) - 0.5
  }

  way(from: number, to: number): number {
    const way = this.#measure(from, to)
    return way[0]! * 2 ** 21 + (way[1]! >>> 11)
  }

  /** Of a place no more is known than between which ids it lies: it counts as the one after. */
  wayFrom(from: number, to: number): number {
    return this.way(Math.ceil(from) % this.size, to)
  }

  /** Counted from the id before. */
  further(from: number, way: number): number {
    const start = ((Math.floor(from) + this.size) % this.size) * WORDS
    const point = this.#point
    for (let i = 0; i < WORDS; i++) point[i] = this.#words[start + i]!
    const low = point[1]! + (way % 2 ** 21) * 2 ** 11
    point[1] = low % WORD
    point[0] = (point[0]! + Math.floor(way / 2 ** 21) + Math.floor(low / WORD)) % WORD
    return this.#firstAt(point) - 0.5
  }

  /** The distance clockwise. */
  #measure(from: number, to: number): Uint32Array {
    const way = this.#way
    let borrow = 0
    for (let i = WORDS - 1; i >= 0; i--) {
      const difference = this.#words[to * WORDS + i]! - this.#words[from * WORDS + i]! - borrow
      way[i] = difference
      borrow = difference < 0 ? 1 : 0
    }
    return way
  }

  /** The first rank at that point or above it; the size where there is none. */
  #firstAt(point: ArrayLike<number>): number {
    let low = 0
    let high = this.size
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#isBelow(middle, point)) low = middle + 1
      else high = middle
    }
    return low
  }

  #isBelow(rank: number, point: ArrayLike<number>): boolean {
    for (let i = 0; i < WORDS; i++) {
      const word = this.#words[rank * WORDS + i]!
      if (word !== point[i]) return word < point[i]!
    }
    return false
  }
}

const wordsOf = (id: string): readonly number[] =>
  Array.from({ length: WORDS }, (_, i) => Number.parseInt(id.slice(8 * i, 8 * i + 8), 16))
