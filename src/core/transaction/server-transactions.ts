import { type Appointed, Timetable } from "../kit/deadlines.ts"
import { InvariantError } from "../kit/errors.ts"
import { LIMITS } from "../kit/limits.ts"
import { count, log } from "../kit/log.ts"
import { PassingTable, scattered } from "../kit/passing-table.ts"
import type { Random } from "../kit/random.ts"
import { earliest, type Instant } from "../kit/time.ts"
import { randomToken } from "../kit/token.ts"
import { toOf, topVia } from "../sip/fields.ts"
import { Headers, isFinal, NO_BODY, type SipRequest, type SipResponse } from "../sip/message.ts"
import { makeResponse } from "../sip/respond.ts"
import { serializeMessage } from "../sip/serialize.ts"
import { type Flow, type Hop, isReliable } from "../sip/transport.ts"
import type { Via } from "../sip/via.ts"
import { AnsweredServers, type Lingering } from "./answered-servers.ts"
import { InviteServer } from "./invite-server.ts"
import { KeyHash } from "./key-hash.ts"
import type { LayerEffect, ServerKey } from "./layer-interface.ts"
import { matchKey } from "./matching.ts"
import { NonInviteServer } from "./non-invite-server.ts"
import { markReceived, reopenedHop, responseHop } from "./response-route.ts"
import type { ServerEffect } from "./server.ts"
import { statelessTag } from "./stateless.ts"
import type { SipTimers } from "./timers.ts"
import { withTopVia } from "./via-stack.ts"

/**
 * A response as it went out. Transactions linger for 32 s after the answer, hundreds of thousands of them on a busy
 * node, so all that is kept of the message is its bytes: fields would keep the whole request alive besides, of which
 * their texts are parts. `response` is a stand-in that only says which one it is.
 */
interface Said {
  readonly response: SipResponse
  readonly bytes: Uint8Array
  readonly toTag: string | undefined
}

interface Server {
  readonly key: ServerKey
  readonly match: string
  readonly method: string
  readonly machine: InviteServer | NonInviteServer
  readonly flow: Flow
  hop: Hop
  /** Where responses go should `hop` be gone: tried once. */
  reopen: Hop | undefined
  /** Until the final response. */
  request: SipRequest | undefined
  /** What was said last, while it may have to be said again. */
  latest: Said | undefined
  /** What the machine is being told to say. */
  saying: Said | undefined
  /** What it is being told to say ends it. */
  isForgotten: boolean
  /** Tag of the To in the final response; RFC 2543 clients match their ACK by it. */
  toTag: string | undefined
  timer: Appointed<Server> | undefined
}

const ID = "server "

/** The server half of the layer. */
export class ServerTransactions {
  readonly #timers: SipTimers
  readonly #random: Random
  readonly #servers = new PassingTable<ServerKey, Server>(scattered)
  readonly #byMatch: PassingTable<string, Server>
  readonly #timetable = new Timetable<Server>()
  readonly #answered: AnsweredServers
  #lastKey = 0
  #unanswered = 0
  #unansweredInvites = 0

  constructor(timers: SipTimers, random: Random) {
    this.#timers = timers
    this.#random = random
    const hash = new KeyHash(random)
    this.#byMatch = new PassingTable((key) => hash.of(key))
    this.#answered = new AnsweredServers(timers, hash)
  }

  get deadline(): Instant {
    return earliest(this.#timetable.next, this.#answered.deadline)
  }

  /** Those without a final response. */
  get unanswered(): number {
    return this.#unanswered
  }

  get unansweredInvites(): number {
    return this.#unansweredInvites
  }

  receive(request: SipRequest, flow: Flow, now: Instant, out: LayerEffect[]): void {
    const via = topVia(request)
    if (request.method === "ACK") return this.#acknowledge(request, via, flow, now, out)
    const match = matchKey(request, via, request.method)
    const known = this.#byMatch.get(match)
    if (known) return this.#tell(known, known.machine.handle({ kind: "retransmission" }, now), now, out)
    if (this.#answered.knows(match, now)) return this.#answered.repeat(match, now, out)
    const marked = markReceived(via, flow)
    const headers = withTopVia(request.headers, marked)
    const received: SipRequest = { ...request, headers }
    if (this.#isFull()) return this.#refuse(received, marked, flow, out)
    const reopen = isReliable(flow.transport) ? reopenedHop(marked, flow) : undefined
    const server = this.#open(match, received, { hop: responseHop(marked, flow), reopen }, flow, now)
    if (request.method === "CANCEL") this.#cancel(server, request, via, now, out)
    else out.push({ kind: "request", server: server.key, request: received, flow })
    this.#settle(server, now, out)
  }

  /**
   * A request over UDP whose `match` is known, and whose answer goes back where it came from: its transaction, or undefined where
   * there is one, or no room for another. Its user has to see it on.
   */
  take(match: string, request: SipRequest, flow: Flow, now: Instant): ServerKey | undefined {
    if (this.knows(match, now) || this.#isFull()) return undefined
    const server = this.#open(match, request, { hop: { kind: "flow", flow }, reopen: undefined }, flow, now)
    server.timer = this.#timetable.set(server, server.machine.deadline, server.timer)
    return server.key
  }

  knows(match: string, now: Instant): boolean {
    return this.#byMatch.has(match) || this.#answered.knows(match, now)
  }

  respond(
    key: ServerKey,
    response: SipResponse,
    now: Instant,
    out: LayerEffect[],
    forget: boolean = false,
  ): void {
    const server = this.#servers.get(key)
    if (server === undefined) return
    const said = say(response)
    server.saying = said
    const effects = server.machine.handle({ kind: "response", response: said.response }, now)
    server.isForgotten = forget
    this.#tell(server, effects, now, out)
    server.saying = undefined
    if (forget) this.#remove(server, out)
  }

  trying(key: ServerKey, bytes: Uint8Array | undefined, now: Instant, out: LayerEffect[]): void {
    const server = this.#servers.get(key)
    if (server?.request === undefined || server.latest !== undefined) return
    if (bytes === undefined) this.#sayTrying(server, now, out)
    else this.respond(key, tryingOf(server.method, bytes), now, out)
  }

  abandon(key: ServerKey, out: LayerEffect[]): void {
    const server = this.#servers.get(key)
    if (server) this.#remove(server, out)
  }

  /** The request of a server transaction that has no final response yet. */
  pendingRequest(key: ServerKey): { readonly request: SipRequest; readonly flow: Flow } | undefined {
    const server = this.#servers.get(key)
    return server?.request && { request: server.request, flow: server.flow }
  }

  /** A response that could not be sent goes another way once, then is given up. RFC 3261 §18.2.2. */
  sendFailed(id: string, reason: string, now: Instant, out: LayerEffect[]): void {
    const server = id.startsWith(ID) ? this.#servers.get(Number(id.slice(ID.length))) : undefined
    if (server === undefined) {
      const lost = this.#answered.sendFailed(id, reason, now)
      if (lost !== undefined) out.push(lost)
      return
    }
    const { reopen, latest, method } = server
    if (reopen && latest) {
      server.reopen = undefined
      server.hop = reopen
      out.push({ kind: "send", id, hop: reopen, bytes: latest.bytes })
      return
    }
    out.push(log("info", "sip.response-lost", { method, reason }))
    this.#tell(server, server.machine.handle({ kind: "transport-failed" }, now), now, out)
  }

  expire(now: Instant, out: LayerEffect[]): void {
    this.#answered.expire(now)
    for (let server = this.#timetable.takeDue(now); server; server = this.#timetable.takeDue(now)) {
      server.timer = undefined
      this.#tell(server, server.machine.expire(now), now, out)
    }
  }

  #isFull(): boolean {
    const { pendingTransactions, transactions } = LIMITS.sip
    return this.#unanswered >= pendingTransactions || this.#servers.size + this.#answered.size >= transactions
  }

  #open(
    match: string,
    request: SipRequest,
    { hop, reopen }: Pick<Server, "hop" | "reopen">,
    flow: Flow,
    now: Instant,
  ): Server {
    const { method } = request
    const transport = { reliable: isReliable(flow.transport) }
    const invite = method === "INVITE"
    const server: Server = {
      key: ++this.#lastKey,
      match,
      method,
      machine: invite
        ? new InviteServer(transport, this.#timers, now)
        : new NonInviteServer(transport, this.#timers, now),
      flow,
      hop,
      reopen,
      request,
      latest: undefined,
      saying: undefined,
      isForgotten: false,
      toTag: undefined,
      timer: undefined,
    }
    this.#servers.set(server.key, server)
    this.#byMatch.set(match, server)
    this.#unanswered++
    if (invite) this.#unansweredInvites++
    return server
  }

  /** Too much to do: said without remembering that it was. */
  #refuse(request: SipRequest, via: Via, flow: Flow, out: LayerEffect[]): void {
    const response = makeResponse(request, 503, undefined, {
      toTag: statelessTag(request),
      headers: [{ name: "Retry-After", value: String(LIMITS.sip.retryAfterSeconds) }],
    })
    const bytes = serializeMessage(response)
    const cause = "too many transactions are pending"
    out.push(count("sip_overload_refusals_total"))
    out.push(
      log("info", "sip.refused", { status: 503, cause, method: request.method, source: flow.remote.host }),
    )
    out.push({ kind: "send", id: "stateless", hop: responseHop(via, flow), bytes })
  }

  /**
   * Answers a CANCEL here, and says which INVITE it ends. This proxy keeps state of all that it
   * forwards, so an INVITE unknown here is unknown (RFC 3261 §9.2).
   */
  #cancel(server: Server, request: SipRequest, via: Via, now: Instant, out: LayerEffect[]): void {
    const match = matchKey(request, via, "INVITE")
    const isKnown = this.knows(match, now)
    const response = makeResponse(server.request ?? request, isKnown ? 200 : 481, undefined, {
      toTag: randomToken(this.#random),
    })
    if (!isKnown) {
      const cause = "there is no such INVITE"
      const source = server.flow.remote.host
      out.push(log("info", "sip.refused", { status: 481, cause, method: "CANCEL", source }))
    }
    this.respond(server.key, response, now, out)
    const invite = this.#byMatch.get(match)
    if (invite?.request) out.push({ kind: "cancelled", server: invite.key })
  }

  #acknowledge(request: SipRequest, via: Via, flow: Flow, now: Instant, out: LayerEffect[]): void {
    const match = matchKey(request, via, "INVITE")
    const server = this.#byMatch.get(match)
    const toTag = toOf(request).parameters.get("tag")
    if (server === undefined && this.#answered.acknowledge(match, request, toTag, now, out)) return
    const same = server?.machine instanceof InviteServer && (server.toTag ?? toTag) === toTag
    if (!same) {
      out.push({ kind: "ack", request, flow })
      return
    }
    this.#tell(server, server.machine.handle({ kind: "acknowledged", request }, now), now, out)
  }

  #sayTrying(server: Server, now: Instant, out: LayerEffect[]): void {
    if (server.request) this.respond(server.key, makeResponse(server.request, 100), now, out)
  }

  #tell(server: Server, effects: readonly ServerEffect[], now: Instant, out: LayerEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "send":
          this.#send(server, effect.response, now, out)
          break
        case "overdue":
          this.#sayTrying(server, now, out)
          break
        case "pass":
          out.push({ kind: "ack", request: effect.request, flow: server.flow })
          break
        case "finished":
          if (effect.cause === "unacknowledged")
            out.push(log("info", "sip.unacknowledged", { transaction: server.match }))
          this.#remove(server, out)
      }
    }
    this.#settle(server, now, out)
  }

  #send(server: Server, response: SipResponse, now: Instant, out: LayerEffect[]): void {
    const said = [server.latest, server.saying].find((each) => each?.response === response)
    if (said === undefined) throw new InvariantError(`a response ${response.status} that nobody gave`)
    const { bytes } = said
    server.latest = said
    if (isFinal(response) && server.request) {
      server.request = undefined
      server.toTag = said.toTag
      this.#unanswered--
      if (server.method === "INVITE") this.#unansweredInvites--
    }
    const { lingering } = server.machine
    if (lingering !== undefined && canLinger(server)) {
      const id = server.isForgotten ? ID + server.key : this.#linger(server, lingering, now)
      out.push({ kind: "send", id, hop: server.hop, bytes })
      return this.#remove(server, out)
    }
    out.push({ kind: "send", id: ID + server.key, hop: server.hop, bytes })
    // A 2xx to an INVITE is repeated by its sender, not from here.
    if (server.method === "INVITE" && !server.request && response.status < 300 && !server.reopen)
      server.latest = undefined
  }

  /** Keeps what may be asked for again; an id for sending it now. */
  #linger(server: Server, state: Lingering, now: Instant): string {
    const { match, flow, toTag, latest } = server
    return this.#answered.add(state, { match, flow, toTag, bytes: latest?.bytes }, now)
  }

  #remove(server: Server, out: LayerEffect[]): void {
    if (!this.#servers.delete(server.key)) return
    this.#byMatch.delete(server.match)
    this.#timetable.drop(server.timer)
    if (server.request) {
      this.#unanswered--
      if (server.method === "INVITE") this.#unansweredInvites--
      server.request = undefined
    }
    out.push({ kind: "server-ended", server: server.key })
  }

  #settle(server: Server, now: Instant, out: LayerEffect[]): void {
    if (!this.#servers.has(server.key)) return
    const { lingering } = server.machine
    if (lingering === "confirmed" && canLinger(server)) {
      this.#linger(server, lingering, now)
      return this.#remove(server, out)
    }
    if (server.machine.deadline <= now) this.#tell(server, server.machine.expire(now), now, out)
    else server.timer = this.#timetable.set(server, server.machine.deadline, server.timer)
  }
}

/** Over UDP, and answered where the request came from. */
const canLinger = ({ flow, hop }: Server): boolean =>
  !isReliable(flow.transport) && hop.kind === "flow" && hop.flow === flow

const NO_HEADERS = new Headers([])

const tryingOf = (method: string, bytes: Uint8Array): SipResponse => ({
  kind: "response",
  status: 100,
  reason: "",
  headers: NO_HEADERS,
  body: NO_BODY,
  onward: { branch: "", method, toTag: undefined, bytes },
})

function say(response: SipResponse): Said {
  const { kind, status, reason } = response
  const { onward } = response
  const toTag =
    onward !== undefined ? onward.toTag : isFinal(response) ? toOf(response).parameters.get("tag") : undefined
  return {
    response: { kind, status, reason, headers: NO_HEADERS, body: NO_BODY },
    bytes: serializeMessage(response),
    toTag,
  }
}
