import { type Machine, NOTHING } from "../kit/machine.ts"
import { after, type Duration, earliest, type Instant, NEVER, NO_TIME } from "../kit/time.ts"
import { isFinal, type SipRequest as Request, type SipResponse as Response } from "../sip/message.ts"
import type { ServerEffect, ServerInput } from "./server.ts"
import { doubledUpTo, type SipTimers } from "./timers.ts"

type State =
  /** Overdue from `until` on; never where something has been said. */
  | { readonly name: "proceeding"; readonly latest: Response | undefined; readonly until: Instant }
  | {
      readonly name: "completed"
      readonly latest: Response
      readonly interval: Duration
      readonly repeatAt: Instant
      readonly until: Instant
    }
  | { readonly name: "confirmed"; readonly until: Instant }
  | { readonly name: "accepted"; readonly until: Instant }
  | { readonly name: "terminated" }

/**
 * Answers one INVITE, and repeats a refusal until it is acknowledged. RFC 3261 §17.2.1, RFC 6026 §7.1.
 *
 *     proceeding ──3xx…6xx─▶ completed ──ACK─▶ confirmed ──Timer I─▶ terminated
 *          │                     └───────────Timer H──────────────────▲
 *          └────2xx────▶ accepted ──────────Timer L───────────────────┘
 *
 * It survives errors of its transport, so that a repeated INVITE is not taken for a new one.
 */
export class InviteServer implements Machine<ServerInput, ServerEffect> {
  #state: State
  readonly #timers: SipTimers
  readonly #reliable: boolean

  constructor(transport: { readonly reliable: boolean }, timers: SipTimers, now: Instant) {
    this.#timers = timers
    this.#reliable = transport.reliable
    this.#state = { name: "proceeding", latest: undefined, until: after(now, timers.trying) }
  }

  /** Whether it only waits for repetitions, and of what. */
  get lingering(): "confirmed" | "accepted" | undefined {
    const { name } = this.#state
    return name === "confirmed" || name === "accepted" ? name : undefined
  }

  get deadline(): Instant {
    if (this.#state.name === "terminated") return NEVER
    if (this.#state.name === "completed") return earliest(this.#state.repeatAt, this.#state.until)
    return this.#state.until
  }

  handle(input: ServerInput, now: Instant): readonly ServerEffect[] {
    switch (input.kind) {
      case "retransmission":
        return "latest" in this.#state && this.#state.latest
          ? [{ kind: "send", response: this.#state.latest }]
          : NOTHING
      case "response":
        return this.#answer(input.response, now)
      case "acknowledged":
        return this.#acknowledge(input.request, now)
      case "transport-failed":
        return NOTHING
    }
  }

  expire(now: Instant): readonly ServerEffect[] {
    const state = this.#state
    if (now < this.deadline) return NOTHING
    switch (state.name) {
      case "proceeding":
        this.#state = { ...state, until: NEVER }
        return [{ kind: "overdue" }]
      case "completed": {
        if (now >= state.until) return this.#finish("unacknowledged")
        const interval = doubledUpTo(state.interval, this.#timers.t2)
        this.#state = { ...state, interval, repeatAt: after(now, interval) } // Timer G.
        return [{ kind: "send", response: state.latest }]
      }
      default:
        return this.#finish("answered")
    }
  }

  #answer(response: Response, now: Instant): readonly ServerEffect[] {
    const { t1, l, h } = this.#timers
    const state = this.#state
    const success = response.status >= 200 && response.status < 300
    if (state.name === "accepted" ? !success : state.name !== "proceeding") return NOTHING
    if (!isFinal(response)) this.#state = { name: "proceeding", latest: response, until: NEVER }
    else if (!success) {
      const repeatAt = this.#reliable ? NEVER : after(now, t1)
      this.#state = { name: "completed", latest: response, interval: t1, repeatAt, until: after(now, h) }
    } else if (state.name === "proceeding") this.#state = { name: "accepted", until: after(now, l) }
    return [{ kind: "send", response }]
  }

  #acknowledge(request: Request, now: Instant): readonly ServerEffect[] {
    if (this.#state.name === "accepted") return [{ kind: "pass", request }]
    if (this.#state.name === "completed")
      this.#state = { name: "confirmed", until: after(now, this.#reliable ? NO_TIME : this.#timers.i) }
    return NOTHING
  }

  #finish(cause: "answered" | "unacknowledged"): readonly ServerEffect[] {
    this.#state = { name: "terminated" }
    return [{ kind: "finished", cause }]
  }
}
