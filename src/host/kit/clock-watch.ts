import { type LogEffect, log } from "../../core/kit/log.ts"
import { seconds } from "../../core/kit/time.ts"

const ROUND = seconds(2)
/** Less is no step: clocks that are set gently drift so far, and measurements are no better. */
const STEP = seconds(1)

export interface ClockWatchParts {
  /** How far the system's clock is ahead of the one that the node goes by, in milliseconds. */
  step(): number
  advance(by: number): void
  /** How far the clocks of other nodes are ahead of the one that this node goes by. */
  others(): readonly number[]
  readonly log: (event: LogEffect) => void
}

/**
 * A node goes by the clock of its start, counted on: whoever sets the system's clock meanwhile, rightly or wrongly,
 * expires no registration and keeps none alive. Only where the other nodes' clocks agree with the system's that this node
 * has fallen behind does it catch up: a virtual machine was paused, or started with a clock that was set since.
 */
export class ClockWatch {
  readonly #parts: ClockWatchParts
  readonly #timer: NodeJS.Timeout
  #step = 0

  constructor(parts: ClockWatchParts) {
    this.#parts = parts
    this.#timer = setInterval(() => this.look(), ROUND)
    this.#timer.unref()
  }

  /** How far the system's clock is ahead, in milliseconds; undefined where it has not been set. */
  get step(): number | undefined {
    return this.#step === 0 ? undefined : this.#step
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  look(): void {
    const { step, advance, others } = this.#parts
    const ahead = step()
    if (Math.abs(ahead) < STEP) {
      this.#step = 0
      return
    }
    const theirs = median(others())
    if (theirs !== undefined && ahead > 0 && Math.abs(theirs - ahead) < STEP) {
      advance(ahead)
      this.#step = 0
      this.#parts.log(log("warn", "host.clock-advanced", { milliseconds: ahead }))
      return
    }
    if (Math.abs(ahead - this.#step) >= STEP)
      this.#parts.log(log("warn", "host.clock-stepped", { milliseconds: ahead }))
    this.#step = ahead
  }
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}
