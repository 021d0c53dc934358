const GOLDEN = (Math.sqrt(5) - 1) / 2

/**
 * Numbers from 0 to 1, each far from those before it: multiples of the golden ratio. Whatever begins at one instant and is to be
 * done again later is done one by one then, where each waits for another share of the time.
 */
export class Spread {
  #last = 0

  next(): number {
    this.#last = (this.#last + GOLDEN) % 1
    return this.#last
  }
}
