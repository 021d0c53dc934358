import { setTimeout as pause } from "node:timers/promises"
import type { FarmNode } from "../../test/interop/support/farm.ts"
import { PORTS } from "../../test/interop/support/farm.ts"
import type { RealPhone } from "../../test/interop/support/real-phone.ts"

export interface Second {
  ok: number
  failed: number
}

/** Users on plain UDP, whose phones any node can reach: every second call is for one of them, and is to find it busy. */
export interface Targets {
  readonly answering: string
  readonly busy: readonly string[]
}

/** One call: when it began, in seconds since the load did, and how long the final answer took, in milliseconds. */
export interface Call {
  readonly at: number
  readonly took: number
  readonly status: number
  readonly through: string
  readonly isReached: boolean
}

/** Calls at a steady rate through whoever lives; counted by the second they began in. */
export class CallLoad {
  readonly calls: Call[] = []
  /** Answered calls whose hang-up did not get its 200. */
  lost = 0
  readonly #callers: readonly RealPhone[]
  readonly #targets: Targets
  readonly #living: () => readonly FarmNode[]
  readonly #ended: () => void
  readonly #start = performance.now()
  #running = true
  #done: Promise<void> = Promise.resolve()
  readonly #open = new Set<Promise<void>>()

  constructor(
    callers: readonly RealPhone[],
    targets: Targets,
    living: () => readonly FarmNode[],
    ended: () => void,
  ) {
    this.#ended = ended
    this.#callers = callers
    this.#targets = targets
    this.#living = living
  }

  /** Seconds since it began. */
  get now(): number {
    return (performance.now() - this.#start) / 1_000
  }

  get reached(): number {
    return this.calls.filter(({ isReached }) => isReached).length
  }

  get failures(): readonly Call[] {
    return this.calls.filter(({ isReached }) => !isReached)
  }

  /** The slowest of the calls that began from then on, in milliseconds. */
  slowestSince(at: number): number {
    return Math.max(0, ...this.calls.filter((call) => call.at >= at).map(({ took }) => took))
  }

  get seconds(): readonly Second[] {
    const last = Math.floor(Math.max(0, ...this.calls.map(({ at }) => at)))
    const seconds = Array.from({ length: last + 1 }, () => ({ ok: 0, failed: 0 }))
    for (const { at, isReached } of this.calls) seconds[Math.floor(at)]![isReached ? "ok" : "failed"]++
    return seconds
  }

  /** Calls until `stop`. */
  begin(rate: number): void {
    this.#done = this.#run(rate)
  }

  async #run(rate: number): Promise<void> {
    for (let made = 0; this.#running; made++) {
      const due = this.#start + (1_000 * made) / rate
      const wait = due - performance.now()
      if (wait > 0) await pause(wait)
      const living = this.#living()
      const node = living[made % living.length]!
      const caller = this.#callers[made % this.#callers.length]!
      const { busy } = this.#targets
      const other = made % 2 === 1 ? busy[(made * 7_919) % busy.length] : undefined
      const call = this.#call(caller, node, other).finally(() => this.#open.delete(call))
      this.#open.add(call)
    }
  }

  async stop(): Promise<void> {
    this.#running = false
    await this.#done
    await Promise.allSettled([...this.#open])
    this.#ended()
  }

  async #call(caller: RealPhone, { host }: FarmNode, busy: string | undefined): Promise<void> {
    const at = this.now
    const noted = (status: number) => {
      const isReached = status === (busy === undefined ? 200 : 486)
      this.calls.push({ at, took: 1_000 * (this.now - at), status, through: host, isReached })
      return isReached
    }
    const target = busy ?? this.#targets.answering
    const made = await caller.call(target, { host, port: PORTS.sip }).catch(() => undefined)
    if (!noted(made?.status ?? 408) || busy !== undefined || made === undefined) return
    await pause(300)
    const status = await caller.hangUp(made.call).catch(() => 408)
    if (status !== 200) this.lost++
  }
}
