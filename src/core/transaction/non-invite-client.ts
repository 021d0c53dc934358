import { type Machine, NOTHING } from "../kit/machine.ts"
import { after, type Duration, earliest, type Instant, NEVER, NO_TIME } from "../kit/time.ts"
import { isFinal, type SipResponse as Response } from "../sip/message.ts"
import type { ClientEffect, ClientInput } from "./client.ts"
import { doubledUpTo, type SipTimers } from "./timers.ts"

type State =
  | {
      readonly name: "trying" | "proceeding"
      readonly interval: Duration
      readonly repeatAt: Instant
      readonly until: Instant
    }
  | { readonly name: "completed"; readonly until: Instant }
  | { readonly name: "terminated" }

/**
 * Sends one request other than INVITE until it has its final answer. RFC 3261 §17.1.2.
 *
 *     trying ──1xx─▶ proceeding ──2xx…6xx─▶ completed ──Timer K─▶ terminated
 *        └───────────────2xx…6xx───────────────▲
 *
 * Its user has sent the first copy when it makes the machine.
 */
export class NonInviteClient implements Machine<ClientInput, ClientEffect> {
  #state: State
  readonly #timers: SipTimers
  readonly #linger: Duration

  constructor(transport: { readonly reliable: boolean }, timers: SipTimers, now: Instant) {
    this.#timers = timers
    this.#linger = transport.reliable ? NO_TIME : timers.k
    this.#state = {
      name: "trying",
      interval: timers.t1,
      repeatAt: transport.reliable ? NEVER : after(now, timers.t1),
      until: after(now, timers.f),
    }
  }

  /** Whether it only waits for repetitions. */
  get lingering(): "completed" | undefined {
    return this.#state.name === "completed" ? "completed" : undefined
  }

  get deadline(): Instant {
    if (this.#state.name === "terminated") return NEVER
    if (this.#state.name === "completed") return this.#state.until
    return earliest(this.#state.repeatAt, this.#state.until)
  }

  handle(input: ClientInput, now: Instant): readonly ClientEffect[] {
    switch (input.kind) {
      case "response":
        return this.#hear(input.response, now)
      case "cancelled": // Only an INVITE can be.
        return NOTHING
      case "transport-failed":
        return this.#finish("transport-failed")
    }
  }

  expire(now: Instant): readonly ClientEffect[] {
    const state = this.#state
    if (now < this.deadline) return NOTHING
    if (!("interval" in state) || now >= state.until) return this.#finish("timeout")
    // Timer E: once something answered, T2 at once.
    const { t2 } = this.#timers
    const interval = state.name === "proceeding" ? t2 : doubledUpTo(state.interval, t2)
    this.#state = { ...state, interval, repeatAt: after(now, interval) }
    return [{ kind: "repeat" }]
  }

  #hear(response: Response, now: Instant): readonly ClientEffect[] {
    const state = this.#state
    if (!("interval" in state)) return NOTHING
    this.#state = isFinal(response)
      ? { name: "completed", until: after(now, this.#linger) }
      : { ...state, name: "proceeding" }
    return [{ kind: "pass", response }]
  }

  #finish(cause: "timeout" | "transport-failed"): readonly ClientEffect[] {
    if (this.#state.name === "terminated") return NOTHING
    const answered = this.#state.name === "completed"
    this.#state = { name: "terminated" }
    return [{ kind: "finished", cause: answered ? "answered" : cause }]
  }
}
