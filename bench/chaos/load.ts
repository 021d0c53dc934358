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

/** Calls at a steady rate through whoever lives; counted by the second they began in. */
export class CallLoad {
  readonly seconds: Second[] = []
  readonly failures: { readonly at: number; readonly status: number; readonly through: string }[] = []
  /** Answered calls whose hang-up did not get its 200. */
  lost = 0
  reached = 0
  readonly #callers: readonly RealPhone[]
  readonly #targets: Targets
  readonly #living: () => readonly FarmNode[]
  readonly #start = performance.now()
  #running = true
  readonly #open = new Set<Promise<void>>()

  constructor(callers: readonly RealPhone[], targets: Targets, living: () => readonly FarmNode[]) {
    this.#callers = callers
    this.#targets = targets
    this.#living = living
  }

  async run(rate: number): Promise<void> {
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
    await Promise.allSettled([...this.#open])
  }

  async #call(caller: RealPhone, node: FarmNode, busy: string | undefined): Promise<void> {
    const second = Math.floor((performance.now() - this.#start) / 1_000)
    while (this.seconds.length <= second) this.seconds.push({ ok: 0, failed: 0 })
    try {
      const { call, status } = await caller.call(busy ?? this.#targets.answering, {
        host: node.host,
        port: PORTS.sip,
      })
      if (status !== (busy === undefined ? 200 : 486)) {
        this.seconds[second]!.failed++
        this.failures.push({ at: second, status, through: node.host })
        return
      }
      this.reached++
      this.seconds[second]!.ok++
      if (busy !== undefined) return
      await pause(300)
      if ((await caller.hangUp(call)) !== 200) this.lost++
    } catch {
      this.seconds[second]!.failed++
      this.failures.push({ at: second, status: 408, through: node.host })
    }
  }
}
