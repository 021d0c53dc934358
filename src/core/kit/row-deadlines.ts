import { grownDoubles, roomFor } from "./growing.ts"
import { RowHeap } from "./row-heap.ts"
import { type Instant, NEVER } from "./time.ts"

const FIRST_ROWS = 64

/** The next deadline of many rows of a table, by their numbers: 16 bytes a row. */
export class RowDeadlines {
  /** By row. */
  #at = new Float64Array(FIRST_ROWS)
  readonly #heap = new RowHeap((row) => this.#at[row]! as Instant)

  get size(): number {
    return this.#heap.size
  }

  get next(): Instant {
    return this.#heap.next
  }

  /** NEVER where none is set. */
  of(row: number): Instant {
    return this.#heap.has(row) ? (this.#at[row]! as Instant) : NEVER
  }

  /** Replaces the deadline of a row; NEVER forgets it. */
  set(row: number, at: Instant): void {
    if (at === NEVER) return this.delete(row)
    if (row >= this.#at.length) this.#at = grownDoubles(this.#at, roomFor(row + 1, this.#at.length))
    this.#at[row] = at
    this.#heap.settle(row)
  }

  delete(row: number): void {
    this.#heap.delete(row)
  }

  /** Takes out, and returns, the earliest row that is due at `now`; undefined where none is. */
  takeDue(now: Instant): number | undefined {
    return this.#heap.takeDue(now)
  }
}
