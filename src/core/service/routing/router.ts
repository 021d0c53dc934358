import { NOTHING } from "../../kit/machine.ts"
import type { Instant } from "../../kit/time.ts"
import { fromOf, toOf } from "../../sip/fields.ts"
import type { SipRequest } from "../../sip/message.ts"
import type { Authentication } from "../authentication/authentication.ts"
import type { Subscribers } from "../authentication/subscribers.ts"
import type { Call, Desk } from "../desk.ts"
import { type Names, readUri } from "../names.ts"
import type { Target } from "../proxy/interface.ts"
import { repairStrictRoute, validateForwarding } from "../proxy/validation.ts"
import type { Questions } from "../questions.ts"
import { type Refusal, refuse, unavailable } from "../refusal.ts"
import { bindingsOfTarget, type EffectiveBinding, mergeBindings } from "../registrar/bindings.ts"
import type { Registrar } from "../registrar/registrar.ts"
import type { SipEffect, SipSettings } from "../sip-server-interface.ts"
import type { Flows } from "./flows.ts"
import { hasToTag } from "./record-route.ts"
import { isOwnRoute, takeOwnRoutes, type Unrouted } from "./routes.ts"
import type { Targets } from "./targets.ts"
import type { FlowToken, Token, Tokens } from "./tokens.ts"

export interface RouterParts {
  readonly settings: SipSettings
  readonly desk: Desk
  readonly names: Names
  readonly tokens: Tokens
  readonly flows: Flows
  readonly targets: Targets
  readonly questions: Questions
  readonly subscribers: Subscribers
  readonly authentication: Authentication
  readonly registrar: Registrar
  /** Answers a request to the domain itself. */
  readonly answerSelf: (call: Call, now: Instant) => readonly SipEffect[]
}

/** Only servers that we trust may say who somebody is: RFC 3325 §5, and what came before and beside it. */
const IDENTITY_HEADERS = new Set([
  "P-Asserted-Identity",
  "P-Preferred-Identity",
  "Remote-Party-ID",
  "P-Preferred-Service",
  "P-Asserted-Service",
])

/** Decides where a request goes, and whether its sender may send it there. RFC 3261 §16.3 to §16.5. */
export class Router {
  readonly #parts: RouterParts

  constructor(parts: RouterParts) {
    this.#parts = parts
  }

  route(arrived: Call, now: Instant): readonly SipEffect[] {
    const { names, tokens } = this.#parts
    const { flow } = arrived
    const repaired = repairStrictRoute(withoutIdentity(arrived), (uri) =>
      isOwnRoute(uri, arrived.request, tokens),
    )
    const unrouted = takeOwnRoutes(repaired, flow, names, tokens)
    const call = { ...arrived, request: unrouted.request }
    // The token authenticates the path of its dialog; what begins a dialog has none yet.
    const isOnPath = hasToTag(call.request) || flow.node !== undefined
    if (unrouted.token !== undefined && isOnPath)
      return this.#obey(call, unrouted.token.token, unrouted.token.text, unrouted.next, now)
    return this.#begin(call, unrouted, now)
  }

  #obey(
    call: Call,
    token: Token,
    text: string,
    next: string | undefined,
    now: Instant,
  ): readonly SipEffect[] {
    const { flows, targets, names, desk } = this.#parts
    const invalid = hindrance(call.request)
    if (invalid !== undefined) return desk.refuse(call, invalid, now)
    const uri = readUri(call.request.uri)
    if (token.kind === "out") {
      const isInside = next === undefined && uri !== undefined && names.isOurs(uri, call.flow.transport)
      if (isInside) return this.#inside(call, true, now)
      return desk.forward(call, [targets.out(call, next ?? call.request.uri, true)], now)
    }
    const direct = targets.out(call, next ?? call.request.uri, true)
    const place = flows.find(token)
    switch (place.kind) {
      case "here":
        return desk.forward(call, [targets.overFlow(call, token, text, place, true)], now)
      case "elsewhere":
        return desk.forward(
          call,
          [{ ...targets.overFlow(call, token, text, place, true), fallback: direct }],
          now,
        )
      case "failed":
      case "lost":
        return this.#pastFlow(
          call,
          next === undefined,
          this.#withoutFlow(call, token, place.kind, direct),
          now,
        )
    }
  }

  /** What is left where the phone has no other flow: its Contact, unless it was here and hung up itself. */
  #withoutFlow(call: Call, token: FlowToken, place: "failed" | "lost", direct: Target): Target | Refusal {
    const isHere = place === "failed" && token.kind === "stream"
    // 430 is for proxies: RFC 5626 §11.5. Who hears it goes to the Contact.
    if (isHere && call.flow.node !== undefined) return refuse(430, "the flow has ended")
    if (isHere && this.#parts.tokens.isOfThisLife(token)) return refuse(480, "the flow has ended")
    return direct
  }

  /**
   * A flow on the path of a dialog has gone: with its edge, or with the connection. The phone may have
   * registered by another since, at any node; a Contact that is the dialog's says so.
   */
  #pastFlow(call: Call, isLast: boolean, otherwise: Target | Refusal, now: Instant): readonly SipEffect[] {
    const { names, questions, desk, targets, registrar } = this.#parts
    const { request, flow } = call
    const give = (later: Instant) =>
      "hop" in otherwise ? desk.forward(call, [otherwise], later) : desk.refuse(call, otherwise, later)
    const aor = isLast && hasToTag(request) ? names.aorOf(toOf(request).uri, flow.transport) : undefined
    if (aor === undefined) return give(now)
    return questions.findBindings(aor, now, (found, later) => {
      if (found.kind === "unavailable") return give(later)
      const isReachable = (binding: EffectiveBinding) =>
        targets.of(call, aor, [binding], true).targets.length > 0
      const bindings = bindingsOfTarget(mergeBindings(found.entries, later), request.uri, isReachable)
      const sets = bindings.map((binding) => targets.of(call, aor, [binding], true))
      const tidied = sets.flatMap(({ gone }) => gone).flatMap((gone) => registrar.remove(gone, later))
      const [target] = sets.flatMap((set) => set.targets)
      if (target === undefined) return [...tidied, ...give(later)]
      const fallback = "hop" in otherwise ? { fallback: otherwise } : {}
      return [...tidied, ...desk.forward(call, [{ ...target, ...fallback }], later)]
    })
  }

  /** A request on no path of ours: who sends it, and to whom? */
  #begin(call: Call, { next }: Unrouted, now: Instant): readonly SipEffect[] {
    const { names, desk, authentication, settings } = this.#parts
    const { request, flow } = call
    const uri = readUri(request.uri)
    const isInside = next === undefined && uri !== undefined && names.isOurs(uri, flow.transport)
    if (isInside && names.aorOf(request.uri, flow.transport) === undefined)
      return this.#parts.answerSelf(call, now)
    const invalid = hindrance(request)
    if (invalid !== undefined) return desk.refuse(call, invalid, now)
    const { domain, surroundings } = settings
    const busy = surroundings.refusesWork()
    // Calls go to another node now; what belongs to one that stands goes on.
    if (busy !== undefined && request.method === "INVITE" && !hasToTag(request))
      return desk.refuse(call, unavailable(domain, busy), now)
    const go = (isLocal: boolean, later: Instant) =>
      isInside ? this.#inside(call, isLocal, later) : this.#outside(call, next, later)
    if (flow.node !== undefined) return go(true, now)
    // An ACK cannot be challenged; it goes no further than to our own users.
    if (request.method === "ACK") return isInside ? go(false, now) : NOTHING
    const from = readUri(fromOf(request).uri)
    if (from === undefined || !names.isOurs(from, flow.transport)) {
      const cause = "relaying is for users of this domain"
      return isInside ? go(false, now) : desk.refuse(call, refuse(403, cause), now)
    }
    const claimed = names.aorOf(fromOf(request).uri, flow.transport)
    if (claimed === undefined)
      return desk.refuse(call, refuse(403, "From names the domain, and nobody in it"), now)
    return authentication.authenticate(call, "proxy", claimed, now, (refusal, later) =>
      refusal === undefined ? go(true, later) : desk.refuse(call, refusal, later),
    )
  }

  #outside(call: Call, next: string | undefined, now: Instant): readonly SipEffect[] {
    const { desk, targets } = this.#parts
    return desk.forward(call, [targets.out(call, next ?? call.request.uri, true)], now)
  }

  /** To a user of ours, by the bindings of all nodes. */
  #inside(call: Call, isLocal: boolean, now: Instant): readonly SipEffect[] {
    const { names, questions, desk, settings } = this.#parts
    const { request, flow } = call
    const aor = names.aorOf(request.uri, flow.transport)
    if (aor === undefined) return this.#parts.answerSelf(call, now)
    return questions.findBindings(aor, now, (found, later) => {
      if (found.kind === "unavailable")
        return desk.refuse(call, unavailable(settings.domain, found.cause), later)
      return this.toBindings(call, aor, mergeBindings(found.entries, later), isLocal, later)
    })
  }

  /** To the bindings of a user; `isLocal`: the sender is one of ours. */
  toBindings(
    call: Call,
    aor: string,
    bindings: readonly EffectiveBinding[],
    isLocal: boolean,
    now: Instant,
  ): readonly SipEffect[] {
    const { desk, targets, registrar } = this.#parts
    const set = targets.of(call, aor, bindings, isLocal)
    const tidied = set.gone.flatMap((gone) => registrar.remove(gone, now))
    if (set.targets.length > 0) return [...tidied, ...desk.forward(call, set.targets, now)]
    return [...tidied, ...this.#nobody(call, aor, now)]
  }

  /** 404 for who does not exist, 480 for who is not there. Who does not know says neither. */
  #nobody(call: Call, aor: string, now: Instant): readonly SipEffect[] {
    const { subscribers, desk, settings } = this.#parts
    const tell = (kind: "present" | "absent"): Refusal =>
      kind === "present" ? refuse(480, `${aor} cannot be reached`) : refuse(404, `no such user ${aor}`)
    const known = subscribers.recall(aor, now)
    if (known !== undefined) return desk.refuse(call, tell(known.kind), now)
    return subscribers.find(aor, now, (found, later) => {
      if (found.kind === "unavailable")
        return desk.refuse(call, unavailable(settings.domain, found.cause), later)
      return desk.refuse(call, tell(found.kind), later)
    })
  }
}

/** What keeps a request from being forwarded, whoever sent it. RFC 3261 §16.3. */
function hindrance(request: SipRequest): Refusal | undefined {
  const invalid = validateForwarding(request)
  if (invalid === undefined) return undefined
  const extra = invalid.headers.fields.filter(({ name }) => name === "Unsupported")
  return refuse(invalid.status, HINDRANCES.get(invalid.status) ?? "cannot be forwarded", extra)
}

const HINDRANCES = new Map([
  [416, "the Request-URI is neither sip nor sips"],
  [420, "Proxy-Require asks for what no proxy here does"],
  [483, "Max-Forwards is used up"],
])

function withoutIdentity({ request, flow }: Call): SipRequest {
  if (flow.node !== undefined) return request
  const headers = request.headers.filter(isNoIdentity)
  return headers === request.headers ? request : { ...request, headers }
}

const isNoIdentity = (name: string): boolean => !IDENTITY_HEADERS.has(name)
