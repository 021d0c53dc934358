import type { Machine } from "../core/kit/machine.ts"
import { type Instant, NEVER } from "../core/kit/time.ts"
import type { Clock } from "./kit/clock.ts"
import { HOST_LIMITS } from "./kit/limits.ts"

/** Inputs of one callback that come at one instant, as far as the machine is told: a look at the clock takes 0.14 µs. */
const INPUTS_A_LOOK = 8

/**
 * A deadline that rings so late, in milliseconds, tells that the process stood still. What came in meanwhile goes first: the
 * answer that is given up, or asked for again, may be among it.
 */
const STOOD_STILL = 20

export interface LoopSettings<Input, Effect> {
  readonly machine: Machine<Input, Effect>
  readonly clock: Clock
  /** Carries out one effect. It may call `input`, which then waits its turn. */
  readonly perform: (effect: Effect) => void
  /** An exception came out of the machine or of `perform`; the loop has stopped for good. */
  readonly fatal: (fault: unknown) => void
}

/**
 * Drives one machine: inputs in the order they came, the effects of each in order before the next
 * input, one timer for the deadline. Never re-entrant: what comes while the machine works waits.
 */
export class Loop<Input, Effect> {
  readonly #settings: LoopSettings<Input, Effect>
  #waiting: Input[] = []
  #state: "held" | "idle" | "working" | "stopped" = "held"
  #isTimerPlanned = false
  /** The latest look at the clock in this callback, and for how many more inputs it is good. */
  #now: Instant = 0 as Instant
  #goodFor = 0
  #wake: { readonly at: Instant; readonly cancel: () => void } | undefined

  constructor(settings: LoopSettings<Input, Effect>) {
    this.#settings = settings
  }

  /** Hands over the first input, then those that have come before it, and from now on all at once. */
  begin(first: Input): void {
    this.#waiting.unshift(first)
    if (this.#state === "held") this.#work()
  }

  input(input: Input): void {
    if (this.#state === "stopped") return
    if (this.#state !== "idle") this.#waiting.push(input)
    else this.#work(false, input)
  }

  /** Whether an input is handled, and all that follows from it done, before `input` returns. */
  get isIdle(): boolean {
    return this.#state === "idle"
  }

  /** No input is handled and no timer fires from now on. */
  stop(): void {
    this.#state = "stopped"
    this.#waiting = []
    this.#wake?.cancel()
    this.#wake = undefined
  }

  /** Handles all that waits; before that what is due, where the timer came for it. */
  #work(isDue = false, first?: Input): void {
    const { machine } = this.#settings
    this.#state = "working"
    try {
      if (isDue) this.#performAll(machine.expire(this.#time()))
      if (first !== undefined) this.#performAll(machine.handle(first, this.#time()))
      while (this.#waiting.length > 0) {
        const inputs = this.#waiting
        this.#waiting = []
        for (const input of inputs) this.#performAll(machine.handle(input, this.#time()))
      }
      if (!this.#isStopped()) {
        this.#state = "idle"
        if (!this.#isTimerPlanned) this.#planTimer()
      }
    } catch (fault) {
      // The machine may be half changed: going on would make a wrong node of a dead one.
      this.stop()
      this.#settings.fatal(fault)
    }
  }

  #time(): Instant {
    if (this.#goodFor === 0) {
      this.#now = this.#settings.clock()
      this.#goodFor = INPUTS_A_LOOK
    }
    this.#goodFor--
    return this.#now
  }

  #performAll(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (this.#isStopped()) return
      this.#settings.perform(effect)
    }
  }

  /** A method, since `stop` may have come from within and the compiler cannot know. */
  #isStopped(): boolean {
    return this.#state === "stopped"
  }

  /** Once for all inputs of one callback: in a batch of datagrams each would ask for the deadline, and move the timer. */
  #planTimer(): void {
    this.#isTimerPlanned = true
    queueMicrotask(() => {
      this.#isTimerPlanned = false
      this.#goodFor = 0
      if (this.#state === "idle") this.#setTimer(this.#settings.machine.deadline)
    })
  }

  #setTimer(deadline: Instant): void {
    if (this.#wake?.at === deadline) return
    this.#wake?.cancel()
    this.#wake = undefined
    if (deadline === NEVER) return
    const wait = deadline - this.#settings.clock()
    const ring = () => {
      this.#wake = undefined
      const late = this.#settings.clock() - deadline
      // The platform may ring up to a millisecond early, and early on purpose where the wait was cut.
      if (late < 0) this.#setTimer(deadline)
      else if (late > STOOD_STILL) this.#wake = { at: deadline, cancel: atOnce(ringAtOnce) }
      else this.#work(true)
    }
    const ringAtOnce = () => {
      this.#wake = undefined
      this.#work(true)
    }
    this.#wake = { at: deadline, cancel: wait > 0 ? inTime(wait, ring) : atOnce(ringAtOnce) }
  }
}

function inTime(wait: number, ring: () => void): () => void {
  const timer = setTimeout(ring, Math.min(Math.ceil(wait), HOST_LIMITS.loop.longestWait))
  return () => clearTimeout(timer)
}

/** After the sockets have had their turn, so that a busy machine starves nobody. */
function atOnce(ring: () => void): () => void {
  const immediate = setImmediate(ring)
  return () => clearImmediate(immediate)
}
