import { Deadlines } from "../kit/deadlines.ts"
import { LIMITS } from "../kit/limits.ts"
import { NOTHING } from "../kit/machine.ts"
import { after, type Instant, seconds } from "../kit/time.ts"
import type { SipEffect } from "./sip-server-interface.ts"
import type {
  BindingEntry,
  FoundBindings,
  StoreAnswer,
  StoreRequest,
  Subscriber,
  Ticket,
  Unavailable,
} from "./stores.ts"

/** How long a store may take before its caller is told that it cannot answer. */
const PATIENCE = seconds(5)

/** An answer that takes longer, while many are waited for, means that we ask more than can be answered. */
const PROMPT = seconds(1)

type Resume<Result> = (result: Result | Unavailable, now: Instant) => readonly SipEffect[]

export type FoundSubscriber =
  | { readonly kind: "present"; readonly subscriber: Subscriber }
  | { readonly kind: "absent" }
export type StoredBindings = { readonly kind: "stored" }

type Pending =
  | { readonly kind: "subscriber-found"; readonly resume: Resume<FoundSubscriber> }
  | { readonly kind: "bindings-found"; readonly resume: Resume<FoundBindings> }
  | { readonly kind: "bindings-stored"; readonly resume: Resume<StoredBindings> }

/** Questions to the stores that wait for their answer, each with what to do then; bounded in number and time. */
export class Questions {
  readonly #pending = new Map<Ticket, Pending>()
  readonly #deadlines = new Deadlines<Ticket>()
  readonly #nextTicket: () => Ticket

  constructor(nextTicket: () => Ticket) {
    this.#nextTicket = nextTicket
  }

  get deadline(): Instant {
    return this.#deadlines.next
  }

  findSubscriber(name: string, now: Instant, resume: Resume<FoundSubscriber>): readonly SipEffect[] {
    return this.#ask({ kind: "find-subscriber", ticket: this.#nextTicket(), name }, now, {
      kind: "subscriber-found",
      resume,
    })
  }

  findBindings(aor: string, now: Instant, resume: Resume<FoundBindings>): readonly SipEffect[] {
    return this.#ask({ kind: "find-bindings", ticket: this.#nextTicket(), aor }, now, {
      kind: "bindings-found",
      resume,
    })
  }

  storeBindings(
    aor: string,
    entry: BindingEntry,
    now: Instant,
    resume: Resume<StoredBindings>,
  ): readonly SipEffect[] {
    return this.#ask({ kind: "store-bindings", ticket: this.#nextTicket(), aor, entry }, now, {
      kind: "bindings-stored",
      resume,
    })
  }

  answer(answer: StoreAnswer, now: Instant): readonly SipEffect[] {
    const pending = this.#pending.get(answer.ticket)
    if (pending?.kind !== answer.kind) return NOTHING
    this.#forget(answer.ticket)
    // The kinds are equal; the compiler has to be shown each pair.
    if (pending.kind === "subscriber-found" && answer.kind === "subscriber-found")
      return pending.resume(answer.result, now)
    if (pending.kind === "bindings-found" && answer.kind === "bindings-found")
      return pending.resume(answer.result, now)
    if (pending.kind === "bindings-stored" && answer.kind === "bindings-stored")
      return pending.resume(answer.result, now)
    return NOTHING
  }

  expire(now: Instant): readonly SipEffect[] {
    const effects: SipEffect[] = []
    for (
      let ticket = this.#deadlines.takeDue(now);
      ticket !== undefined;
      ticket = this.#deadlines.takeDue(now)
    ) {
      const pending = this.#pending.get(ticket)
      this.#pending.delete(ticket)
      if (pending) effects.push(...pending.resume(LATE, now))
    }
    return effects
  }

  #ask(request: StoreRequest, now: Instant, pending: Pending): readonly SipEffect[] {
    if (this.#isOverloaded(now)) return pending.resume(OVERLOADED, now)
    this.#pending.set(request.ticket, pending)
    this.#deadlines.set(request.ticket, after(now, PATIENCE))
    return [request]
  }

  /** Many wait, and have waited for long: more would only make all of them late. */
  #isOverloaded(now: Instant): boolean {
    const { pendingQuestions, promptQuestions } = LIMITS.sip
    const { size } = this.#pending
    if (size < promptQuestions) return false
    const oldest = this.#deadlines.next - PATIENCE
    return size >= pendingQuestions || now >= oldest + PROMPT
  }

  #forget(ticket: Ticket): void {
    this.#pending.delete(ticket)
    this.#deadlines.delete(ticket)
  }
}

const LATE: Unavailable = { kind: "unavailable", cause: "the fabric did not answer within 5 s" }
const OVERLOADED: Unavailable = { kind: "unavailable", cause: "too many questions to the fabric are pending" }
