import { LIMITS } from "../../kit/limits.ts"
import { after, type Duration, type Instant, milliseconds, seconds } from "../../kit/time.ts"
import type { FoundSubscriber, Questions } from "../questions.ts"
import type { SipEffect } from "../sip-server-interface.ts"
import type { Unavailable } from "../stores.ts"

/** A changed password or a removed user is noticed within this time, a new user within the other. */
const PRESENT_LIFE: Duration = seconds(10)
const ABSENT_LIFE: Duration = milliseconds(500)

/** What lets a registration into the fabric has been read within this time. */
const FRESH: Duration = seconds(1)

interface Remembered {
  readonly found: FoundSubscriber
  readonly since: Instant
  readonly until: Instant
}

/** Told of everybody whom the store does not know. */
type Absent = (name: string, now: Instant) => readonly SipEffect[]

/** Subscriber records, remembered for a moment. */
export class Subscribers {
  readonly #questions: Questions
  readonly #absent: Absent
  readonly #remembered = new Map<string, Remembered>()
  /** What the store has said of a name, while that is being acted upon. */
  #said: { readonly name: string; readonly found: FoundSubscriber | Unavailable } | undefined

  constructor(questions: Questions, absent: Absent) {
    this.#questions = questions
    this.#absent = absent
  }

  /** What is remembered of a name; undefined where it has to be asked for. */
  recall(name: string, now: Instant): FoundSubscriber | undefined {
    const known = this.#remembered.get(name)
    if (known === undefined || known.until > now) return known?.found
    this.#remembered.delete(name)
    return undefined
  }

  /** As `find`, unless the store said so a moment ago. */
  confirm(
    name: string,
    now: Instant,
    resume: (found: FoundSubscriber | Unavailable, now: Instant) => readonly SipEffect[],
  ): readonly SipEffect[] {
    const known = this.#remembered.get(name)
    const isFresh = known?.found.kind === "present" && now - known.since < FRESH
    return isFresh ? resume(known.found, now) : this.find(name, now, resume)
  }

  /** Asks the store, whatever is remembered. */
  find(
    name: string,
    now: Instant,
    resume: (found: FoundSubscriber | Unavailable, now: Instant) => readonly SipEffect[],
  ): readonly SipEffect[] {
    if (this.#said?.name === name) return resume(this.#said.found, now)
    return this.#questions.findSubscriber(name, now, (found, later) => {
      if (found.kind !== "unavailable") this.#remember(name, found, later)
      const resumed = resume(found, later)
      return found.kind === "absent" ? [...this.#absent(name, later), ...resumed] : resumed
    })
  }

  /**
   * Asks the store first: whatever `then` wants to know of that name is what the store has said. Undefined where it has
   * said so already.
   */
  findFirst(
    name: string,
    now: Instant,
    then: (now: Instant) => readonly SipEffect[],
  ): readonly SipEffect[] | undefined {
    if (this.#said?.name === name) return undefined
    return this.find(name, now, (found, later) => {
      this.#said = { name, found }
      try {
        return then(later)
      } finally {
        this.#said = undefined
      }
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
    this.#remembered.set(name, { found, since: now, until: after(now, life) })
  }
}
