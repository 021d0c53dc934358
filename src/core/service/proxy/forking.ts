import { Timetable } from "../../kit/deadlines.ts"
import { type Machine, NOTHING } from "../../kit/machine.ts"
import { PassingTable, scattered } from "../../kit/passing-table.ts"
import { after, type Instant } from "../../kit/time.ts"
import { maxForwardsOf } from "../../sip/fields.ts"
import { isFinal, type SipRequest, type SipResponse } from "../../sip/message.ts"
import type { Hop } from "../../sip/transport.ts"
import type { Origin, ServerKey } from "../../transaction/layer-interface.ts"
import { loggable } from "../names.ts"
import { bestRefusal } from "./best.ts"
import {
  type Branch,
  branchOnwards,
  type Context,
  contextOf,
  DONE,
  enqueue,
  NO_TARGET,
  NOT_TRIED,
  type Onwards,
  relayedOf,
  sendOnwards,
  sentBackwards,
  takeStartable,
  type Work,
} from "./context.ts"
import type { ForkingEffect, ForkingInput, ForkingSettings } from "./forking-interface.ts"
import type { Target } from "./interface.ts"
import { isLooping, loopMark, newBranch } from "./loop.ts"
import { composeRequest, isSecure, sentBy, viaFor } from "./request.ts"
import { refusal } from "./validation.ts"

const SILENT = { status: 408, cause: "no final answer came in time" }

/** The response contexts of a proxy: each request's targets, what they answer, and what goes back. RFC 3261 §16.6, §16.7. */
export class Forking implements Machine<ForkingInput, ForkingEffect> {
  readonly #settings: ForkingSettings
  readonly #sentBys: ReadonlySet<string>
  readonly #contexts = new PassingTable<ServerKey, Context>(scattered)
  readonly #locating = new Map<number, Branch>()
  readonly #timersC = new Timetable<Branch>()

  constructor(settings: ForkingSettings) {
    this.#settings = settings
    this.#sentBys = new Set(settings.listeners.map(sentBy))
  }

  get deadline(): Instant {
    return this.#timersC.next
  }

  /** Requests whose branches may still be heard of. */
  get size(): number {
    return this.#contexts.size
  }

  /** Whether a request is being forwarded and has no final answer. */
  isWorkingOn(server: ServerKey): boolean {
    return this.#contexts.get(server)?.work !== undefined
  }

  /** Sends a request on to the one place that it goes to: in steps 4 to 10 of RFC 3261 §16.6 there is nothing to decide. */
  relay(server: ServerKey, request: SipRequest, to: Onwards, now: Instant): readonly ForkingEffect[] {
    const { hop, mark, compose } = to
    const { listeners, random, nextNumber } = this.#settings
    const key = nextNumber()
    const id = newBranch(random, nextNumber(), mark)
    const branch = branchOnwards(server, request, to, { key, id })
    this.#contexts.set(server, branch.context)
    const bytes = compose(viaFor(hop, listeners, id), branch.breadth)
    this.#setTimerC(branch, now)
    return sendOnwards(branch, to, { branch: id, request, bytes })
  }

  handle(input: ForkingInput, now: Instant): readonly ForkingEffect[] {
    const out: ForkingEffect[] = []
    switch (input.kind) {
      case "forward":
        this.#forward(input, now, out)
        break
      case "cancelled":
      case "answered":
        this.#end(input.server, input.kind, now, out)
        break
      case "located":
        this.#located(input.key, input.hops, now, out)
        break
      case "response":
        if (input.origin !== undefined) this.#hearAgain(input.origin, input.response, out)
        else this.#hear(input.user as Branch, input.response, now, out)
        break
      case "failed":
        this.#fail(input, now, out)
        break
      case "client-ended":
        this.#clientEnded(input.user as Branch)
        break
      case "server-ended":
        this.#serverEnded(input.server)
    }
    return out
  }

  /** Timer C: the branch is cancelled; if even that is not answered, its transaction fails. RFC 3261 §16.8. */
  expire(now: Instant): readonly ForkingEffect[] {
    if (now < this.deadline) return NOTHING
    const out: ForkingEffect[] = []
    for (let branch = this.#timersC.takeDue(now); branch; branch = this.#timersC.takeDue(now))
      this.#cancel(branch, out)
    return out
  }

  // Targets and branches.

  #forward(input: Extract<ForkingInput, { kind: "forward" }>, now: Instant, out: ForkingEffect[]): void {
    const context = this.#contexts.get(input.server) ?? this.#open(input, out)
    if (context?.work === undefined) return
    enqueue(context.work, input.targets)
    this.#advance(context, now, out)
  }

  /** Undefined where the request is refused, since it went too far or in a circle. */
  #open(input: Extract<ForkingInput, { kind: "forward" }>, out: ForkingEffect[]): Context | undefined {
    const { server, request, received, flow } = input
    const mark = loopMark(received)
    const tooFar = maxForwardsOf(request) === 0
    if (tooFar || isLooping(received, mark, this.#sentBys)) {
      const response = refusal(request, tooFar ? 483 : 482)
      this.#respond(server, response, out)
      const cause = tooFar ? "Max-Forwards is used up" : "it has been here before, unchanged"
      const { status } = response
      out.push({ kind: "refused", request: received, source: flow.remote.host, status, cause })
      out.push({ kind: "finished", server, status })
      return undefined
    }
    const context = contextOf(input, mark)
    this.#contexts.set(server, context)
    if (context.invite) out.push({ kind: "transact", input: { kind: "trying", server } })
    return context
  }

  #advance(context: Context, now: Instant, out: ForkingEffect[]): void {
    const { work } = context
    if (work === undefined || work.starting) return
    work.starting = true
    while (work.stopped === "no") {
      const startable = takeStartable(context, work)
      if (startable.length === 0) break
      for (const { target, breadth } of startable) this.#start(context, work, target, breadth, now, out)
    }
    work.starting = false
    if (work.active.length === 0) this.#conclude(context, work, out)
  }

  #start(
    context: Context,
    work: Work,
    target: Target,
    breadth: number,
    now: Instant,
    out: ForkingEffect[],
  ): void {
    const { hop, requestUri } = target
    const key = this.#settings.nextNumber()
    const branch: Branch = {
      key,
      context,
      target,
      breadth,
      hops: hop.kind === "uri" ? [] : [hop],
      state: { name: "locating" },
      failure: NOT_TRIED,
      timerC: undefined,
    }
    work.active.push(branch)
    if (hop.kind !== "uri") return this.#attempt(branch, work, now, out)
    this.#locating.set(key, branch)
    out.push({ kind: "find", key, uri: hop.uri, secure: isSecure(requestUri) })
  }

  #located(key: number, hops: readonly Hop[], now: Instant, out: ForkingEffect[]): void {
    const branch = this.#locating.get(key)
    if (branch?.context.work === undefined) return
    this.#locating.delete(key)
    if (hops.length === 0) branch.failure = { status: 503, cause: "the name system knows no way" }
    branch.hops = hops
    this.#attempt(branch, branch.context.work, now, out)
  }

  /** Sends to the next place, as a transaction of its own; gives the target up after the last. RFC 3263 §4.3. */
  #attempt(branch: Branch, work: Work, now: Instant, out: ForkingEffect[]): void {
    const { context, target } = branch
    const hop = branch.hops[0]
    if (hop === undefined) return this.#giveUp(branch, work, now, out)
    branch.hops = branch.hops.slice(1)
    const { listeners, random, nextNumber } = this.#settings
    const id = newBranch(random, nextNumber(), context.loopMark)
    const request = composeRequest(work.request, target, viaFor(hop, listeners, id), branch.breadth)
    branch.state = { name: "trying", branch: id, hop }
    context.clients++
    this.#setTimerC(branch, now)
    out.push({
      kind: "transact",
      input: { kind: "start", branch: id, request, hop, user: branch, origin: context },
    })
  }

  #setTimerC(branch: Branch, now: Instant): void {
    if (branch.context.invite)
      branch.timerC = this.#timersC.set(branch, after(now, this.#settings.timerC), branch.timerC)
  }

  // What comes of them.

  #hear(branch: Branch, response: SipResponse, now: Instant, out: ForkingEffect[]): void {
    const { context, state } = branch
    const { work } = context
    const relayed = relayedOf(response)
    const isOver = work === undefined || state.name === "done" || state.name === "locating"
    if (relayed === undefined) {
      // It names nobody behind us, and whoever asked would wait for another for ever.
      if (isFinal(response) && !isOver) this.#refused(branch, work, refusal(work.request, 502), now, out)
    } else if (response.status >= 200 && response.status < 300) this.#succeed(branch, relayed, out)
    else if (isOver) return
    else if (isFinal(response)) this.#refused(branch, work, relayed, now, out)
    else {
      // Only an INVITE has other provisional answers than 100, which is for us alone. RFC 4320 §4.1.
      if (response.status === 100 || !context.invite) return
      branch.state = { ...state, name: "ringing" }
      this.#setTimerC(branch, now)
      this.#respond(context.server, relayed, out)
    }
  }

  /** One more 2xx to an INVITE that we have done with. */
  #hearAgain(origin: Origin, response: SipResponse, out: ForkingEffect[]): void {
    const relayed = relayedOf(response)
    if (relayed === undefined) return
    const isThere = this.#contexts.get(origin.server)?.serverEnded === false
    if (isThere) this.#respond(origin.server, relayed, out)
    else out.push(sentBackwards(origin.backwards, relayed))
  }

  /** Every 2xx to an INVITE goes back, the first to anything else. RFC 3261 §16.7 step 5. */
  #succeed(branch: Branch, response: SipResponse, out: ForkingEffect[]): void {
    const { context } = branch
    const { work, server } = context
    this.#retire(branch)
    if (work === undefined && !context.invite) return
    if (context.serverEnded) out.push(sentBackwards(context.backwards, response))
    else this.#respond(server, response, out)
    if (work === undefined) return
    if (context.invite && context.outsideDialog) out.push({ kind: "call-answered", server })
    this.#close(context, work, response.status, out)
  }

  #refused(branch: Branch, work: Work, response: SipResponse, now: Instant, out: ForkingEffect[]): void {
    const { status } = response
    if (status === 503 && branch.hops.length > 0 && work.stopped === "no")
      return this.#attempt(branch, work, now, out)
    const { context, target } = branch
    this.#retire(branch)
    out.push({ kind: "branch-failed", server: context.server, target, status })
    const unreachable = status === 430 || status === 503
    if (unreachable && this.#fallBack(branch, target, work, now, out)) return
    work.refusals.push({ response, cause: undefined })
    if (status >= 600) this.#stop(work, "declined", out)
    this.#advance(context, now, out)
  }

  #fail(input: Extract<ForkingInput, { kind: "failed" }>, now: Instant, out: ForkingEffect[]): void {
    const { cause, heard, reason = "the way is broken" } = input
    const branch = input.user as Branch
    if (branch.state.name === "done" || branch.state.name === "locating") return
    const { work, invite } = branch.context
    if (work === undefined) return this.#retire(branch)
    // A flow that cannot be used any more has failed. RFC 5626 §5.3.
    const status = branch.state.hop.kind === "flow" ? 430 : 503
    branch.failure = cause === "timeout" ? SILENT : { status, cause: reason }
    // Who has answered once is not asked again elsewhere (RFC 3263 §4.3), nor is anyone when the
    // client of a request other than INVITE has given up just as we have (RFC 4320).
    if (heard || work.stopped !== "no" || (cause === "timeout" && !invite)) branch.hops = []
    this.#attempt(branch, work, now, out)
  }

  /** No place is left: now its fallback, or a refusal of our own. */
  #giveUp(branch: Branch, work: Work, now: Instant, out: ForkingEffect[]): void {
    const { context, target, failure, state } = branch
    // What rings may yet be answered, and is not called by another way as well.
    const { status } = failure
    const over = state.name === "ringing" || (status === 408 && !context.invite)
    this.#retire(branch)
    out.push({ kind: "branch-failed", server: context.server, target, status })
    if (!over && this.#fallBack(branch, target, work, now, out)) return
    const cause = `${loggable(target.requestUri)}: ${failure.cause}`
    work.refusals.push({ response: refusal(work.request, status), cause })
    this.#advance(context, now, out)
  }

  #fallBack(
    branch: Branch,
    { fallback, q }: Target,
    work: Work,
    now: Instant,
    out: ForkingEffect[],
  ): boolean {
    if (fallback === undefined || work.stopped !== "no") return false
    this.#start(branch.context, work, { ...fallback, q }, branch.breadth, now, out)
    return true
  }

  /** From now on it only waits for the end of its transaction, and holds no more than it must. */
  #retire(branch: Branch): void {
    branch.state = DONE
    const active = branch.context.work?.active ?? []
    if (active.includes(branch)) active.splice(active.indexOf(branch), 1)
    this.#timersC.drop(branch.timerC)
    branch.timerC = undefined
    this.#locating.delete(branch.key)
    branch.target = NO_TARGET
    branch.hops = []
  }

  // The end of it.

  #end(server: ServerKey, why: "cancelled" | "answered", now: Instant, out: ForkingEffect[]): void {
    const context = this.#contexts.get(server)
    if (context?.work === undefined) return
    if (why === "cancelled") {
      this.#stop(context.work, "cancelled", out)
      this.#advance(context, now, out)
    } else this.#close(context, context.work, undefined, out)
  }

  /** No new branches, and an end to those there are. */
  #stop(work: Work, why: "cancelled" | "declined", out: ForkingEffect[]): void {
    if (work.stopped === "no") work.stopped = why
    work.queue = []
    for (const branch of [...work.active]) this.#cancel(branch, out)
  }

  #cancel(branch: Branch, out: ForkingEffect[]): void {
    const { state } = branch
    if (state.name === "locating") this.#retire(branch)
    else if (state.name !== "done") {
      out.push({ kind: "transact", input: { kind: "cancel", branch: state.branch } })
    }
  }

  /** Nothing more can come: the best of what came goes back. RFC 3261 §16.7 step 6. */
  #conclude(context: Context, work: Work, out: ForkingEffect[]): void {
    const { server, toNode, invite, source } = context
    const cancelled = work.stopped === "cancelled"
    const { request } = work
    const { response, cause } = bestRefusal(request, work.refusals, { cancelled, toNode })
    const { status } = response
    if (cause !== undefined) out.push({ kind: "refused", request, source, status, cause })
    // A 408 would come after its client has given up. RFC 4320 §4.2.
    if (status === 408 && !invite) out.push({ kind: "transact", input: { kind: "abandon", server } })
    else this.#respond(server, response, out)
    this.#close(context, work, status, out)
  }

  #respond(server: ServerKey, response: SipResponse, out: ForkingEffect[]): void {
    out.push({ kind: "transact", input: { kind: "respond", server, response } })
  }

  /** The final answer is on its way: what still goes on is cancelled. RFC 3261 §16.7 step 10. */
  #close(context: Context, work: Work, status: number | undefined, out: ForkingEffect[]): void {
    const { server } = context
    context.work = undefined
    for (const branch of work.active) this.#cancel(branch, out)
    if (status !== undefined) out.push({ kind: "finished", server, status })
    this.#forget(context)
  }

  #clientEnded({ context }: Branch): void {
    context.clients--
    this.#forget(context)
  }

  #serverEnded(server: ServerKey): void {
    const context = this.#contexts.get(server)
    if (context === undefined) return
    context.serverEnded = true
    this.#forget(context)
  }

  #forget({ server, work, serverEnded, clients }: Context): void {
    if (work === undefined && serverEnded && clients === 0) this.#contexts.delete(server)
  }
}
