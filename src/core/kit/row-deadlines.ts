import { grownDoubles, grownInts, roomFor } from "./growing.ts"
import { type Instant, NEVER } from "./time.ts"

const FIRST_ROWS = 64
const NOT_SET = -1

/** The next deadline of many rows of a table, by their numbers: a binary heap, and 16 bytes a row. */
export class RowDeadlines {
  #size = 0
  #heap = new Int32Array(FIRST_ROWS)
  /** By row: its deadline, and where it stands in the heap. */
  #at = new Float64Array(FIRST_ROWS)
  #index = new Int32Array(FIRST_ROWS).fill(NOT_SET)

  get size(): number {
    return this.#size
  }

  get next(): Instant {
    return this.#size === 0 ? NEVER : (this.#at[this.#heap[0]!]! as Instant)
  }

  /** NEVER where none is set. */
  of(row: number): Instant {
    return this.#isSet(row) ? (this.#at[row]! as Instant) : NEVER
  }

  /** Replaces the deadline of a row; NEVER forgets it. */
  set(row: number, at: Instant): void {
    if (at === NEVER) return this.delete(row)
    if (row >= this.#at.length) this.#makeRoom(row)
    this.#at[row] = at
    if (!this.#isSet(row)) {
      if (this.#size === this.#heap.length)
        this.#heap = grownInts(this.#heap, roomFor(this.#size + 1, this.#size))
      this.#index[row] = this.#size
      this.#heap[this.#size++] = row
    }
    this.#settle(row)
  }

  delete(row: number): void {
    if (!this.#isSet(row)) return
    const index = this.#index[row]!
    this.#index[row] = NOT_SET
    const last = this.#heap[--this.#size]!
    if (last === row) return
    this.#place(last, index)
    this.#settle(last)
  }

  /** Takes out, and returns, the earliest row that is due at `now`; undefined where none is. */
  takeDue(now: Instant): number | undefined {
    if (this.next > now) return undefined
    const row = this.#heap[0]!
    this.delete(row)
    return row
  }

  #isSet(row: number): boolean {
    return row < this.#index.length && this.#index[row] !== NOT_SET
  }

  #makeRoom(row: number): void {
    const before = this.#at.length
    const length = roomFor(row + 1, before)
    this.#at = grownDoubles(this.#at, length)
    this.#index = grownInts(this.#index, length).fill(NOT_SET, before)
  }

  #settle(row: number): void {
    const [heap, times] = [this.#heap, this.#at]
    const at = times[row]!
    let index = this.#index[row]!
    while (index > 0) {
      const parent = heap[(index - 1) >> 1]!
      if (times[parent]! <= at) break
      this.#place(parent, index)
      index = (index - 1) >> 1
    }
    for (;;) {
      let child = 2 * index + 1
      if (child >= this.#size) break
      if (child + 1 < this.#size && times[heap[child + 1]!]! < times[heap[child]!]!) child++
      if (at <= times[heap[child]!]!) break
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
