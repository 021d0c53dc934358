import { LIMITS } from "../kit/limits.ts"
import { after, type Duration, type Instant, milliseconds, seconds } from "../kit/time.ts"
import type { FoundSubscriber, Questions } from "./questions.ts"
import type { SipEffect } from "./sip-server-interface.ts"
import type { Unavailable } from "./stores.ts"

/** A changed password or a removed user is noticed within this time, a new user within the other. */
const PRESENT_LIFE: Duration = seconds(10)
const ABSENT_LIFE: Duration = milliseconds(500)

interface Remembered {
  readonly found: FoundSubscriber
  readonly until: Instant
}

/** Subscriber records, remembered for a moment. */
export class Subscribers {
  readonly #questions: Questions
  readonly #remembered = new Map<string, Remembered>()

  constructor(questions: Questions) {
    this.#questions = questions
  }

  /** What is remembered of a name; undefined where it has to be asked for. */
  recall(name: string, now: Instant): FoundSubscriber | undefined {
    const known = this.#remembered.get(name)
    if (known === undefined || known.until > now) return known?.found
    this.#remembered.delete(name)
    return undefined
  }

  /** Asks the store, whatever is remembered. */
  find(
    name: string,
    now: Instant,
    resume: (found: FoundSubscriber | Unavailable, now: Instant) => readonly SipEffect[],
  ): readonly SipEffect[] {
    return this.#questions.findSubscriber(name, now, (found, later) => {
      if (found.kind !== "unavailable") this.#remember(name, found, later)
      return resume(found, later)
    })
  }

  #remember(name: string, found: FoundSubscriber, now: Instant): void {
    this.#remembered.delete(name)
    if (this.#remembered.size >= LIMITS.sip.rememberedSubscribers) {
      // The first of a Map is the oldest.
      for (const oldest of this.#remembered.keys()) {
        this.#remembered.delete(oldest)
        break
      }
    }
    const life = found.kind === "present" ? PRESENT_LIFE : ABSENT_LIFE
    this.#remembered.set(name, { found, until: after(now, life) })
  }
}
