import { type Machine, NOTHING } from "../kit/machine.ts"
import { after, type Duration, earliest, type Instant, NEVER, NO_TIME } from "../kit/time.ts"
import { isFinal, type SipResponse as Response } from "../sip/message.ts"
import type { ClientEffect, ClientInput } from "./client.ts"
import { doubled, type SipTimers } from "./timers.ts"

type State =
  | {
      readonly name: "calling"
      readonly interval: Duration
      readonly repeatAt: Instant
      readonly until: Instant
    }
  | { readonly name: "proceeding"; readonly until: Instant }
  | { readonly name: "completed"; readonly until: Instant }
  | { readonly name: "accepted"; readonly until: Instant }
  | { readonly name: "terminated" }

/**
 * Sends one INVITE until something answers, and acknowledges a refusal. RFC 3261 §17.1.1, RFC 6026 §7.2.
 *
 *     calling ──1xx─▶ proceeding ──3xx…6xx─▶ completed ──Timer D─▶ terminated
 *        │  └────────3xx…6xx─────────┼──────────▲                     ▲
 *        └────────────2xx────────────┴──2xx─▶ accepted ──Timer M──────┘
 *
 * Its user has sent the first copy when it makes the machine. In `proceeding` it waits for ever,
 * since Timer C is the proxy's, unless it is cancelled: then for 64 × T1 (§9.1).
 */
export class InviteClient implements Machine<ClientInput, ClientEffect> {
  #state: State
  readonly #timers: SipTimers
  readonly #linger: Duration

  constructor(transport: { readonly reliable: boolean }, timers: SipTimers, now: Instant) {
    this.#timers = timers
    this.#linger = transport.reliable ? NO_TIME : timers.d
    this.#state = {
      name: "calling",
      interval: timers.t1,
      repeatAt: transport.reliable ? NEVER : after(now, timers.t1),
      until: after(now, timers.b),
    }
  }

  /** Whether it only waits for repetitions, and of what. */
  get lingering(): "completed" | "accepted" | undefined {
    const { name } = this.#state
    return name === "completed" || name === "accepted" ? name : undefined
  }

  get deadline(): Instant {
    if (this.#state.name === "terminated") return NEVER
    if (this.#state.name === "calling") return earliest(this.#state.repeatAt, this.#state.until)
    return this.#state.until
  }

  handle(input: ClientInput, now: Instant): readonly ClientEffect[] {
    switch (input.kind) {
      case "response":
        return this.#hear(input.response, now)
      case "cancelled":
        if (this.#state.name === "proceeding")
          this.#state = { name: "proceeding", until: after(now, this.#timers.b) }
        return NOTHING
      case "transport-failed":
        return this.#fail("transport-failed")
    }
  }

  expire(now: Instant): readonly ClientEffect[] {
    const state = this.#state
    if (now < this.deadline) return NOTHING
    if (state.name !== "calling" || now >= state.until) return this.#fail("timeout")
    const interval = doubled(state.interval)
    this.#state = { ...state, interval, repeatAt: after(now, interval) } // Timer A.
    return [{ kind: "repeat" }]
  }

  #hear(response: Response, now: Instant): readonly ClientEffect[] {
    switch (this.#state.name) {
      case "calling":
      case "proceeding":
        if (!isFinal(response)) {
          if (this.#state.name === "calling") this.#state = { name: "proceeding", until: NEVER }
          return [{ kind: "pass", response }]
        }
        if (response.status < 300) {
          this.#state = { name: "accepted", until: after(now, this.#timers.m) }
          return [{ kind: "pass", response }]
        }
        this.#state = { name: "completed", until: after(now, this.#linger) }
        return [
          { kind: "acknowledge", response },
          { kind: "pass", response },
        ]
      case "completed":
        return response.status >= 300 ? [{ kind: "acknowledge", response }] : NOTHING
      case "accepted":
        return response.status >= 200 && response.status < 300 ? [{ kind: "pass", response }] : NOTHING
      case "terminated":
        return NOTHING
    }
  }

  /** The end: bad news only where no final response had come. */
  #fail(cause: "timeout" | "transport-failed"): readonly ClientEffect[] {
    if (this.#state.name === "terminated") return NOTHING
    const answered = this.#state.name === "completed" || this.#state.name === "accepted"
    this.#state = { name: "terminated" }
    return [{ kind: "finished", cause: answered ? "answered" : cause }]
  }
}
