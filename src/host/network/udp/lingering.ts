/**
 * Milliseconds to look again and again before going to sleep. To sleep and be woken takes 40 to 60 µs of the processor on a
 * virtual machine, and he who wakes a sleeper pays 13 µs more for his datagram (docs/performance.md).
 */
export const LINGER = 0.03

/** So many times at most it is not tried, after it was in vain again and again: then it costs each wake-up a microsecond. */
const MOST_SKIPPED = 32

/**
 * Whether it pays to look for more where nothing is there, instead of sleeping at once. Where the next datagram comes within
 * the time that a sleep costs, nobody sleeps; where it seldom does, it is seldom waited for. Times are milliseconds.
 */
export class Lingering {
  #since: number | undefined
  #skipped = 1
  #toSkip = 0

  /** Nothing is there now. */
  mayLookAgain(now: number): boolean {
    if (this.#since === undefined) {
      if (this.#toSkip > 0) {
        this.#toSkip--
        return false
      }
      this.#since = now
      return true
    }
    if (now - this.#since < LINGER) return true
    this.#since = undefined
    this.#toSkip = this.#skipped
    this.#skipped = Math.min(2 * this.#skipped, MOST_SKIPPED)
    return false
  }

  /** Something is. */
  found(): void {
    if (this.#since === undefined) return
    this.#since = undefined
    this.#skipped = Math.max(this.#skipped >> 1, 1)
  }
}
