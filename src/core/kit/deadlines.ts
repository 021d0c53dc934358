import { type Instant, NEVER } from "./time.ts"

/** One deadline that is set. */
export interface Appointed<Key> {
  /** Undefined where it counts no more. */
  key: Key | undefined
  readonly at: Instant
  /** Where it stands in the heap; `IN_RUN` where it stands in a run. */
  index: number
  readonly run: Run<Key> | undefined
}

const IN_RUN = -1

/** Of constant timers; what fits no run goes to the heap. */
const RUNS = 6

/** Gaps and spent entries that a run may have before it is made anew; then they may be as many as what is left. */
const SPENT = 256

/** Entries in the order of their deadlines. */
class Run<Key> {
  #entries: Appointed<Key>[] = []
  #head = 0
  #gaps = 0

  get first(): Appointed<Key> | undefined {
    return this.#entries[this.#head]
  }

  /** Of the latest; whatever is not before it fits in. */
  get last(): Instant {
    return this.#head < this.#entries.length
      ? this.#entries[this.#entries.length - 1]!.at
      : (-NEVER as Instant)
  }

  push(entry: Appointed<Key>): void {
    this.#entries.push(entry)
  }

  /** The first has been taken. */
  shift(): void {
    this.#head++
    this.#skip()
  }

  /** An entry has lost its key. */
  gap(): void {
    this.#gaps++
    this.#skip()
  }

  /** At the head stands one with a key, always. */
  #skip(): void {
    const entries = this.#entries
    while (this.#head < entries.length && entries[this.#head]!.key === undefined) {
      this.#head++
      this.#gaps--
    }
    const spent = this.#head + this.#gaps
    if (spent < SPENT || 2 * spent < entries.length) return
    this.#entries = entries.slice(this.#head).filter(({ key }) => key !== undefined)
    this.#head = 0
    this.#gaps = 0
  }
}

/**
 * Many deadlines, of which the next is wanted. Whoever sets one keeps what it was given, and takes it back by that.
 *
 * Most timers are constants, so that what is set later is due later: such deadlines stand in a few queues, which are
 * found rather than told, and cost the same however many there are. All else is in a binary heap.
 */
export class Timetable<Key> {
  readonly #heap: Appointed<Key>[] = []
  readonly #runs: Run<Key>[] = []

  get next(): Instant {
    return this.#first()?.at ?? NEVER
  }

  /** In the place of `known`, where there is one. Undefined for NEVER. */
  set(key: Key, at: Instant, known: Appointed<Key> | undefined): Appointed<Key> | undefined {
    if (known?.at === at && known.key !== undefined) return known
    this.drop(known)
    return at === NEVER ? undefined : this.#put(key, at)
  }

  drop(known: Appointed<Key> | undefined): void {
    if (known?.key === undefined) return
    known.key = undefined
    if (known.run === undefined) this.#remove(known)
    else known.run.gap()
  }

  /** Takes out, and returns, the earliest key that is due at `now`; undefined where none is. */
  takeDue(now: Instant): Key | undefined {
    const first = this.#first()
    if (first === undefined || first.at > now) return undefined
    const { key } = first
    first.key = undefined
    if (first.run === undefined) this.#remove(first)
    else first.run.shift()
    return key
  }

  #first(): Appointed<Key> | undefined {
    let first = this.#heap[0]
    for (const run of this.#runs) {
      const head = run.first
      if (head !== undefined && (first === undefined || head.at < first.at)) first = head
    }
    return first
  }

  /** Behind the latest that is not later. */
  #put(key: Key, at: Instant): Appointed<Key> {
    let best: Run<Key> | undefined
    for (const run of this.#runs)
      if (run.last <= at && (best === undefined || run.last > best.last)) best = run
    if (best === undefined && this.#runs.length < RUNS) {
      best = new Run()
      this.#runs.push(best)
    }
    const entry: Appointed<Key> = {
      key,
      at,
      index: best === undefined ? this.#heap.length : IN_RUN,
      run: best,
    }
    if (best !== undefined) best.push(entry)
    else {
      this.#heap.push(entry)
      this.#settle(entry)
    }
    return entry
  }

  #remove(entry: Appointed<Key>): void {
    const last = this.#heap.pop()!
    if (last === entry) return
    last.index = entry.index
    this.#heap[last.index] = last
    this.#settle(last)
  }

  #settle(entry: Appointed<Key>): void {
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

  #place(entry: Appointed<Key>, index: number): void {
    entry.index = index
    this.#heap[index] = entry
  }
}

/** The next deadline of many things, each of which has one at a time. */
export class Deadlines<Key> {
  readonly #table = new Timetable<Key>()
  readonly #known = new Map<Key, Appointed<Key>>()

  get next(): Instant {
    return this.#table.next
  }

  get size(): number {
    return this.#known.size
  }

  /** Replaces the deadline of `key`; NEVER forgets it. */
  set(key: Key, at: Instant): void {
    const known = this.#known.get(key)
    const appointed = this.#table.set(key, at, known)
    if (appointed === known) return
    if (appointed === undefined) this.#known.delete(key)
    else this.#known.set(key, appointed)
  }

  delete(key: Key): void {
    this.set(key, NEVER)
  }

  /** Takes out, and returns, the earliest key that is due at `now`; undefined where none is. */
  takeDue(now: Instant): Key | undefined {
    const key = this.#table.takeDue(now)
    if (key !== undefined) this.#known.delete(key)
    return key
  }
}
