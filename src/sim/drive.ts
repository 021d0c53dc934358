import type { Machine } from "../core/kit/machine.ts"
import { after, type Duration, type Instant, NEVER, NO_TIME } from "../core/kit/time.ts"
import type { Agenda } from "./agenda.ts"

interface Clock {
  readonly agenda: Agenda
  now(): Instant
}

interface Events<Input, Effect> {
  /** An input is handled now. */
  takes(input: Input): void
  perform(effect: Effect): void
}

/**
 * Drives one machine in the invented world: inputs in their order, its deadline in time. Its process may be
 * frozen or slow, and its clock may be wrong.
 */
export class Drive<Input, Effect> {
  readonly #world: Clock
  readonly #events: Events<Input, Effect>
  #machine: Machine<Input, Effect> | undefined
  #queue: Input[] = []
  #isBusy = false
  #isFrozen = false
  #wakeAt: Instant = NEVER
  #slowness = NO_TIME
  /** A slow process has worked off what it had, at this instant. */
  #freeAt = 0 as Instant
  #isWaiting = false
  /** How far its clock is ahead. */
  skew = NO_TIME

  constructor(world: Clock, events: Events<Input, Effect>) {
    this.#world = world
    this.#events = events
  }

  get isFrozen(): boolean {
    return this.#isFrozen
  }

  /** What its own clock shows. */
  get now(): Instant {
    return after(this.#world.now(), this.skew)
  }

  begin(machine: Machine<Input, Effect>): void {
    this.end()
    this.#machine = machine
  }

  /** The process is gone, with all that it had not yet taken. */
  end(): void {
    this.#machine = undefined
    this.#isFrozen = false
    this.#queue = []
    this.#wakeAt = NEVER
    this.#freeAt = 0 as Instant
  }

  tell(input: Input): void {
    if (this.#machine === undefined) return
    this.#queue.push(input)
    this.#workOff()
  }

  freeze(): void {
    this.#isFrozen = true
  }

  /** It finds all that has come in meanwhile. */
  thaw(): void {
    this.#isFrozen = false
    this.#workOff()
  }

  /** From now on it takes so long over every input. */
  slow(span: Duration): void {
    this.#slowness = span
  }

  /** Its clock was set: what it waits for comes sooner or later than it thought. */
  setSkew(skew: Duration): void {
    this.skew = skew
    this.#wakeLater()
  }

  #workOff(): void {
    if (this.#isBusy || this.#isFrozen) return
    this.#isBusy = true
    for (;;) {
      if (this.#machine === undefined || this.#queue.length === 0 || this.#mustWait()) break
      const input = this.#queue.shift()!
      this.#events.takes(input)
      this.#perform(this.#machine.handle(input, this.now))
    }
    this.#isBusy = false
    this.#wakeLater()
  }

  #mustWait(): boolean {
    if (this.#slowness === 0) return false
    const now = this.#world.now()
    if (this.#freeAt <= now) {
      this.#freeAt = after(now, this.#slowness)
      return false
    }
    if (this.#isWaiting) return true
    this.#isWaiting = true
    this.#world.agenda.plan(this.#freeAt, () => {
      this.#isWaiting = false
      this.#workOff()
    })
    return true
  }

  #wakeLater(): void {
    const due = this.#machine?.deadline ?? NEVER
    if (due === NEVER) return
    const at = Math.max(this.#world.now(), due - this.skew) as Instant
    if (at === this.#wakeAt) return
    this.#wakeAt = at
    const machine = this.#machine
    this.#world.agenda.plan(at, () => {
      if (machine !== this.#machine || machine === undefined || this.#wakeAt !== at) return
      this.#wakeAt = NEVER
      if (this.#isFrozen) return
      this.#perform(machine.expire(this.now))
      this.#wakeLater()
    })
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) this.#events.perform(effect)
  }
}
