import type { Duration, Instant } from "../core/kit/time.ts"

/** One write, as whoever asked for it knows it. */
export interface Attempt {
  /** Undefined: a removal. */
  readonly text: string | undefined
  readonly begunAt: Instant
  /** When it was acknowledged, refused, or could no longer be either. */
  endedAt: Instant
  isAcknowledged: boolean
}

const ALWAYS = -Infinity as Instant
const STILL = Infinity as Instant

/**
 * What the fabric ought to hold: one Map, which knows nothing of peers. A value is right unless a write that
 * was acknowledged began after it had ended: writes that overlap may come out in either order, and one that was
 * refused may have happened all the same.
 */
export class Model {
  readonly #attempts = new Map<string, Attempt[]>()
  /** Since when a name is beyond what so many copies can keep: what was acknowledged before need not be there. */
  readonly #beyond = new Map<string, Instant>()
  /** The most by which two clocks have differed: newest means newest by the writers' clocks. */
  skew = 0 as Duration

  names(): readonly string[] {
    return [...this.#attempts.keys()]
  }

  /** How many names have been given up as beyond the copies. */
  get lost(): number {
    return this.#beyond.size
  }

  begin(name: string, text: string | undefined, now: Instant): Attempt {
    const attempt: Attempt = { text, begunAt: now, endedAt: STILL, isAcknowledged: false }
    const attempts = this.#attempts.get(name) ?? [nothing()]
    this.#attempts.set(name, [...attempts, attempt])
    return attempt
  }

  /** All that was acknowledged for that name has died with its holders. */
  giveUp(name: string, now: Instant): void {
    this.#beyond.set(name, now)
  }

  /** Whether that value may be there, for somebody who began to ask at `since`. */
  allows(name: string, text: string | undefined, since = STILL): boolean {
    const attempts = this.#attempts.get(name) ?? [nothing()]
    return attempts.some((each) => each.text === text && !this.#isSuperseded(name, each, since))
  }

  /** What ought to be there, for a complaint. */
  expected(name: string): string {
    const allowed = (this.#attempts.get(name) ?? []).filter((each) => !this.#isSuperseded(name, each, STILL))
    return allowed.map(({ text }) => text ?? "nothing").join(" or ")
  }

  #isSuperseded(name: string, attempt: Attempt, since: Instant): boolean {
    const beyond = this.#beyond.get(name) ?? ALWAYS
    return (this.#attempts.get(name) ?? []).some(
      (other) =>
        other.isAcknowledged &&
        other.begunAt > attempt.endedAt + this.skew &&
        other.begunAt > beyond &&
        other.endedAt < since,
    )
  }
}

const nothing = (): Attempt => ({ text: undefined, begunAt: ALWAYS, endedAt: ALWAYS, isAcknowledged: true })
