import type { Address } from "../core/kit/address.ts"
import type { Hashes } from "../core/kit/crypto.ts"
import { type Machine, NOTHING } from "../core/kit/machine.ts"
import type { Random } from "../core/kit/random.ts"
import { after, type Duration, earliest, type Instant, milliseconds, NEVER } from "../core/kit/time.ts"
import { callIdOf, contactsOf, cseqOf, fromOf, tagOf, toOf } from "../core/sip/fields.ts"
import { type Headers, isFinal, type SipRequest, type SipResponse } from "../core/sip/message.ts"
import { parseNameAddress } from "../core/sip/name-address.ts"
import { parseMessage } from "../core/sip/parse.ts"
import { SipParseError } from "../core/sip/parse-error.ts"
import { makeResponse } from "../core/sip/respond.ts"
import { serializeMessage } from "../core/sip/serialize.ts"
import type { Flow, Hop, Transport } from "../core/sip/transport.ts"
import { TransactionLayer } from "../core/transaction/layer.ts"
import type { LayerEffect, ServerKey } from "../core/transaction/layer-interface.ts"
import {
  answerChallenge,
  branchOfRequest,
  type Credentials,
  contactUri,
  type Dialog,
  type Draft,
  dialogOfCallee,
  dialogOfCaller,
  draftWithin,
  type Ringing,
  remoteTarget,
  requestOf,
  type Silence,
  tagged,
  type Unconfirmed,
} from "./phone-requests.ts"

export interface UserAgentSettings extends Credentials {
  readonly domain: string
  /** Its own address, in Via and Contact. */
  readonly address: Address
  readonly transport: Transport
  /** The node through which it sends everything. */
  readonly proxy: Address
  readonly hashes: Hashes
  readonly random: Random
  /** Parameters of its Contact in a REGISTER that say which phone this is, wherever it registers. RFC 5626 §4.2. */
  readonly instance?: string
  /** What it does when it is called; `ring` waits for CANCEL. */
  readonly answers:
    | { readonly kind: "accept"; readonly after: Duration }
    | { readonly kind: "refuse"; readonly status: number }
    | { readonly kind: "ring" }
}

export type UserAgentInput =
  | { readonly kind: "received"; readonly flow: Flow; readonly bytes: Uint8Array }
  | { readonly kind: "send-failed"; readonly id: string; readonly reason: string }
  | { readonly kind: "flow-closed"; readonly flow: Flow }
  /** REGISTER; 0 seconds removes, `everything` sends `Contact: *`. */
  | { readonly kind: "register"; readonly seconds: number; readonly everything?: boolean }
  | { readonly kind: "call"; readonly call: string; readonly target: string }
  | { readonly kind: "re-invite"; readonly call: string }
  | { readonly kind: "hang-up"; readonly call: string }

export type UserAgentEffect =
  | { readonly kind: "send"; readonly id: string; readonly hop: Hop; readonly bytes: Uint8Array }
  /** The final answer to a REGISTER; 408 where none came, 503 where it could not be sent. */
  | { readonly kind: "registered"; readonly status: number; readonly contacts: readonly string[] }
  | { readonly kind: "ringing"; readonly call: string; readonly caller: string }
  /** The final answer to a call of ours; 408 where none came, 503 where it could not be sent. */
  | { readonly kind: "call-answered"; readonly call: string; readonly status: number }
  /** The final answer to an INVITE within a call. */
  | { readonly kind: "re-invited"; readonly call: string; readonly status: number }
  /** The ACK for our 2xx came: the call stands at our end. */
  | { readonly kind: "call-confirmed"; readonly call: string }
  | {
      readonly kind: "call-ended"
      readonly call: string
      readonly by: "us" | "them"
      readonly status: number
    }

/** A request of ours that may yet be challenged. */
interface Asked {
  readonly draft: Draft
  readonly attempts: number
  /** `outcome` where no answer came: the status that stands for that. The draft is the one that was answered. */
  readonly done: (outcome: SipResponse | Silence, draft: Draft) => readonly UserAgentEffect[]
}

const T1 = milliseconds(500)
/** How long a 2xx waits for its ACK. RFC 3261 §13.3.1.4. */
const PATIENCE = milliseconds(64 * T1)

/** A phone: registers, calls, answers and hangs up. For scenarios, and for tests over real sockets. */
export class UserAgent implements Machine<UserAgentInput, UserAgentEffect> {
  settings: UserAgentSettings
  readonly #layer: TransactionLayer
  readonly #asked = new Map<string, Asked>()
  readonly #ringing = new Map<string, Ringing>()
  readonly #unconfirmed = new Map<string, Unconfirmed>()
  /** With the ACK for a 2xx, to be said again whenever that comes again. */
  readonly #dialogs = new Map<string, Dialog & { readonly ack?: SipRequest }>()
  readonly #registerCallId: string
  #registerCSeq = 0
  #nonceCount = 0

  constructor(settings: UserAgentSettings) {
    this.settings = settings
    this.#layer = new TransactionLayer(settings.random)
    this.#registerCallId = this.#token("r")
  }

  /** From now on it sends everything through that node. */
  use(proxy: Address): void {
    this.settings = { ...this.settings, proxy }
  }

  get deadline(): Instant {
    const accepts = [...this.#ringing.values()].map(({ acceptAt }) => acceptAt)
    const repeats = [...this.#unconfirmed.values()].flatMap(({ repeatAt, giveUpAt }) => [repeatAt, giveUpAt])
    return earliest(this.#layer.deadline, ...accepts, ...repeats)
  }

  handle(input: UserAgentInput, now: Instant): readonly UserAgentEffect[] {
    switch (input.kind) {
      case "received":
        return this.#received(input, now)
      case "send-failed":
      case "flow-closed":
        return this.#perform(this.#layer.handle(input, now), now)
      case "register":
        return this.#register(input.seconds, input.everything === true, now)
      case "call":
        return this.#call(input.call, input.target, now)
      case "re-invite":
        return this.#reInvite(input.call, now)
      case "hang-up":
        return this.#hangUp(input.call, now)
    }
  }

  expire(now: Instant): readonly UserAgentEffect[] {
    const effects = [...this.#perform(this.#layer.expire(now), now)]
    for (const [call, { acceptAt }] of [...this.#ringing]) {
      if (acceptAt <= now) effects.push(...this.#accept(call, now))
    }
    for (const [call, unconfirmed] of [...this.#unconfirmed]) {
      if (unconfirmed.giveUpAt <= now) effects.push(...this.#hangUp(call, now))
      else if (unconfirmed.repeatAt <= now) {
        unconfirmed.interval = Math.min(2 * unconfirmed.interval, 4_000) as Duration
        unconfirmed.repeatAt = after(now, unconfirmed.interval)
        effects.push(...unconfirmed.said)
      }
    }
    return effects
  }

  /** What is no SIP, such as the empty lines that keep a NAT open, is passed over. */
  #received(input: Extract<UserAgentInput, { kind: "received" }>, now: Instant): readonly UserAgentEffect[] {
    try {
      return this.#perform(this.#layer.handle({ ...input, message: parseMessage(input.bytes) }, now), now)
    } catch (error) {
      if (error instanceof SipParseError) return NOTHING
      throw error
    }
  }

  #register(lifetime: number, everything: boolean, now: Instant): readonly UserAgentEffect[] {
    const { domain, user, instance = "" } = this.settings
    const aor = `sip:${user}@${domain}`
    const contact = everything ? "*" : `<${contactUri(this.settings)}>${instance}`
    const draft: Draft = {
      method: "REGISTER",
      uri: `sip:${domain}`,
      from: tagged(aor, this.#token("t")),
      to: `<${aor}>`,
      callId: this.#registerCallId,
      cseq: ++this.#registerCSeq,
      routes: [],
      extra: [
        ["Contact", contact],
        ["Expires", String(lifetime)],
      ],
    }
    return this.#ask(draft, now, (outcome, { cseq }) => {
      this.#registerCSeq = cseq
      const listed = outcome.kind === "silence" ? [] : contactsOf(outcome)
      const contacts = listed === "*" ? [] : listed.map(({ uri }) => uri)
      return [{ kind: "registered", status: outcome.status, contacts }]
    })
  }

  #call(call: string, target: string, now: Instant): readonly UserAgentEffect[] {
    const { domain, user } = this.settings
    const draft: Draft = {
      method: "INVITE",
      uri: target,
      from: tagged(`sip:${user}@${domain}`, this.#token("t")),
      to: `<${target}>`,
      callId: call,
      cseq: 1,
      routes: [],
      extra: [
        ["Contact", `<${contactUri(this.settings)}>`],
        ["Content-Type", "application/sdp"],
      ],
      body: `v=0\r\no=- 1 1 IN IP4 ${this.settings.address.host}\r\ns=-\r\nt=0 0\r\n`,
    }
    return this.#ask(draft, now, (outcome, sent) => this.#called(call, outcome, sent))
  }

  #called(call: string, outcome: SipResponse | Silence, sent: Draft): readonly UserAgentEffect[] {
    const answered: UserAgentEffect = { kind: "call-answered", call, status: outcome.status }
    if (outcome.kind === "silence" || outcome.status >= 300) return [answered]
    const dialog = dialogOfCaller(outcome, sent)
    const ack = requestOf(this.settings, draftWithin(dialog, call, "ACK"))
    this.#dialogs.set(call, { ...dialog, ack })
    return [this.#send(ack), answered]
  }

  /** Asks, and answers one challenge. */
  #ask(draft: Draft, now: Instant, done: Asked["done"], attempts = 0): readonly UserAgentEffect[] {
    const request = requestOf(this.settings, draft)
    const branch = branchOfRequest(request)
    this.#asked.set(branch, { draft, attempts, done })
    return this.#perform(this.#layer.handle({ kind: "start", branch, request, hop: this.#hop() }, now), now)
  }

  #answered(branch: string, outcome: SipResponse | Silence, now: Instant): readonly UserAgentEffect[] {
    const asked = this.#asked.get(branch)
    if (asked === undefined) return outcome.kind === "silence" ? NOTHING : this.#repeated(outcome)
    if (!isFinal(outcome)) return NOTHING
    this.#asked.delete(branch)
    const { draft, attempts, done } = asked
    if (outcome.kind === "response" && attempts < 2) {
      const { hashes } = this.settings
      const [count, cnonce] = [++this.#nonceCount, this.#token("c")]
      const retry = answerChallenge(hashes, this.settings, draft, outcome, count, cnonce)
      if (retry !== undefined) return this.#ask(retry, now, done, attempts + 1)
    }
    return done(outcome, draft)
  }

  /** A 2xx that came again wants its ACK again. RFC 3261 §13.2.2.4. */
  #repeated(response: SipResponse): readonly UserAgentEffect[] {
    const ack = this.#dialogs.get(callIdOf(response))?.ack
    const invited = cseqOf(response).method === "INVITE" && response.status >= 200 && response.status < 300
    return invited && ack !== undefined ? [this.#send(ack)] : NOTHING
  }

  #perform(effects: readonly LayerEffect[], now: Instant): readonly UserAgentEffect[] {
    return effects.flatMap((effect): readonly UserAgentEffect[] => {
      switch (effect.kind) {
        case "send":
          return [effect]
        case "request":
          return this.#requested(effect.server, effect.request, now)
        case "response":
          return this.#answered(effect.branch, effect.response, now)
        case "failed": {
          const status = effect.cause === "timeout" ? 408 : 503
          return this.#answered(effect.branch, { kind: "silence", status }, now)
        }
        case "cancelled":
          return this.#cancelled(effect.server, now)
        case "ack":
          return this.#confirmed(effect.request)
        default:
          return NOTHING
      }
    })
  }

  #requested(server: ServerKey, request: SipRequest, now: Instant): readonly UserAgentEffect[] {
    const call = callIdOf(request)
    if (request.method === "INVITE" && tagOf(toOf(request)) === undefined)
      return this.#invited(server, request, now)
    if (request.method === "BYE") {
      const known = this.#isPartner(call, request)
      const status = known ? 200 : 481
      if (known) this.#forget(call)
      const answer = this.#respond(server, makeResponse(request, status), now)
      return known ? [...answer, { kind: "call-ended", call, by: "them", status }] : answer
    }
    const dialog = this.#dialogs.get(call)
    const inDialog = dialog !== undefined
    // RFC 3261 §12.2.2: an INVITE within a call may say that its sender has moved.
    if (dialog !== undefined && request.method === "INVITE")
      this.#dialogs.set(call, { ...dialog, target: remoteTarget(request) ?? dialog.target })
    const status = request.method === "OPTIONS" || inDialog ? 200 : 501
    return this.#respond(server, makeResponse(request, status, undefined, this.#contactHeader()), now)
  }

  /** Whether the request comes from the other end of that call, and not from another fork of it. */
  #isPartner(call: string, request: SipRequest): boolean {
    const remote = this.#dialogs.get(call)?.remote
    return remote !== undefined && tagOf(parseNameAddress(remote)) === tagOf(fromOf(request))
  }

  #forget(call: string): void {
    this.#dialogs.delete(call)
    this.#unconfirmed.delete(call)
  }

  #invited(server: ServerKey, request: SipRequest, now: Instant): readonly UserAgentEffect[] {
    const { answers } = this.settings
    const call = callIdOf(request)
    const toTag = this.#token("a")
    if (answers.kind === "refuse")
      return this.#respond(server, makeResponse(request, answers.status, undefined, { toTag }), now)
    const acceptAt = answers.kind === "accept" ? after(now, answers.after) : NEVER
    this.#ringing.set(call, { server, request, toTag, acceptAt })
    const ringing = this.#respond(
      server,
      makeResponse(request, 180, undefined, { toTag, ...this.#contactHeader() }),
      now,
    )
    return [...ringing, { kind: "ringing", call, caller: fromOf(request).uri }]
  }

  #accept(call: string, now: Instant): readonly UserAgentEffect[] {
    const { server, request, toTag } = this.#ringing.get(call)!
    this.#ringing.delete(call)
    const response = makeResponse(request, 200, undefined, { toTag, ...this.#contactHeader() })
    this.#dialogs.set(call, dialogOfCallee(request, response))
    const effects = this.#respond(server, response, now)
    const said = effects.filter((effect) => effect.kind === "send")
    const giveUpAt = after(now, PATIENCE)
    this.#unconfirmed.set(call, { said, repeatAt: after(now, T1), interval: T1, giveUpAt })
    return effects
  }

  #cancelled(server: ServerKey, now: Instant): readonly UserAgentEffect[] {
    for (const [call, ringing] of this.#ringing) {
      if (ringing.server !== server) continue
      this.#ringing.delete(call)
      const refusal = this.#respond(
        server,
        makeResponse(ringing.request, 487, undefined, { toTag: ringing.toTag }),
        now,
      )
      return [...refusal, { kind: "call-ended", call, by: "them", status: 487 }]
    }
    return NOTHING
  }

  #confirmed(ack: SipRequest): readonly UserAgentEffect[] {
    const call = callIdOf(ack)
    return this.#unconfirmed.delete(call) ? [{ kind: "call-confirmed", call }] : NOTHING
  }

  /** RFC 3261 §14.1. */
  #reInvite(call: string, now: Instant): readonly UserAgentEffect[] {
    const dialog = this.#dialogs.get(call)
    if (dialog === undefined) return [{ kind: "re-invited", call, status: 481 }]
    const next = { ...dialog, cseq: dialog.cseq + 1 }
    this.#dialogs.set(call, next)
    const contact = this.#contactHeader().headers.map(({ name, value }) => [name, value] as const)
    return this.#ask({ ...draftWithin(next, call, "INVITE"), extra: contact }, now, (outcome, sent) => {
      const told: UserAgentEffect = { kind: "re-invited", call, status: outcome.status }
      if (outcome.kind === "silence" || outcome.status >= 300) return [told]
      const answered = { ...next, target: remoteTarget(outcome) ?? next.target, cseq: sent.cseq }
      const ack = requestOf(this.settings, draftWithin(answered, call, "ACK"))
      this.#dialogs.set(call, { ...answered, ack })
      return [this.#send(ack), told]
    })
  }

  #hangUp(call: string, now: Instant): readonly UserAgentEffect[] {
    const dialog = this.#dialogs.get(call)
    if (dialog === undefined) return [{ kind: "call-ended", call, by: "us", status: 481 }]
    this.#forget(call)
    const draft = draftWithin({ ...dialog, cseq: dialog.cseq + 1 }, call, "BYE")
    return this.#ask(draft, now, ({ status }) => [{ kind: "call-ended", call, by: "us", status }])
  }

  #respond(server: ServerKey, response: SipResponse, now: Instant): readonly UserAgentEffect[] {
    return this.#perform(this.#layer.handle({ kind: "respond", server, response }, now), now)
  }

  #send(request: SipRequest): UserAgentEffect {
    return { kind: "send", id: branchOfRequest(request), hop: this.#hop(), bytes: serializeMessage(request) }
  }

  #hop(): Hop {
    const { transport, proxy: address } = this.settings
    return { kind: "address", transport, address, serverName: undefined }
  }

  #contactHeader(): { readonly headers: Headers["fields"] } {
    return { headers: [{ name: "Contact", value: `<${contactUri(this.settings)}>` }] }
  }

  #token(prefix: string): string {
    return prefix + Math.floor(this.settings.random.next() * 2 ** 48).toString(36)
  }
}
