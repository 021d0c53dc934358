import assert from "node:assert/strict"
import { toUtf8 } from "../../src/core/kit/bytes.ts"
import { SeededRandom } from "../../src/core/kit/random.ts"
import { after, type Instant, milliseconds } from "../../src/core/kit/time.ts"
import type { ProxyEffect, ProxyInput, Target } from "../../src/core/service/proxy/interface.ts"
import { ProxyCore } from "../../src/core/service/proxy/proxy.ts"
import type { HeaderField, SipRequest, SipResponse } from "../../src/core/sip/message.ts"
import { parseMessage } from "../../src/core/sip/parse.ts"
import { makeResponse } from "../../src/core/sip/respond.ts"
import type { Hop } from "../../src/core/sip/transport.ts"
import { phoneFlow } from "./phone-flow.ts"

export const caller = phoneFlow("198.51.100.7", "192.0.2.1")

export const NODE = "00112233445566778899aabbccddeeff"

interface Wanted {
  readonly branch?: string
  readonly uri?: string
  readonly headers?: readonly HeaderField[]
}

export function request(method = "INVITE", { branch = "one", uri, headers = [] }: Wanted = {}): SipRequest {
  const text = [
    `${method} ${uri ?? "sip:bob@example.org"} SIP/2.0`,
    `Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK${branch}`,
    ...headers.map(({ name, value }) => `${name}: ${value}`),
    "From: <sip:alice@example.org>;tag=a",
    "To: <sip:bob@example.org>",
    "Call-ID: call",
    `CSeq: 1 ${method}`,
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n")
  return parseMessage(toUtf8(text)) as SipRequest
}

/** The phone of that number, reached at 203.0.113.<number>. */
export const hopTo = (phone: number, transport: "UDP" | "TCP" = "UDP"): Hop => ({
  kind: "address",
  transport,
  address: { host: `203.0.113.${phone}`, port: 5060 },
  serverName: undefined,
})

export const phone = (number: number, more: Partial<Target> = {}): Target => ({
  hop: hopTo(number),
  requestUri: `sip:bob@203.0.113.${number}`,
  route: [],
  recordRoute: [],
  q: 1_000,
  ...more,
})

export const INVITED = { kind: "received", message: request(), flow: caller } as const

/** A proxy in the middle, a caller and phones around it. What it does reads as lines. */
export class Bench {
  readonly proxy: ProxyCore
  now = 0 as Instant
  server = 0
  /** What was sent last to each phone, by method. */
  readonly sent = new Map<string, SipRequest>()
  readonly responses: SipResponse[] = []
  readonly effects: ProxyEffect[] = []

  constructor() {
    let ticket = 0
    const host = "192.0.2.1"
    this.proxy = new ProxyCore({
      listeners: [
        { transport: "UDP", advertised: { host, port: 5060 } },
        { transport: "TCP", advertised: { host, port: 5060 } },
        { transport: "TLS", advertised: { host, port: 5061 } },
      ],
      random: new SeededRandom(1),
      nextTicket: () => ++ticket,
    })
  }

  tell(input: ProxyInput): readonly string[] {
    return this.#note(this.proxy.handle(input, this.now))
  }

  /** Takes an INVITE, or another request, and sends it on to the targets. */
  call(targets: readonly Target[], message = request(), flow = caller): readonly string[] {
    this.tell({ kind: "received", message, flow })
    const pending = this.effects.findLast((effect) => effect.kind === "request")
    assert.ok(pending?.kind === "request")
    this.server = pending.server
    return this.tell({ kind: "forward", server: this.server, request: pending.request, targets })
  }

  /** A phone answers the request of that method which it got last. */
  reply(
    number: number,
    status: number,
    method = "INVITE",
    headers: readonly HeaderField[] = [],
  ): readonly string[] {
    const got = this.sent.get(`${method} ${number}`)
    assert.ok(got, `phone ${number} got no ${method}`)
    const message = makeResponse(got, status, undefined, { toTag: `t${number}`, headers })
    return this.tell({ kind: "received", message, flow: caller })
  }

  fromCaller(message: SipRequest): readonly string[] {
    return this.tell({ kind: "received", message, flow: caller })
  }

  /** The last send to a phone fails. */
  bounce(number: number): readonly string[] {
    const send = this.effects.findLast(
      (effect) => effect.kind === "send" && to(effect.hop) === String(number),
    )
    assert.ok(send?.kind === "send")
    return this.tell({ kind: "send-failed", id: send.id, reason: "refused" })
  }

  advance(wait: number): readonly string[] {
    const end = after(this.now, milliseconds(wait))
    const lines: string[] = []
    while (this.proxy.deadline <= end) {
      this.now = this.proxy.deadline
      lines.push(...this.#note(this.proxy.expire(this.now)))
    }
    this.now = end
    return lines
  }

  #note(effects: readonly ProxyEffect[]): readonly string[] {
    this.effects.push(...effects)
    return effects.flatMap((effect) => this.#line(effect) ?? [])
  }

  #line(effect: ProxyEffect): string | undefined {
    switch (effect.kind) {
      case "send": {
        const message = parseMessage(effect.bytes)
        if (message.kind === "response") {
          this.responses.push(message)
          return `${message.status} to ${to(effect.hop)}`
        }
        this.sent.set(`${message.method} ${to(effect.hop)}`, message)
        return `${message.method} to ${to(effect.hop)}`
      }
      case "branch-failed":
        return `${to(effect.target.hop)} failed with ${effect.status}`
      case "call-answered":
        return "call answered"
      case "finished":
        return `finished with ${effect.status}`
      case "resolve":
        return `${effect.question.type} of ${effect.question.name}?`
      case "request":
      case "ack":
        return `${effect.kind} ${effect.request.method}`
      default:
        return undefined
    }
  }
}

function to(hop: Target["hop"]): string {
  if (hop.kind === "node" || hop.kind === "uri") return hop.kind
  const { host } = hop.kind === "flow" ? hop.flow.remote : hop.address
  return host === caller.remote.host ? "caller" : host.replace("203.0.113.", "")
}
