import { type Instant, NEVER } from "../core/kit/time.ts"

interface Entry {
  readonly at: Instant
  readonly order: number
  readonly run: () => void
}

/** What is to happen, by time; what is due at one instant happens in the order it was planned. */
export class Agenda {
  readonly #heap: Entry[] = []
  #planned = 0

  get next(): Instant {
    return this.#heap[0]?.at ?? NEVER
  }

  plan(at: Instant, run: () => void): void {
    const entry = { at, order: this.#planned++, run }
    let index = this.#heap.push(entry) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isEarlier(entry, this.#heap[parent]!)) break
      this.#heap[index] = this.#heap[parent]!
      index = parent
    }
    this.#heap[index] = entry
  }

  runNext(): void {
    const first = this.#heap[0]!
    const last = this.#heap.pop()!
    if (this.#heap.length > 0) this.#sink(last)
    first.run()
  }

  #sink(entry: Entry): void {
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= this.#heap.length) break
      if (child + 1 < this.#heap.length && isEarlier(this.#heap[child + 1]!, this.#heap[child]!)) child++
      if (isEarlier(entry, this.#heap[child]!)) break
      this.#heap[index] = this.#heap[child]!
      index = child
    }
    this.#heap[index] = entry
  }
}

const isEarlier = (a: Entry, b: Entry) => a.at < b.at || (a.at === b.at && a.order < b.order)
