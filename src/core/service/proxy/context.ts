import type { Appointed } from "../../kit/deadlines.ts"
import { LIMITS } from "../../kit/limits.ts"
import { DeferredRequest } from "../../sip/deferred-request.ts"
import { tagOf, toOf, topVia } from "../../sip/fields.ts"
import type { Headers, SipRequest, SipResponse } from "../../sip/message.ts"
import { serializeMessage } from "../../sip/serialize.ts"
import type { Flow, Hop } from "../../sip/transport.ts"
import type { Origin, ServerKey } from "../../transaction/layer-interface.ts"
import type { Repeated } from "../../transaction/onward.ts"
import { responseHop } from "../../transaction/response-route.ts"
import { withoutTopVia } from "../../transaction/via-stack.ts"
import type { Refusal } from "./best.ts"
import type { ForkingEffect, ForkingInput } from "./forking-interface.ts"
import type { Target } from "./interface.ts"
import { breadthOf } from "./validation.ts"

/** RFC 3261's response context: one request, and all that became of it. §16.6. */
export interface Context extends Origin {
  /** The address that the request came from. */
  readonly source: string
  /** Whether the request came from a node of this fabric. */
  readonly toNode: boolean
  readonly invite: boolean
  readonly outsideDialog: boolean
  /** Max-Breadth that may be out at once. RFC 5393. */
  readonly breadth: number
  readonly loopMark: string
  /** Until the final answer has gone back. */
  work: Work | undefined
  /** Client transactions that still exist. */
  clients: number
  serverEnded: boolean
}

export interface Work {
  readonly request: SipRequest
  /** Targets not yet tried, the most preferred first. */
  queue: readonly Target[]
  /** Few, nearly always one. */
  readonly active: Branch[]
  readonly refusals: Refusal[]
  /** No new branches: the caller hung up, or somebody declined for all (6xx). */
  stopped: "no" | "cancelled" | "declined"
  /** Branches are being started, so what fails at once must not start others. */
  starting: boolean
}

/** One target of a request, over all the places where it is tried. */
export interface Branch {
  /** Names it while it is being located. */
  readonly key: number
  readonly context: Context
  target: Target
  readonly breadth: number
  /** Places left to try. RFC 3263 §4.3. */
  hops: readonly Hop[]
  state:
    | { readonly name: "locating" }
    | { readonly name: "trying" | "ringing"; readonly branch: string; readonly hop: Hop }
    | { readonly name: "done" }
  /** What went wrong until now: the status that stands for it, and a clause for the log. */
  failure: { readonly status: number; readonly cause: string }
  /** Of an INVITE. RFC 3261 §16.6 step 11. */
  timerC: Appointed<Branch> | undefined
}

/** Where a request goes that is sent on as it came, over `flow`. `mark`: see `loopMark`. */
export interface Onwards {
  readonly flow: Flow
  readonly target: Target
  readonly hop: Hop
  readonly mark: string
  /** Of an INVITE: what its client is told at once. */
  readonly trying?: Uint8Array
  /** The request as it goes out, with those values of Via and Max-Breadth. */
  readonly compose: (via: string, breadth: number) => Uint8Array
  readonly repeated: Repeated | undefined
}

export const DONE = { name: "done" } as const
export const NO_TARGET: Target = {
  hop: { kind: "uri", uri: "" },
  requestUri: "",
  route: [],
  recordRoute: [],
  q: 0,
}

export const NOT_TRIED = { status: 503, cause: "there is no way to it" }

/** Of a request that comes to be forwarded. `mark`: see `loopMark`. */
export function contextOf(
  { server, request, received, flow }: Extract<ForkingInput, { kind: "forward" }>,
  mark: string,
): Context {
  return {
    server,
    backwards: responseHop(topVia(received), flow).flow,
    source: flow.remote.host,
    toNode: flow.node !== undefined,
    invite: request.method === "INVITE",
    outsideDialog: tagOf(toOf(request)) === undefined,
    breadth: breadthOf(request, LIMITS.sip.breadth),
    loopMark: mark,
    work: { request, queue: [], active: [], refusals: [], stopped: "no", starting: false },
    clients: 0,
    serverEnded: false,
  }
}

/** The only branch of a context of its own, on its way already. INVITEs begin a dialog, other requests are inside one. */
export function branchOnwards(
  server: ServerKey,
  request: SipRequest,
  { flow, target, hop, mark }: Onwards,
  { key, id }: { readonly key: number; readonly id: string },
): Branch {
  const work: Work = { request, queue: [], active: [], refusals: [], stopped: "no", starting: false }
  const context: Context = {
    server,
    backwards: flow,
    source: flow.remote.host,
    toNode: false,
    invite: request.method === "INVITE",
    outsideDialog: request.method === "INVITE",
    breadth: LIMITS.sip.breadth,
    loopMark: mark,
    work,
    clients: 1,
    serverEnded: false,
  }
  const branch: Branch = {
    key,
    context,
    target,
    breadth: context.breadth,
    hops: [],
    state: { name: "trying", branch: id, hop },
    failure: NOT_TRIED,
    timerC: undefined,
  }
  work.active.push(branch)
  return branch
}

const AS_THEY_ARE = (headers: Headers): Headers => headers

/** What the transaction layer does for it. `bytes`: the request as it goes out. */
export function sendOnwards(
  user: Branch,
  { target, hop, trying, repeated }: Onwards,
  { branch, request, bytes }: { branch: string; request: SipRequest; bytes: Uint8Array },
): readonly ForkingEffect[] {
  const origin = user.context
  if (trying === undefined) {
    const start = { kind: "start", branch, request, hop, bytes, repeated, user, origin } as const
    return [{ kind: "transact", input: start }]
  }
  // As it is sent, should it be cancelled or refused.
  const sent = new DeferredRequest(request.method, target.requestUri, bytes, AS_THEY_ARE)
  const start = { kind: "start", branch, request: sent, hop, bytes, repeated, user, origin } as const
  return [
    { kind: "transact", input: { kind: "trying", server: origin.server, bytes: trying } },
    { kind: "transact", input: start },
  ]
}

/** Undefined where it is not for anyone behind us. RFC 3261 §16.7 step 3. */
export function relayedOf(response: SipResponse): SipResponse | undefined {
  if (response.onward !== undefined) return response
  const headers = withoutTopVia(response.headers)
  return headers.has("Via") ? { ...response, headers } : undefined
}

/** Sends that nobody follows up. */
export const STATELESS = "stateless"

/** To whoever asked, whose transaction has gone. */
export const sentBackwards = (flow: Flow, response: SipResponse): ForkingEffect => ({
  kind: "send",
  id: STATELESS,
  hop: { kind: "flow", flow },
  bytes: serializeMessage(response),
})

/** Puts more targets among those that wait, by preference; as many as one request may have. */
export function enqueue(work: Work, targets: readonly Target[]): void {
  work.queue = [...work.queue, ...targets].sort((a, b) => b.q - a.q).slice(0, LIMITS.sip.targets)
}

/**
 * Takes from the queue what may start now, and the Max-Breadth of each: all of the best preference,
 * as far as the breadth allows, and none of the next before those are through.
 */
export function takeStartable(context: Context, work: Work): readonly { target: Target; breadth: number }[] {
  const preference = work.active[0]?.target.q ?? work.queue[0]?.q
  const equals = work.queue.findIndex(({ q }) => q !== preference)
  const waiting = equals < 0 ? work.queue.length : equals
  let free = context.breadth
  for (const { breadth } of work.active) free -= breadth
  const number = Math.min(waiting, free)
  if (number <= 0) return []
  const taken = work.queue.slice(0, number)
  work.queue = work.queue.slice(number)
  const share = Math.floor(free / number)
  const rest = free - share * number
  return taken.map((target, index) => ({ target, breadth: index < rest ? share + 1 : share }))
}
