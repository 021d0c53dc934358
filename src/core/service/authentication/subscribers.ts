import { LIMITS } from "../../kit/limits.ts"
import { NamedValues } from "../../kit/named-values.ts"
import { after, type Duration, type Instant, milliseconds, NEVER, seconds } from "../../kit/time.ts"
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

/** Subscriber records, remembered for a moment: those that nobody asks for again take no memory a moment later. */
export class Subscribers {
  readonly #questions: Questions
  readonly #absent: Absent
  // Two generations, so that forgetting costs nothing: what is older than the last turn, but one, is over.
  #recent = new NamedValues<Remembered>()
  #older = new NamedValues<Remembered>()
  #turnAt: Instant = NEVER
  /** What the store has said of a name, while that is being acted upon. */
  #said: { readonly name: string; readonly found: FoundSubscriber | Unavailable } | undefined

  constructor(questions: Questions, absent: Absent) {
    this.#questions = questions
    this.#absent = absent
  }

  /** When something remembered may be over. */
  get deadline(): Instant {
    return this.#turnAt
  }

  expire(now: Instant): void {
    if (now >= this.#turnAt) this.#turn(now)
  }

  /** What is remembered of a name; undefined where it has to be asked for. */
  recall(name: string, now: Instant): FoundSubscriber | undefined {
    return stillGood(this.#known(name), now)
  }

  /** The same of the name, in ASCII, that stands from `start` to `end` in `memory`. */
  recallBytes(memory: Uint8Array, start: number, end: number, now: Instant): FoundSubscriber | undefined {
    const known = this.#recent.find(memory, start, end) ?? this.#older.find(memory, start, end)
    return stillGood(known, now)
  }

  /** As `find`, unless the store said so a moment ago. */
  confirm(
    name: string,
    now: Instant,
    resume: (found: FoundSubscriber | Unavailable, now: Instant) => readonly SipEffect[],
  ): readonly SipEffect[] {
    const known = this.#known(name)
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

  #known(name: string): Remembered | undefined {
    return this.#recent.get(name) ?? this.#older.get(name)
  }

  #remember(name: string, found: FoundSubscriber, now: Instant): void {
    if (2 * this.#recent.size >= LIMITS.sip.rememberedSubscribers) this.#turn(now)
    if (this.#turnAt === NEVER) this.#turnAt = after(now, PRESENT_LIFE)
    const life = found.kind === "present" ? PRESENT_LIFE : ABSENT_LIFE
    this.#recent.set(name, { found, since: now, until: after(now, life) })
  }

  #turn(now: Instant): void {
    this.#older = this.#recent
    this.#recent = new NamedValues()
    this.#turnAt = this.#older.size === 0 ? NEVER : after(now, PRESENT_LIFE)
  }
}

const stillGood = (known: Remembered | undefined, now: Instant): FoundSubscriber | undefined =>
  known !== undefined && known.until > now ? known.found : undefined
