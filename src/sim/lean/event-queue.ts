import { type Instant, NEVER } from "../../core/kit/time.ts"

/** Something that happens, or the rank of a peer whose deadline it is. */
export type Happening = (() => void) | number

/** What is to happen, by time, and at one instant in the order it was planned. A binary heap in typed arrays. */
export class EventQueue {
  #at = new Float64Array(1_024)
  #order = new Float64Array(1_024)
  readonly #what: (Happening | undefined)[] = []
  #size = 0
  #planned = 0

  get next(): Instant {
    return this.#size === 0 ? NEVER : (this.#at[0]! as Instant)
  }

  get bytes(): number {
    return this.#at.byteLength + this.#order.byteLength + 8 * this.#what.length
  }

  plan(at: Instant, what: Happening): void {
    if (this.#size === this.#at.length) this.#grow()
    const order = this.#planned++
    let index = this.#size++
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (this.#at[parent]! <= at) break
      this.#move(parent, index)
      index = parent
    }
    this.#put(index, at, order, what)
  }

  take(): Happening {
    const first = this.#what[0]!
    const last = --this.#size
    const [at, order, what] = [this.#at[last]!, this.#order[last]!, this.#what[last]!]
    this.#what[last] = undefined
    if (last > 0) this.#sink(at, order, what)
    return first
  }

  #sink(at: number, order: number, what: Happening): void {
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= this.#size) break
      if (child + 1 < this.#size && this.#isEarlier(child + 1, child)) child++
      if (at < this.#at[child]! || (at === this.#at[child] && order < this.#order[child]!)) break
      this.#move(child, index)
      index = child
    }
    this.#put(index, at, order, what)
  }

  #isEarlier(a: number, b: number): boolean {
    const [first, second] = [this.#at[a]!, this.#at[b]!]
    return first < second || (first === second && this.#order[a]! < this.#order[b]!)
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#at[from]!, this.#order[from]!, this.#what[from]!)
  }

  #put(index: number, at: number, order: number, what: Happening): void {
    this.#at[index] = at
    this.#order[index] = order
    this.#what[index] = what
  }

  #grow(): void {
    const [at, order] = [new Float64Array(2 * this.#at.length), new Float64Array(2 * this.#at.length)]
    at.set(this.#at)
    order.set(this.#order)
    this.#at = at
    this.#order = order
  }
}
