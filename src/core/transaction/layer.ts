import type { Machine } from "../kit/machine.ts"
import { NOTHING } from "../kit/machine.ts"
import type { Random } from "../kit/random.ts"
import { earliest, type Instant } from "../kit/time.ts"
import type { SipRequest, SipResponse } from "../sip/message.ts"
import type { Flow } from "../sip/transport.ts"
import { ClientTransactions } from "./client-transactions.ts"
import type { LayerEffect, LayerInput, ServerKey } from "./layer-interface.ts"
import { matchOf } from "./matching.ts"
import { OnwardReader } from "./onward.ts"
import { ServerTransactions } from "./server-transactions.ts"
import { type SipTimers, STANDARD_TIMERS } from "./timers.ts"

/**
 * All transactions of one node: matches what comes in to them, repeats what is lost, and tells its
 * user only what is new. RFC 3261 §17 with RFC 3581, RFC 4320 and RFC 6026.
 */
export class TransactionLayer implements Machine<LayerInput, LayerEffect> {
  readonly #clients: ClientTransactions
  readonly #servers: ServerTransactions
  readonly #onward = new OnwardReader()
  readonly #awaiting = (branch: string) => this.#clients.awaiting(branch)

  constructor(random: Random, timers: SipTimers = STANDARD_TIMERS) {
    this.#clients = new ClientTransactions(timers, random)
    this.#servers = new ServerTransactions(timers, random)
  }

  get deadline(): Instant {
    return earliest(this.#clients.deadline, this.#servers.deadline)
  }

  /** INVITEs taken and not finally answered. */
  get pendingInvites(): number {
    return this.#servers.unansweredInvites
  }

  /** Transactions of either side without a final response. */
  get pendingTransactions(): number {
    return this.#servers.unanswered + this.#clients.unanswered
  }

  /** The request of a server transaction that has no final response yet, as it was handed up. */
  pendingRequest(server: ServerKey): { readonly request: SipRequest; readonly flow: Flow } | undefined {
    return this.#servers.pendingRequest(server)
  }

  /** The response in those bytes, where it is one to go on as it came: to be `received` as the message that it is. */
  readOnward(bytes: Uint8Array): SipResponse | undefined {
    return this.#onward.read(bytes, this.#awaiting)
  }

  /** Takes a request apart from `received`: see `ServerTransactions.take`. */
  take(match: string, request: SipRequest, flow: Flow, now: Instant): ServerKey | undefined {
    return this.#servers.take(match, request, flow, now)
  }

  /** Whether there is a server transaction of that method, branch and sent-by, or of an INVITE that an ACK with those may belong to. */
  knows(method: string, sentBy: string, branch: string, now: Instant): boolean {
    return this.#servers.knows(matchOf(method, sentBy, branch), now)
  }

  handle(input: LayerInput, now: Instant): readonly LayerEffect[] {
    const out: LayerEffect[] = []
    switch (input.kind) {
      case "received":
        if (input.message.kind === "response") this.#clients.receive(input.message, now, out)
        else this.#servers.receive(input.message, input.flow, now, out)
        break
      case "send-failed":
        this.#clients.sendFailed(input.id, input.reason, now, out)
        this.#servers.sendFailed(input.id, input.reason, now, out)
        break
      case "flow-closed":
        this.#clients.flowClosed(input.flow, now, out)
        break
      case "node-lost":
        this.#clients.nodeLost(input.node, now, out)
        break
      case "start":
        this.#clients.start(input, now, out)
        break
      case "cancel":
        this.#clients.cancel(input.branch, now, out)
        break
      case "respond":
        this.#servers.respond(input.server, input.response, now, out, input.forget)
        break
      case "trying":
        this.#servers.trying(input.server, input.bytes, now, out)
        break
      case "abandon":
        this.#servers.abandon(input.server, out)
    }
    return out
  }

  expire(now: Instant): readonly LayerEffect[] {
    if (now < this.deadline) return NOTHING
    const out: LayerEffect[] = []
    this.#clients.expire(now, out)
    this.#servers.expire(now, out)
    return out
  }
}
