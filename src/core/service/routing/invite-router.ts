import type { Instant } from "../../kit/time.ts"
import { DeferredRequest } from "../../sip/deferred-request.ts"
import type { Headers, SipRequest } from "../../sip/message.ts"
import { copyWithout } from "../../sip/serialize.ts"
import type { Flow } from "../../sip/transport.ts"
import { parseVia } from "../../sip/via.ts"
import type { ServerKey } from "../../transaction/layer-interface.ts"
import { withTopVia } from "../../transaction/via-stack.ts"
import type { Authentication } from "../authentication/authentication.ts"
import type { Call, Desk } from "../desk.ts"
import type { Names } from "../names.ts"
import type { OnwardInvite } from "../proxy/interface.ts"
import type { Questions } from "../questions.ts"
import { unavailable } from "../refusal.ts"
import { mergeBindings } from "../registrar/bindings.ts"
import type { SipEffect, SipSettings } from "../sip-server-interface.ts"
import { type Invite, Invites } from "./invites.ts"
import type { Router } from "./router.ts"
import type { Targets } from "./targets.ts"

export interface InviteRouterParts {
  readonly settings: SipSettings
  readonly names: Names
  readonly authentication: Authentication
  readonly questions: Questions
  readonly targets: Targets
  readonly router: Router
  readonly desk: Desk
  /** Begins its transaction; undefined where there is one, or no room. */
  readonly take: (
    sentBy: string,
    branch: string,
    request: SipRequest,
    flow: Flow,
    now: Instant,
  ) => ServerKey | undefined
  /** Sends on what was taken. */
  readonly relay: (invite: OnwardInvite, now: Instant) => readonly SipEffect[]
  /** The general way of what was taken. */
  readonly serve: (call: Call, now: Instant) => readonly SipEffect[]
}

/**
 * Sends an INVITE on as it came, where that is all there is to it: a user of ours, who proves it, calls another who has one phone that is reached at its
 * Contact. It decides nothing that `Router` does not: where it is not sure, and from where on it is not, the request goes that way.
 */
export class InviteRouter {
  readonly #parts: InviteRouterParts
  readonly #invites = new Invites()

  constructor(parts: InviteRouterParts) {
    this.#parts = parts
  }

  /** Undefined: it is none of those, and nothing has been done about it. */
  receive(bytes: Uint8Array, flow: Flow, now: Instant): readonly SipEffect[] | undefined {
    const invite = this.#invites.read(bytes, flow)
    if (invite === undefined) return undefined
    const { take, serve, questions, settings, names } = this.#parts
    const aor = names.aorOf(invite.uri, flow.transport)
    if (aor === undefined) return undefined
    const { uri, via } = invite
    const seen = (headers: Headers) => withTopVia(headers, parseVia(via.marked))
    const request = new DeferredRequest("INVITE", uri, copyWithout(bytes, 0, 0, bytes.length), seen)
    const server = take(via.sentBy, via.branch, request, flow, now)
    if (server === undefined) return undefined
    if (!this.#admit(invite, bytes, flow, now)) return serve({ server, request: request.whole, flow }, now)
    const taken = { server, request, flow }
    const held = settings.surroundings.recallBindings(aor, now)
    if (held !== undefined) return this.#forward(invite, taken, aor, mergeBindings(held.entries, now), now)
    return questions.findBindings(aor, now, (found, later) => {
      if (found.kind === "unavailable") {
        const call = { server, request: request.whole, flow }
        return this.#parts.desk.refuse(call, unavailable(settings.domain, found.cause), later)
      }
      return this.#forward(invite, taken, aor, mergeBindings(found.entries, later), later)
    })
  }

  /** Whether its sender is a user of ours and has proved it. */
  #admit(invite: Invite, bytes: Uint8Array, flow: Flow, now: Instant): boolean {
    const { names, settings, authentication } = this.#parts
    const { uri, from, text } = invite
    const claimed = names.aorOf(from, flow.transport)
    if (claimed === undefined || settings.surroundings.refusesWork() !== undefined) return false
    const message = { bytes, text, method: "INVITE", uri }
    const credentials = { start: invite.credentialsStart, end: invite.credentialsEnd }
    return authentication.provesAtOnce(message, credentials, claimed, flow.remote.host, now)
  }

  #forward(
    { callId, mark, trying, rest, repeated }: Invite,
    { server, request, flow }: { server: ServerKey; request: DeferredRequest; flow: Flow },
    aor: string,
    bindings: ReturnType<typeof mergeBindings>,
    now: Instant,
  ): readonly SipEffect[] {
    const { targets, relay, router } = this.#parts
    const target = bindings.length === 1 ? targets.direct(bindings[0]!, callId, flow) : undefined
    if (target !== undefined)
      return relay({ server, request, flow, target, mark, trying, rest, repeated }, now)
    return router.toBindings({ server, request: request.whole, flow }, aor, bindings, true, now)
  }
}
