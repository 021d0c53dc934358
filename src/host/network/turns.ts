/** Pieces of work from one look at the clock to the next. */
const LOOK_EVERY = 4

export interface TurnLimits {
  /** Milliseconds of such work in one turn of the event loop. */
  readonly budget: number
  /** Pieces of such work in one turn. */
  readonly most: number
}

/**
 * Does work that can wait, so much in each turn of the event loop, in the order in which it came. What cannot
 * wait, as other nodes that ask whether we live, is then never far from its turn, however many phones come at once.
 */
export class Turns<Job> {
  readonly #run: (job: Job) => void
  readonly #limits: TurnLimits
  #waiting: Job[] = []
  /** Of this turn; undefined where none of the work has been done in it yet. */
  #begun: number | undefined
  #done = 0
  #isStopped = false

  constructor(run: (job: Job) => void, limits: TurnLimits) {
    this.#run = run
    this.#limits = limits
  }

  /** Work that has not been begun. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Whether one more piece may be done at once, by whoever asks: it is counted as done. */
  mayDo(): boolean {
    if (this.#isStopped || this.#waiting.length > 0 || !this.#hasRoom()) return false
    this.#done++
    return true
  }

  do(job: Job): void {
    if (this.#isStopped) return
    if (this.#waiting.length > 0 || !this.#hasRoom()) this.#waiting.push(job)
    else this.#begin(job)
  }

  /** What waits is forgotten. */
  stop(): void {
    this.#isStopped = true
    this.#waiting = []
  }

  #hasRoom(): boolean {
    if (this.#begun === undefined) {
      this.#begun = performance.now()
      this.#done = 0
      setImmediate(() => this.#nextTurn())
    }
    if (this.#done >= this.#limits.most) return false
    // A look at the clock costs as much as a little piece of work.
    return this.#done % LOOK_EVERY !== 0 || performance.now() - this.#begun < this.#limits.budget
  }

  #begin(job: Job): void {
    this.#done++
    this.#run(job)
  }

  #nextTurn(): void {
    this.#begun = undefined
    if (this.#waiting.length === 0) return
    let next = 0
    while (next < this.#waiting.length && this.#hasRoom()) this.#begin(this.#waiting[next++]!)
    // Whatever has come meanwhile was put behind.
    this.#waiting = this.#waiting.slice(next)
  }
}
