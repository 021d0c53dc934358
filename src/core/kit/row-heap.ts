import { grownInts, roomFor } from "./growing.ts"
import { type Instant, NEVER } from "./time.ts"

const FIRST_ROWS = 64
const NOT_IN = -1

/**
 * Rows of a table by the time at which something of them is due, which their owner knows: a binary heap, eight bytes a row. What a
 * row's time is, changes only where `settle` is told at once.
 */
export class RowHeap {
  readonly #timeOf: (row: number) => Instant
  #size = 0
  /** When the first is due, which is asked again and again; undefined where that may have changed. */
  #next: Instant | undefined
  #heap = new Int32Array(FIRST_ROWS)
  /** By row: where it stands in the heap. */
  #index = new Int32Array(FIRST_ROWS).fill(NOT_IN)

  constructor(timeOf: (row: number) => Instant) {
    this.#timeOf = timeOf
  }

  get size(): number {
    return this.#size
  }

  /** NEVER where there is none. */
  get next(): Instant {
    this.#next ??= this.#size === 0 ? NEVER : this.#timeOf(this.#heap[0]!)
    return this.#next
  }

  has(row: number): boolean {
    return row < this.#index.length && this.#index[row] !== NOT_IN
  }

  /** A row is new, or has another time. */
  settle(row: number): void {
    this.#next = undefined
    if (row >= this.#index.length) this.#makeRoom(row)
    if (this.#index[row] === NOT_IN) {
      if (this.#size === this.#heap.length)
        this.#heap = grownInts(this.#heap, roomFor(this.#size + 1, this.#size))
      this.#place(row, this.#size++)
    }
    this.#move(row)
  }

  delete(row: number): void {
    if (!this.has(row)) return
    this.#next = undefined
    const index = this.#index[row]!
    this.#index[row] = NOT_IN
    const last = this.#heap[--this.#size]!
    if (last === row) return
    this.#place(last, index)
    this.#move(last)
  }

  /** Takes out, and returns, the earliest row that is due at `now`; undefined where none is. */
  takeDue(now: Instant): number | undefined {
    if (this.next > now) return undefined
    const row = this.#heap[0]!
    this.delete(row)
    return row
  }

  #makeRoom(row: number): void {
    const before = this.#index.length
    this.#index = grownInts(this.#index, roomFor(row + 1, before)).fill(NOT_IN, before)
  }

  #move(row: number): void {
    const [heap, timeOf] = [this.#heap, this.#timeOf]
    const at = timeOf(row)
    let index = this.#index[row]!
    while (index > 0) {
      const parent = heap[(index - 1) >> 1]!
      if (timeOf(parent) <= at) break
      this.#place(parent, index)
      index = (index - 1) >> 1
    }
    for (;;) {
      let child = 2 * index + 1
      if (child >= this.#size) break
      if (child + 1 < this.#size && timeOf(heap[child + 1]!) < timeOf(heap[child]!)) child++
      if (at <= timeOf(heap[child]!)) break
      this.#place(heap[child]!, index)
      index = child
    }
    this.#place(row, index)
  }

  #place(row: number, index: number): void {
    this.#index[row] = index
    this.#heap[index] = row
  }
}
