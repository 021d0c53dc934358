import { FormatError } from "../kit/errors.ts"
import { count, type LogEffect, log } from "../kit/log.ts"
import { NOTHING } from "../kit/machine.ts"
import { earliest, type Instant } from "../kit/time.ts"
import { randomToken } from "../kit/token.ts"
import { callIdOf, cseqOf, fromOf, requireOf, toOf } from "../sip/fields.ts"
import type { HeaderField, SipMessage, SipRequest } from "../sip/message.ts"
import { parseMessage } from "../sip/parse.ts"
import { SipParseError } from "../sip/parse-error.ts"
import { makeResponse } from "../sip/respond.ts"
import { serializeMessage } from "../sip/serialize.ts"
import type { Flow, Listener } from "../sip/transport.ts"
import { statelessTag } from "../transaction/stateless.ts"
import { Authentication } from "./authentication/authentication.ts"
import { Subscribers } from "./authentication/subscribers.ts"
import type { Call, Desk } from "./desk.ts"
import { DomainServices } from "./domain-services.ts"
import { Shortcuts } from "./known-requests/shortcuts.ts"
import { loggable, Names, readUri } from "./names.ts"
import type { ProxyEffect, ProxyInput, Target } from "./proxy/interface.ts"
import { ProxyCore } from "./proxy/proxy.ts"
import { Questions } from "./questions.ts"
import { type Refusal, refuse, unavailable, unsupported } from "./refusal.ts"
import { Registrar } from "./registrar/registrar.ts"
import { DialogRequests } from "./routing/dialog-requests.ts"
import { Flows } from "./routing/flows.ts"
import { InviteRouter } from "./routing/invite-router.ts"
import { hasToTag, RecordRoutes } from "./routing/record-route.ts"
import { Router } from "./routing/router.ts"
import { Targets } from "./routing/targets.ts"
import { Tokens } from "./routing/tokens.ts"
import type { SipEffect, SipInput, SipServer, SipSettings, SipStatistics } from "./sip-server-interface.ts"

/** A registrar and proxy of one domain that shares its users and bindings with other nodes. */
export const createSipServer = (settings: SipSettings): SipServer => new Server(settings)

/** Methods that mean something to a user agent or a registrar; any other is relayed all the same. */
const METHODS =
  "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, PRACK, UPDATE, INFO, MESSAGE, SUBSCRIBE, NOTIFY, REFER, PUBLISH"

/** What is answered where somebody talks to the domain itself. RFC 3261 §11.2. */
const CAPABILITIES: readonly HeaderField[] = [
  { name: "Allow", value: METHODS },
  { name: "Accept", value: "application/sdp" },
  { name: "Accept-Language", value: "en" },
  { name: "Supported", value: "path, outbound" },
]

/** The same each time: whoever counts has to look it up once. */
const CALL_ANSWERED: readonly SipEffect[] = [count("sip_calls_answered_total")]

type Received = Extract<SipInput, { kind: "received" }>

class Server implements SipServer, Desk {
  readonly #settings: SipSettings
  readonly #names: Names
  readonly #flows: Flows
  readonly #targets: Targets
  readonly #services: DomainServices
  readonly #questions: Questions
  readonly #authentication: Authentication
  readonly #registrar: Registrar
  readonly #subscribers: Subscribers
  readonly #router: Router
  readonly #proxy: ProxyCore
  readonly #shortcuts: Shortcuts
  readonly #dialogRequests: DialogRequests
  readonly #invites: InviteRouter
  #lastTicket = 0
  #answeredCalls = 0

  constructor(settings: SipSettings) {
    const { node, domain, listeners, random, surroundings } = settings
    this.#settings = settings
    const nextTicket = () => ++this.#lastTicket
    const tokens = new Tokens(settings, random)
    this.#names = new Names(settings)
    this.#flows = new Flows(node, tokens, (prefix) => surroundings.nodeWithPrefix(prefix))
    this.#services = new DomainServices({ domain, listeners, nextTicket })
    const services = this.#services
    const domainRoute = { name: domain, leadsTo: (listener: Listener) => services.leadTo(listener) }
    this.#targets = new Targets({
      node,
      domain,
      isAlive: (other) => surroundings.isAlive(other),
      tokens,
      flows: this.#flows,
      recordRoutes: new RecordRoutes(listeners, tokens, domainRoute),
    })
    this.#questions = new Questions(nextTicket)
    this.#subscribers = new Subscribers(this.#questions, (name, now) => this.#registrar.userIsGone(name, now))
    const subscribers = this.#subscribers
    this.#authentication = new Authentication(settings, this.#names, subscribers)
    const rules = {
      node,
      domain,
      registration: settings.registration,
      flowToken: (flow: Flow) => tokens.flow(flow, undefined),
    }
    this.#registrar = new Registrar(rules, this, this.#questions, subscribers)
    this.#router = new Router({
      settings,
      desk: this,
      names: this.#names,
      tokens,
      flows: this.#flows,
      targets: this.#targets,
      questions: this.#questions,
      subscribers,
      authentication: this.#authentication,
      registrar: this.#registrar,
      answerSelf: (call, now) => this.#answerSelf(call, now),
    })
    this.#proxy = new ProxyCore({ listeners, random, nextTicket })
    this.#dialogRequests = new DialogRequests({ names: this.#names, tokens, flows: this.#flows })
    this.#invites = new InviteRouter({
      settings,
      names: this.#names,
      authentication: this.#authentication,
      questions: this.#questions,
      targets: this.#targets,
      router: this.#router,
      desk: this,
      take: (sentBy, branch, request, flow, now) => this.#proxy.take(sentBy, branch, request, flow, now),
      relay: (invite, now) => this.#perform(this.#proxy.relayInvite(invite, now), now),
      serve: (call, now) => this.#serve(call, now),
    })
    this.#shortcuts = new Shortcuts({
      settings,
      names: this.#names,
      authentication: this.#authentication,
      registrar: this.#registrar,
      isTaken: (sentBy, branch, now) => this.#proxy.knows("REGISTER", sentBy, branch, now),
      receive: (input, now) => this.#receive(input, now),
      pending: () => this.#proxy.statistics.pendingTransactions,
      capabilities: CAPABILITIES.map(({ name, value }) => `${name}: ${value}\r\n`).join(""),
    })
  }

  get deadline(): Instant {
    return earliest(
      this.#proxy.deadline,
      this.#questions.deadline,
      this.#registrar.deadline,
      this.#subscribers.deadline,
      this.#authentication.deadline,
      this.#services.deadline,
    )
  }

  get statistics(): SipStatistics {
    const { pendingInvites, pendingTransactions } = this.#proxy.statistics
    const registrations = this.#registrar.registrations
    return { pendingInvites, pendingTransactions, answeredCalls: this.#answeredCalls, registrations }
  }

  handle(input: SipInput, now: Instant): readonly SipEffect[] {
    switch (input.kind) {
      case "received":
        return this.#receive(input, now)
      case "flow-closed":
        this.#flows.closed(input.flow)
        this.#registrar.flowClosed(input.flow, now)
        return this.#tellProxy(input, now)
      case "resolved":
        return [...this.#services.handle(input, now), ...this.#tellProxy(input, now)]
      case "send-failed":
      case "node-lost":
        return this.#tellProxy(input, now)
      default:
        return this.#questions.answer(input, now)
    }
  }

  expire(now: Instant): readonly SipEffect[] {
    if (now < this.deadline) return NOTHING
    this.#subscribers.expire(now)
    this.#authentication.expire(now)
    return [
      ...this.#perform(this.#proxy.expire(now), now),
      ...this.#questions.expire(now),
      ...this.#registrar.expire(now),
      ...this.#services.expire(now),
    ]
  }

  // The desk: what registrar and router decide.

  answer(call: Call, status: number, headers: readonly HeaderField[], now: Instant): readonly SipEffect[] {
    return this.#respond(call, status, undefined, headers, now)
  }

  refuse(call: Call, refusal: Refusal, now: Instant): readonly SipEffect[] {
    const { status, headers, cause, routine = false } = refusal
    // Who sent nonsense is told what was wrong with it, where people look first.
    const reason = refusal.reason ?? (status === 400 ? cause : undefined)
    const { request, flow } = call
    const counted = count("sip_refused_total", { status: `${status}` })
    const answered = this.#respond(call, status, reason, headers, now, routine && request.method !== "INVITE")
    if (routine) return [counted, ...answered]
    return [counted, logRefusal(request, flow.remote.host, status, cause), ...answered]
  }

  forward(call: Call, targets: readonly Target[], now: Instant): readonly SipEffect[] {
    const { server, request } = call
    if (server !== undefined) return this.#tellProxy({ kind: "forward", server, request, targets }, now)
    const target = targets[0]
    return target ? this.#tellProxy({ kind: "forward-stateless", request, target }, now) : NOTHING
  }

  /** `forget` where saying it twice does no harm: challenges and OPTIONS, which anybody may send without end. */
  #respond(
    { server, request }: Call,
    status: number,
    reason: string | undefined,
    headers: readonly HeaderField[],
    now: Instant,
    forget = false,
  ): readonly SipEffect[] {
    if (server === undefined) return NOTHING
    const toTag = forget ? statelessTag(request) : randomToken(this.#settings.random)
    const response = makeResponse(request, status, reason, { toTag, headers })
    return this.#tellProxy({ kind: "answer", server, response, forget }, now)
  }

  // What comes in.

  #receive(input: Received, now: Instant): readonly SipEffect[] {
    const { bytes, flow } = input
    this.#flows.seen(flow)
    const answered = this.#shortcuts.answer(input, now)
    if (answered !== undefined) return answered
    const onward = this.#proxy.readOnward(bytes)
    if (onward !== undefined) return this.#tellProxy({ kind: "received", message: onward, flow }, now)
    const inside = this.#dialogRequests.read(bytes, flow)
    const relayed = inside && this.#proxy.relay(inside, bytes, flow, now)
    if (relayed !== undefined) return this.#perform(relayed, now)
    const invited = this.#invites.receive(bytes, flow, now)
    if (invited !== undefined) return invited
    let message: SipMessage
    try {
      message = parseMessage(bytes)
    } catch (error) {
      if (error instanceof SipParseError) return this.#refuseMalformed(error, flow)
      throw error
    }
    return this.#tellProxy({ kind: "received", message, flow }, now)
  }

  /** Answered without a transaction, where there is anything to answer. */
  #refuseMalformed({ status, reason, salvage }: SipParseError, flow: Flow): readonly SipEffect[] {
    const counted = count("sip_malformed_total", { reason })
    const source = flow.remote.host
    if (salvage === undefined) return [counted, log("debug", "sip.dropped", { cause: reason, source })]
    const { method } = salvage
    const from = loggable(salvage.headers.first("From") ?? "")
    const toTag = randomToken(this.#settings.random)
    const bytes = serializeMessage(makeResponse(salvage, status, reason, { toTag }))
    return [
      counted,
      log("info", "sip.refused", { status, cause: reason, method, from, source }),
      { kind: "send", id: "malformed", hop: { kind: "flow", flow }, bytes },
    ]
  }

  #tellProxy(input: ProxyInput, now: Instant): readonly SipEffect[] {
    return this.#perform(this.#proxy.handle(input, now), now)
  }

  #perform(effects: readonly ProxyEffect[], now: Instant): readonly SipEffect[] {
    if (effects.length === 1) return this.#performOne(effects[0]!, now)
    const done: SipEffect[] = []
    for (const effect of effects) {
      if (effect.kind === "send") done.push(effect)
      else done.push(...this.#performOne(effect, now))
    }
    return done
  }

  #performOne(effect: ProxyEffect, now: Instant): readonly SipEffect[] {
    switch (effect.kind) {
      case "request":
        return this.#serve({ server: effect.server, request: effect.request, flow: effect.flow }, now)
      case "ack":
        return this.#serve({ server: undefined, request: effect.request, flow: effect.flow }, now)
      case "branch-failed": {
        const gone = this.#targets.refutedBy(effect.target, effect.status)
        return gone === undefined ? NOTHING : this.#registrar.remove(gone, now)
      }
      case "call-answered":
        this.#answeredCalls++
        return CALL_ANSWERED
      case "refused": {
        const { request, source, status, cause } = effect
        return [
          count("sip_refused_total", { status: `${status}` }),
          logRefusal(request, source, status, cause),
        ]
      }
      case "finished":
        return NOTHING
      default:
        return [effect]
    }
  }

  #serve(call: Call, now: Instant): readonly SipEffect[] {
    const { request, flow } = call
    try {
      const uri = readUri(request.uri)
      const isForUs = uri !== undefined && this.#names.isOurs(uri, flow.transport)
      if (request.method === "REGISTER" && isForUs) return this.#register(call, now)
      return this.#router.route(call, now)
    } catch (error) {
      if (error instanceof FormatError) return this.refuse(call, refuse(400, error.message), now)
      throw error
    }
  }

  /** RFC 3261 §10.3 steps 2 to 5. */
  #register(call: Call, now: Instant): readonly SipEffect[] {
    const { domain, surroundings } = this.#settings
    const { request, flow } = call
    const busy = surroundings.refusesWork()
    if (busy !== undefined) return this.refuse(call, unavailable(domain, busy), now)
    if (readUri(toOf(request).uri)?.kind !== "sip")
      return this.refuse(call, refuse(400, "To is no SIP URI"), now)
    const aor = this.#names.aorOf(toOf(request).uri, flow.transport)
    if (aor === undefined) return this.refuse(call, refuse(404, "To is no user of this domain"), now)
    this.#registrar.notice(aor, callIdOf(request), cseqOf(request).number)
    const missing = this.#registrar.missingOptions(request)
    if (missing.length > 0) return this.refuse(call, unsupported(missing), now)
    // Whoever passed it on: no node registers anybody for another, so no connection stands for a password.
    const shape = this.#shortcuts.shapeOf(call)
    return this.#authentication.authenticate(call, "registrar", aor, now, (refusal, later) =>
      refusal === undefined
        ? this.#registrar.register(call, aor, later, shape)
        : this.refuse(call, refusal, later),
    )
  }

  /** A request to the domain, not to one of its users. */
  #answerSelf(call: Call, now: Instant): readonly SipEffect[] {
    const { request } = call
    if (hasToTag(request)) return this.refuse(call, refuse(481, "no dialog with the server itself"), now)
    if (request.method !== "OPTIONS") {
      const known = METHODS.split(", ").includes(request.method)
      const allow = CAPABILITIES.slice(0, 1)
      const refusal = known ? refuse(404, "names no user") : refuse(405, "names no user", allow)
      return this.refuse(call, refusal, now)
    }
    const required = requireOf(request)
    if (required.length > 0) return this.refuse(call, unsupported(required), now)
    this.#shortcuts.rememberOptions(call)
    return this.#respond(call, 200, undefined, CAPABILITIES, now, true)
  }
}

const logRefusal = (request: SipRequest, source: string, status: number, cause: string): LogEffect => {
  const { method } = request
  const from = loggable(fromOf(request).uri)
  return log("info", "sip.refused", { status, cause, method, from, source })
}
