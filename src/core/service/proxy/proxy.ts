import { invariant } from "../../kit/errors.ts"
import { LIMITS } from "../../kit/limits.ts"
import { count } from "../../kit/log.ts"
import { type Machine, NOTHING } from "../../kit/machine.ts"
import { earliest, type Instant, seconds } from "../../kit/time.ts"
import { randomToken } from "../../kit/token.ts"
import { DeferredRequest } from "../../sip/deferred-request.ts"
import { maxForwardsOf, tagOf, toOf } from "../../sip/fields.ts"
import { type Headers, isFinal, type SipRequest, type SipResponse } from "../../sip/message.ts"
import { makeResponse } from "../../sip/respond.ts"
import { copyWithout, encode, serializeMessage } from "../../sip/serialize.ts"
import type { Flow, Hop } from "../../sip/transport.ts"
import { parseVia } from "../../sip/via.ts"
import { TransactionLayer } from "../../transaction/layer.ts"
import type { LayerEffect, LayerInput, ServerKey } from "../../transaction/layer-interface.ts"
import { matchOf } from "../../transaction/matching.ts"
import { withTopVia } from "../../transaction/via-stack.ts"
import { STATELESS } from "./context.ts"
import { Forking } from "./forking.ts"
import type { ForkingEffect, ForkingInput } from "./forking-interface.ts"
import type {
  DialogRequest,
  OnwardInvite,
  ProxyEffect,
  ProxyInput,
  ProxySettings,
  ProxyStatistics,
  Target,
} from "./interface.ts"
import { statelessBranch, statelessBranchOf } from "./loop.ts"
import { composeRequest, isSecure, viaFor } from "./request.ts"
import { Resolver, type ResolverEffect, type ResolverInput } from "./resolve.ts"
import { breadthOf } from "./validation.ts"

/** More than three minutes. RFC 3261 §16.6 step 11. */
const TIMER_C = seconds(200)

/**
 * A transaction-stateful, forking proxy: RFC 3261 §16 with RFC 3263, RFC 4320, RFC 5393 and RFC
 * 6026. It decides nothing about where requests go: its user answers each `request` with `answer` or
 * `forward`.
 */
export class ProxyCore implements Machine<ProxyInput, ProxyEffect> {
  readonly #settings: ProxySettings
  readonly #layer: TransactionLayer
  readonly #resolver: Resolver
  readonly #forking: Forking
  /** What is forwarded without state, and waits to know whereto. */
  readonly #stateless = new Map<number, { readonly request: SipRequest; readonly target: Target }>()
  #lastNumber = 0

  constructor(settings: ProxySettings) {
    const { listeners, random, nextTicket, timers, timerC = TIMER_C } = settings
    invariant(listeners.length > 0, "a proxy has an address")
    this.#settings = settings
    this.#layer = new TransactionLayer(random, timers)
    const ipv6 = listeners.some(({ advertised }) => advertised.host.includes(":"))
    const ipv4 = listeners.some(({ advertised }) => !advertised.host.includes(":"))
    this.#resolver = new Resolver({ families: { ipv4, ipv6 }, random, nextTicket })
    this.#forking = new Forking({ listeners, random, timerC, nextNumber: () => ++this.#lastNumber })
  }

  get deadline(): Instant {
    return earliest(this.#layer.deadline, this.#resolver.deadline, this.#forking.deadline)
  }

  get statistics(): ProxyStatistics {
    const { pendingInvites, pendingTransactions } = this.#layer
    return { pendingInvites, pendingTransactions, contexts: this.#forking.size }
  }

  /** See `TransactionLayer.readOnward`. */
  readOnward(bytes: Uint8Array): SipResponse | undefined {
    return this.#layer.readOnward(bytes)
  }

  /**
   * Sends on an ACK or BYE that is recognized, whose message is `bytes`. Undefined where it belongs to a transaction that there is, or
   * none can be begun: then it has to be `received`.
   */
  relay(
    found: DialogRequest,
    bytes: Uint8Array,
    flow: Flow,
    now: Instant,
  ): readonly ProxyEffect[] | undefined {
    const { method, uri, hop, mark, rest, repeated, sentBy, branch, markedVia } = found
    const { listeners } = this.#settings
    const compose = (via: string, breadth: number) =>
      encode(`${method} ${uri} SIP/2.0\r\nVia: ${via}\r\nMax-Breadth: ${breadth}\r\n${rest}`)
    if (method === "ACK") {
      if (this.#layer.knows("INVITE", sentBy, branch, now)) return undefined
      const via = viaFor(hop, listeners, statelessBranchOf(found.via, found.callId, found.cseq))
      return [{ kind: "send", id: STATELESS, hop, bytes: compose(via, LIMITS.sip.breadth) }]
    }
    const seen = (headers: Headers) => withTopVia(headers, parseVia(markedVia))
    const request = new DeferredRequest(method, uri, copyWithout(bytes, 0, 0, bytes.length), seen)
    const server = this.#layer.take(matchOf(method, sentBy, branch), request, flow, now)
    if (server === undefined) return undefined
    const out: ProxyEffect[] = []
    const target = { hop, requestUri: uri, route: [], recordRoute: [], q: 1_000 }
    const to = { flow, target, hop, mark, compose, repeated }
    this.#afterForking(this.#forking.relay(server, request, to, now), now, out)
    return out
  }

  /** Whether a request of that method, branch and sent-by has been taken: then it is repeated. */
  knows(method: string, sentBy: string, branch: string, now: Instant): boolean {
    return this.#layer.knows(method, sentBy, branch, now)
  }

  /** Begins the transaction of an INVITE over UDP: see `TransactionLayer.take`. Whoever takes it sees it on. */
  take(sentBy: string, branch: string, request: SipRequest, flow: Flow, now: Instant): ServerKey | undefined {
    return this.#layer.take(matchOf("INVITE", sentBy, branch), request, flow, now)
  }

  /** Sends an INVITE on that was taken, unless it has been answered meanwhile. */
  relayInvite(
    { server, request, flow, target, mark, trying, rest, repeated }: OnwardInvite,
    now: Instant,
  ): readonly ProxyEffect[] {
    if (this.#layer.pendingRequest(server) === undefined) return NOTHING
    const { hop, requestUri, recordRoute } = target
    const compose = (via: string, breadth: number) => {
      let text = `INVITE ${requestUri} SIP/2.0\r\nVia: ${via}\r\n`
      for (const value of recordRoute) text += `Record-Route: ${value}\r\n`
      return encode(`${text}Max-Breadth: ${breadth}\r\n${rest}`)
    }
    const out: ProxyEffect[] = []
    const to = { flow, target, hop, mark, trying: encode(trying), compose, repeated }
    this.#afterForking(this.#forking.relay(server, request, to, now), now, out)
    return out
  }

  handle(input: ProxyInput, now: Instant): readonly ProxyEffect[] {
    const out: ProxyEffect[] = []
    switch (input.kind) {
      case "received":
      case "send-failed":
      case "flow-closed":
      case "node-lost":
        this.#transact(input, now, out)
        break
      case "resolved":
        this.#resolve(input, now, out)
        break
      case "answer":
        this.#answer(input, now, out)
        break
      case "forward": {
        const pending = this.#layer.pendingRequest(input.server)
        if (pending) this.#fork({ ...input, received: pending.request, flow: pending.flow }, now, out)
        break
      }
      case "forward-stateless":
        this.#forwardStateless(input.request, input.target, now, out)
    }
    return out
  }

  expire(now: Instant): readonly ProxyEffect[] {
    if (now < this.deadline) return NOTHING
    const out: ProxyEffect[] = []
    this.#afterLayer(this.#layer.expire(now), now, out)
    this.#afterResolver(this.#resolver.expire(now), now, out)
    this.#afterForking(this.#forking.expire(now), now, out)
    return out
  }

  #answer(
    { server, response, forget = false }: Extract<ProxyInput, { kind: "answer" }>,
    now: Instant,
    out: ProxyEffect[],
  ): void {
    if (this.#layer.pendingRequest(server) === undefined) return
    const untagged = response.status > 100 && tagOf(toOf(response)) === undefined
    const to = `${response.headers.first("To")};tag=${randomToken(this.#settings.random)}`
    const tagged = untagged ? { ...response, headers: response.headers.with("To", to) } : response
    this.#transact({ kind: "respond", server, response: tagged, forget }, now, out)
    if (isFinal(response)) this.#fork({ kind: "answered", server }, now, out)
  }

  /** The caller gave up: an end to all branches, or at once if there are none. RFC 3261 §16.10. */
  #cancelled(server: ServerKey, now: Instant, out: ProxyEffect[]): void {
    if (this.#forking.isWorkingOn(server)) return this.#fork({ kind: "cancelled", server }, now, out)
    const pending = this.#layer.pendingRequest(server)
    if (pending === undefined) return
    const toTag = randomToken(this.#settings.random)
    const response = makeResponse(pending.request, 487, undefined, { toTag })
    this.#transact({ kind: "respond", server, response }, now, out)
    out.push({ kind: "finished", server, status: 487 })
  }

  #forwardStateless(request: SipRequest, target: Target, now: Instant, out: ProxyEffect[]): void {
    const { hop, requestUri } = target
    if (maxForwardsOf(request) === 0) out.push(count("sip_hops_exhausted_total"))
    else if (hop.kind !== "uri") this.#sendStateless(request, target, hop, out)
    else {
      const key = ++this.#lastNumber
      this.#stateless.set(key, { request, target })
      this.#resolve({ kind: "find", key, uri: hop.uri, secure: isSecure(requestUri) }, now, out)
    }
  }

  #sendStateless(request: SipRequest, target: Target, hop: Hop, out: ProxyEffect[]): void {
    const via = viaFor(hop, this.#settings.listeners, statelessBranch(request))
    const composed = composeRequest(request, target, via, breadthOf(request, LIMITS.sip.breadth))
    out.push({ kind: "send", id: STATELESS, hop, bytes: serializeMessage(composed) })
  }

  // The three machines inside, each with what follows from its effects in the others.

  #transact(input: LayerInput, now: Instant, out: ProxyEffect[]): void {
    this.#afterLayer(this.#layer.handle(input, now), now, out)
  }

  #afterLayer(effects: readonly LayerEffect[], now: Instant, out: ProxyEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "response":
        case "failed":
        case "client-ended":
        case "server-ended":
          this.#fork(effect, now, out)
          break
        case "cancelled":
          this.#cancelled(effect.server, now, out)
          break
        default:
          out.push(effect)
      }
    }
  }

  #fork(input: ForkingInput, now: Instant, out: ProxyEffect[]): void {
    this.#afterForking(this.#forking.handle(input, now), now, out)
  }

  #afterForking(effects: readonly ForkingEffect[], now: Instant, out: ProxyEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === "transact") this.#transact(effect.input, now, out)
      else if (effect.kind === "find") this.#resolve(effect, now, out)
      else out.push(effect)
    }
  }

  #resolve(input: ResolverInput, now: Instant, out: ProxyEffect[]): void {
    this.#afterResolver(this.#resolver.handle(input, now), now, out)
  }

  #afterResolver(effects: readonly ResolverEffect[], now: Instant, out: ProxyEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === "resolve") {
        out.push(effect)
        continue
      }
      const { key, hops } = effect
      const waiting = this.#stateless.get(key)
      if (waiting === undefined) this.#fork({ kind: "located", key, hops }, now, out)
      else {
        this.#stateless.delete(key)
        if (hops[0]) this.#sendStateless(waiting.request, waiting.target, hops[0], out)
      }
    }
  }
}
