import { type Machine, NOTHING } from "../kit/machine.ts"
import { after, type Duration, type Instant, NEVER, NO_TIME } from "../kit/time.ts"
import { isFinal, type SipResponse as Response } from "../sip/message.ts"
import type { ServerEffect, ServerInput } from "./server.ts"
import type { SipTimers } from "./timers.ts"

type State =
  /** Overdue from `until` on; never where that has been said. */
  | { readonly name: "trying"; readonly until: Instant }
  | { readonly name: "proceeding"; readonly latest: Response }
  | { readonly name: "completed"; readonly latest: Response; readonly until: Instant }
  | { readonly name: "terminated" }

/**
 * Answers one non-INVITE request, and again whenever the client repeats it. RFC 3261 §17.2.2, RFC 4320.
 *
 *     trying ──1xx─▶ proceeding ──2xx…6xx─▶ completed ──Timer J─▶ terminated
 *        └───────────────2xx…6xx───────────────▲
 */
export class NonInviteServer implements Machine<ServerInput, ServerEffect> {
  #state: State
  readonly #linger: Duration

  /** A reliable transport repeats no request, so nothing is worth lingering for. */
  constructor(transport: { readonly reliable: boolean }, timers: SipTimers, now: Instant) {
    this.#linger = transport.reliable ? NO_TIME : timers.j
    this.#state = { name: "trying", until: after(now, timers.stillTrying) }
  }

  /** Whether it only waits for repetitions. */
  get lingering(): "completed" | undefined {
    return this.#state.name === "completed" ? "completed" : undefined
  }

  get deadline(): Instant {
    return "until" in this.#state ? this.#state.until : NEVER
  }

  handle(input: ServerInput, now: Instant): readonly ServerEffect[] {
    if (this.#state.name === "terminated") return NOTHING
    switch (input.kind) {
      case "retransmission":
        return "latest" in this.#state ? [{ kind: "send", response: this.#state.latest }] : NOTHING
      case "response":
        return this.#answer(input.response, now)
      case "acknowledged":
        return NOTHING
      case "transport-failed":
        return this.#finish("transport-failed")
    }
  }

  expire(now: Instant): readonly ServerEffect[] {
    if (now < this.deadline) return NOTHING
    if (this.#state.name !== "trying") return this.#finish("answered")
    this.#state = { name: "trying", until: NEVER }
    return [{ kind: "overdue" }]
  }

  #answer(response: Response, now: Instant): readonly ServerEffect[] {
    if (this.#state.name === "completed") return NOTHING // The first final response stands.
    this.#state = isFinal(response)
      ? { name: "completed", latest: response, until: after(now, this.#linger) }
      : { name: "proceeding", latest: response }
    return [{ kind: "send", response }]
  }

  #finish(cause: "answered" | "transport-failed"): readonly ServerEffect[] {
    this.#state = { name: "terminated" }
    return [{ kind: "finished", cause }]
  }
}
