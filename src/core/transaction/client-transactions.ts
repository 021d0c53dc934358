import { formatAddress } from "../kit/address.ts"
import { type Appointed, Timetable } from "../kit/deadlines.ts"
import { count } from "../kit/log.ts"
import { PassingTable } from "../kit/passing-table.ts"
import type { Random } from "../kit/random.ts"
import { earliest, type Instant } from "../kit/time.ts"
import { cseqOf, topVia } from "../sip/fields.ts"
import { isFinal, type SipRequest, type SipResponse } from "../sip/message.ts"
import { serializeMessage } from "../sip/serialize.ts"
import { type Flow, type Hop, isReliable } from "../sip/transport.ts"
import { branchOf } from "../sip/via.ts"
import { AnsweredClients } from "./answered-clients.ts"
import type { ClientEffect } from "./client.ts"
import { makeAck, makeCancel } from "./client-messages.ts"
import { InviteClient } from "./invite-client.ts"
import { KeyHash } from "./key-hash.ts"
import type { LayerEffect, LayerInput, Origin } from "./layer-interface.ts"
import { NonInviteClient } from "./non-invite-client.ts"
import type { Awaiting, Repeated } from "./onward.ts"
import type { SipTimers } from "./timers.ts"

interface Client {
  /** The branch; a CANCEL shares its INVITE's, and is marked. */
  readonly key: string
  readonly branch: string
  readonly method: string
  readonly hop: Hop
  readonly reliable: boolean
  readonly machine: InviteClient | NonInviteClient
  /** Until the final response. */
  request: SipRequest | undefined
  /** What would be repeated: the request, later its ACK. */
  bytes: Uint8Array | undefined
  readonly repeated: Repeated | undefined
  progress: "calling" | "proceeding" | "answered"
  cancel: "no" | "wanted" | "sent"
  /** Why its way is broken. */
  trouble: string | undefined
  /** What its user gave it. */
  readonly user: object | undefined
  readonly origin: Origin | undefined
  timer: Appointed<Client> | undefined
}

type Outgoing = Pick<
  Extract<LayerInput, { kind: "start" }>,
  "request" | "hop" | "bytes" | "repeated" | "user" | "origin"
>

const ID = "client "
const CANCEL = "CANCEL "

/** The client half of the layer. */
export class ClientTransactions {
  readonly #timers: SipTimers
  readonly #clients: PassingTable<string, Client>
  readonly #timetable = new Timetable<Client>()
  /** Of those on reliable transports, by the way they went. */
  readonly #byWay = new Map<string, Set<Client>>()
  readonly #lingering: AnsweredClients
  #unanswered = 0

  constructor(timers: SipTimers, random: Random) {
    this.#timers = timers
    const hash = new KeyHash(random)
    this.#clients = new PassingTable((key) => hash.of(key))
    this.#lingering = new AnsweredClients(timers, hash)
  }

  get deadline(): Instant {
    return earliest(this.#timetable.next, this.#lingering.deadline)
  }

  /** Those without a final response. */
  get unanswered(): number {
    return this.#unanswered
  }

  start(what: Extract<LayerInput, { kind: "start" }>, now: Instant, out: LayerEffect[]): void {
    this.#start(what.branch, what.branch, what, now, out)
  }

  cancel(branch: string, now: Instant, out: LayerEffect[]): void {
    const client = this.#clients.get(branch)
    if (client === undefined || client.method !== "INVITE" || client.cancel === "sent") return
    client.cancel = "wanted"
    if (client.progress === "proceeding") this.#sendCancel(client, now, out)
  }

  /** The request of that branch, no CANCEL, where it waits for its answer. */
  awaiting(branch: string): Awaiting | undefined {
    return this.#clients.get(branch)
  }

  /** A response that nobody waits for is dropped, as RFC 6026 §7.3 wants. */
  receive(response: SipResponse, now: Instant, out: LayerEffect[]): void {
    const branch = response.onward?.branch ?? branchOf(topVia(response))
    const method = response.onward?.method ?? cseqOf(response).method
    const client = this.#clients.get(method === "CANCEL" ? CANCEL + branch : (branch ?? ""))
    if (client === undefined || client.method !== method) {
      if (branch !== undefined && this.#lingering.receive(branch, method, response, now, out)) return
      out.push(count("sip_stray_responses_total"))
      return
    }
    const wasHeard = client.progress !== "calling"
    if (!wasHeard) client.progress = "proceeding"
    this.#apply(client, client.machine.handle({ kind: "response", response }, now), out)
    // Not before the INVITE has been heard of. RFC 3261 §9.1.
    if (client.progress === "proceeding" && client.cancel === "wanted") this.#sendCancel(client, now, out)
    this.#settle(client, now, out)
  }

  sendFailed(id: string, reason: string, now: Instant, out: LayerEffect[]): void {
    if (!id.startsWith(ID)) return
    const client = this.#clients.get(id.slice(ID.length))
    if (client === undefined) return this.#lingering.sendFailed(id.slice(ID.length), now)
    // A datagram that bounced after an answer came was a copy.
    if (client.progress === "proceeding" && !client.reliable) return
    this.#break(client, reason, now, out)
  }

  flowClosed(flow: Flow, now: Instant, out: LayerEffect[]): void {
    for (const way of waysOf(flow)) {
      for (const client of [...(this.#byWay.get(way) ?? [])])
        this.#break(client, "the connection was closed", now, out)
    }
  }

  /** A node that takes its leave still relays what it has answered; what it has not, it may never have got. */
  nodeLost(node: string, now: Instant, out: LayerEffect[]): void {
    for (const client of [...(this.#byWay.get(wayOf({ kind: "node", node })) ?? [])])
      if (client.progress === "calling") this.#break(client, "the node lives no more", now, out)
  }

  expire(now: Instant, out: LayerEffect[]): void {
    this.#lingering.expire(now)
    for (let client = this.#timetable.takeDue(now); client; client = this.#timetable.takeDue(now)) {
      client.timer = undefined
      this.#apply(client, client.machine.expire(now), out)
      this.#settle(client, now, out)
    }
  }

  #start(key: string, branch: string, what: Outgoing, now: Instant, out: LayerEffect[]): void {
    const { request, hop } = what
    const reliable = isReliableHop(hop)
    const { method } = request
    const machine =
      method === "INVITE"
        ? new InviteClient({ reliable }, this.#timers, now)
        : new NonInviteClient({ reliable }, this.#timers, now)
    const bytes = what.bytes ?? serializeMessage(request)
    const client: Client = {
      key,
      branch,
      method,
      hop,
      reliable,
      machine,
      request,
      bytes,
      repeated: what.repeated,
      progress: "calling",
      cancel: "no",
      trouble: undefined,
      user: what.user,
      origin: what.origin,
      timer: undefined,
    }
    this.#clients.set(key, client)
    this.#unanswered++
    if (reliable) {
      const way = wayOf(hop)
      const others = this.#byWay.get(way)
      if (others) others.add(client)
      else this.#byWay.set(way, new Set([client]))
    }
    out.push({ kind: "send", id: ID + key, hop, bytes })
    this.#settle(client, now, out)
  }

  #sendCancel(client: Client, now: Instant, out: LayerEffect[]): void {
    if (client.request === undefined) return
    client.cancel = "sent"
    const cancel = makeCancel(client.request)
    this.#start(CANCEL + client.branch, client.branch, { request: cancel, hop: client.hop }, now, out)
    this.#apply(client, client.machine.handle({ kind: "cancelled" }, now), out)
    this.#settle(client, now, out)
  }

  #break(client: Client, reason: string, now: Instant, out: LayerEffect[]): void {
    client.trouble = reason
    this.#apply(client, client.machine.handle({ kind: "transport-failed" }, now), out)
    this.#settle(client, now, out)
  }

  #apply(client: Client, effects: readonly ClientEffect[], out: LayerEffect[]): void {
    const { branch, hop, user } = client
    for (const effect of effects) {
      switch (effect.kind) {
        case "acknowledge":
          if (client.request) client.bytes = serializeMessage(makeAck(client.request, effect.response))
          this.#sendAgain(client, out)
          break
        case "repeat":
          this.#sendAgain(client, out)
          break
        case "pass":
          if (isFinal(effect.response)) this.#answered(client, effect.response.status)
          if (client.method !== "CANCEL")
            out.push({ kind: "response", branch, response: effect.response, user })
          break
        case "finished": {
          const heard = client.progress !== "calling"
          const { cause } = effect
          const reason = client.trouble === undefined ? {} : { reason: client.trouble }
          this.#remove(client, hop)
          if (client.method === "CANCEL") break
          if (cause !== "answered") out.push({ kind: "failed", branch, cause, heard, ...reason, user })
          out.push({ kind: "client-ended", branch, user })
        }
      }
    }
  }

  #sendAgain(client: Client, out: LayerEffect[]): void {
    const { key, hop, bytes } = client
    if (bytes) out.push({ kind: "send", id: ID + key, hop, bytes })
  }

  /** From now on it only lingers, and holds no more than it must. */
  #answered(client: Client, status: number): void {
    if (client.progress === "answered") return
    client.progress = "answered"
    client.request = undefined
    // A refused INVITE keeps its ACK.
    if (client.machine instanceof NonInviteClient || status < 300) client.bytes = undefined
    this.#unanswered--
  }

  #linger(client: Client, state: "accepted" | "completed", now: Instant, out: LayerEffect[]): void {
    this.#remove(client, client.hop)
    this.#lingering.add(state, client, now)
    const { method, branch, user } = client
    if (method !== "CANCEL") out.push({ kind: "client-ended", branch, user })
  }

  #remove(client: Client, hop: Hop): void {
    this.#clients.delete(client.key)
    this.#timetable.drop(client.timer)
    if (client.progress !== "answered") this.#unanswered--
    if (!client.reliable) return
    const way = wayOf(hop)
    const others = this.#byWay.get(way)
    others?.delete(client)
    if (others?.size === 0) this.#byWay.delete(way)
  }

  #settle(client: Client, now: Instant, out: LayerEffect[]): void {
    while (client.machine.deadline <= now) this.#apply(client, client.machine.expire(now), out)
    const { lingering } = client.machine
    if (lingering !== undefined && !client.reliable) return this.#linger(client, lingering, now, out)
    client.timer = this.#timetable.set(client, client.machine.deadline, client.timer)
  }
}

const isReliableHop = (hop: Hop): boolean => {
  switch (hop.kind) {
    case "flow":
      return isReliable(hop.flow.transport)
    case "address":
      return isReliable(hop.transport)
    case "node":
      return true
  }
}

function wayOf(hop: Hop): string {
  switch (hop.kind) {
    case "flow":
      return `connection ${hop.flow.connection}`
    case "address":
      return `${hop.transport} ${formatAddress(hop.address)}`
    case "node":
      return `node ${hop.node}`
  }
}

/** All names under which requests may have gone over this flow. */
function waysOf(flow: Flow): readonly string[] {
  const ways = [`connection ${flow.connection}`, `${flow.transport} ${formatAddress(flow.remote)}`]
  return flow.node === undefined ? ways : [...ways, `node ${flow.node}`]
}
