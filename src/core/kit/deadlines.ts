import { type Instant, NEVER } from "./time.ts"

interface Entry<Key> {
  readonly key: Key
  at: Instant
  index: number
}

/** The next deadline of many things, each of which has one at a time. A binary heap. */
export class Deadlines<Key> {
  readonly #heap: Entry<Key>[] = []
  readonly #entries = new Map<Key, Entry<Key>>()

  get next(): Instant {
    return this.#heap[0]?.at ?? NEVER
  }

  get size(): number {
    return this.#heap.length
  }

  /** Replaces the deadline of `key`; NEVER forgets it. */
  set(key: Key, at: Instant): void {
    const known = this.#entries.get(key)
    if (at === NEVER) {
      if (known) this.#remove(known)
    } else if (known) {
      known.at = at
      this.#settle(known)
    } else {
      const entry = { key, at, index: this.#heap.length }
      this.#heap.push(entry)
      this.#entries.set(key, entry)
      this.#settle(entry)
    }
  }

  delete(key: Key): void {
    this.set(key, NEVER)
  }

  /** Takes out, and returns, the earliest key that is due at `now`; undefined where none is. */
  takeDue(now: Instant): Key | undefined {
    const first = this.#heap[0]
    if (first === undefined || first.at > now) return undefined
    this.#remove(first)
    return first.key
  }

  #remove(entry: Entry<Key>): void {
    this.#entries.delete(entry.key)
    const last = this.#heap.pop()!
    if (last === entry) return
    last.index = entry.index
    this.#heap[last.index] = last
    this.#settle(last)
  }

  #settle(entry: Entry<Key>): void {
    let index = entry.index
    while (index > 0) {
      const parent = this.#heap[(index - 1) >> 1]!
      if (parent.at <= entry.at) break
      this.#place(parent, index)
      index = (index - 1) >> 1
    }
    for (;;) {
      let child = 2 * index + 1
      if (child >= this.#heap.length) break
      if (child + 1 < this.#heap.length && this.#heap[child + 1]!.at < this.#heap[child]!.at) child++
      if (entry.at <= this.#heap[child]!.at) break
      this.#place(this.#heap[child]!, index)
      index = child
    }
    this.#place(entry, index)
  }

  #place(entry: Entry<Key>, index: number): void {
    entry.index = index
    this.#heap[index] = entry
  }
}
