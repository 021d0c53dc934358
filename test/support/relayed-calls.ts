// Calls between phones of one node, which lives in the invented world but is told each message by hand: for whoever wants to know what one
// kind of message costs, apart from all others and from whoever writes them.

import { hash } from "node:crypto"
import { type Instant, seconds } from "../../src/core/kit/time.ts"
import type { NodeEffect } from "../../src/core/node/interface.ts"
import type { Flow } from "../../src/core/sip/transport.ts"
import { openSslHashes } from "../../src/sim/hashes.ts"
import type { SimHost } from "../../src/sim/sim-host.ts"
import { addUsers, userNames } from "../../src/sim/telephony.ts"
import { World } from "../../src/sim/world.ts"
import { fieldsOf, statusOf, valuesIn } from "./sip-farm.ts"

/** What a node is told in a call, in this order. Each is relayed; an INVITE is answered with 100 as well. */
export const MESSAGES = ["INVITE", "180", "200", "ACK", "BYE", "200 of BYE"] as const

/** Does some work, which is that many messages of one kind or what is due after as many calls, while somebody looks on. */
export type Watch = (what: (typeof MESSAGES)[number] | "timers", count: number, work: () => void) => void

/** What a node holds for so long, it takes for all that there is of a record. */
const SETTLED = seconds(12)

const SDP =
  "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 8\r\n"
const ABOUT =
  "Max-Forwards: 70\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER, INFO\r\nUser-Agent: Bench Phone 1.0\r\n"

interface Phone {
  readonly user: string
  readonly flow: Flow
  nonce: string
  count: number
  cseq: number
}

/** A call as its caller knows it. */
interface Call {
  readonly caller: Phone
  readonly callee: Phone
  readonly callId: string
  uri: string
  to: string
  routes: string
}

export class RelayedCalls {
  readonly #domain: string
  readonly #host: SimHost
  readonly #pairs: readonly (readonly [Phone, Phone])[]
  #now: Instant
  #branch = 0
  #calls = 0

  /** So many callers, and as many callees, all registered. */
  constructor(pairs: number) {
    const world = new World(1, { nodes: 1 }, openSslHashes)
    const [host] = world.hosts
    if (host === undefined || !world.runUntil(() => host.health.state === "healthy", seconds(60)))
      throw new Error("the node has not begun to serve")
    this.#domain = world.domain
    this.#host = host
    const users = userNames(2 * pairs)
    addUsers(world, host, users)
    this.#now = world.now
    const phones = users.map((user, index) => this.#phone(user, index))
    for (const phone of phones) this.#register(phone)
    this.#pairs = Array.from({ length: pairs }, (_, pair) => [phones[2 * pair]!, phones[2 * pair + 1]!])
    this.#pass(SETTLED)
  }

  /** So many calls at once, from INVITE to BYE, then so many milliseconds. Throws where something is not relayed. */
  run(count: number, milliseconds: number, watch: Watch): void {
    const calls = Array.from({ length: count }, () => this.#newCall())
    const invites = this.#relay("INVITE", calls, watch, (call) => this.#invite(call))
    this.#relay("180", calls, watch, ({ callee }, at) => answer(invites[at]!, "180 Ringing", callee))
    const accepted = this.#relay("200", calls, watch, ({ callee }, at) =>
      answer(invites[at]!, "200 OK", callee, SDP),
    )
    for (const [at, call] of calls.entries()) {
      call.uri = /<(.*?)>/.exec(valuesIn(accepted[at]!, "Contact")[0]!)![1]!
      call.to = valuesIn(accepted[at]!, "To")[0]!
      const recorded = valuesIn(accepted[at]!, "Record-Route").toReversed()
      call.routes = recorded.map((value) => `Route: ${value}\r\n`).join("")
    }
    this.#relay("ACK", calls, watch, (call) => this.#inside("ACK", call))
    const byes = this.#relay("BYE", calls, watch, (call) => this.#inside("BYE", call))
    this.#relay("200 of BYE", calls, watch, ({ callee }, at) => answer(byes[at]!, "200 OK", callee))
    watch("timers", count, () => this.#pass(milliseconds))
  }

  #pass(milliseconds: number): void {
    const { node } = this.#host
    const until = (this.#now + milliseconds) as Instant
    for (; node.deadline <= until; this.#perform(node.expire(this.#now)))
      this.#now = Math.max(this.#now, node.deadline) as Instant
    this.#now = until
  }

  /** Tells the node one message of each call; what it sends on, by call. */
  #relay(
    what: (typeof MESSAGES)[number],
    calls: readonly Call[],
    watch: Watch,
    textOf: (call: Call, at: number) => string,
  ): readonly string[] {
    const isAnswer = /^\d/.test(what)
    const messages = calls.map((call, at) => new Uint8Array(Buffer.from(textOf(call, at), "latin1")))
    const flows = calls.map(({ caller, callee }) => (isAnswer ? callee : caller).flow)
    const told: (readonly NodeEffect[])[] = []
    const { node } = this.#host
    watch(what, calls.length, () => {
      for (let at = 0; at < messages.length; at++)
        told.push(node.handle({ kind: "received", flow: flows[at]!, bytes: messages[at]! }, this.#now))
    })
    const start = isAnswer ? `SIP/2.0 ${what.slice(0, 3)} ` : `${what} `
    return told.map((effects, at) => {
      const sent = this.#perform(effects)
      const relayed = sent.find((text) => text.startsWith(start))
      if (relayed !== undefined) return relayed
      const text = Buffer.from(messages[at]!).toString("latin1")
      throw new Error(`not relayed, but answered with ${JSON.stringify(sent)}:\n${text}`)
    })
  }

  /** What it sends; what it wants on its disk is there at once. */
  #perform(effects: readonly NodeEffect[]): readonly string[] {
    return effects.flatMap((effect) => {
      if (effect.kind === "send") return [Buffer.from(effect.bytes).toString("latin1")]
      if (effect.kind !== "persist") return []
      const { ticket } = effect
      return this.#perform(this.#host.node.handle({ kind: "persisted", ticket }, this.#now))
    })
  }

  #phone(user: string, index: number): Phone {
    const remote = { host: `10.1.${index >> 8}.${index & 255}`, port: 5060 }
    const local = { host: this.#host.host, port: 5060 }
    const flow: Flow = { transport: "UDP", local, remote, connection: undefined, node: undefined }
    return { user, flow, nonce: "", count: 0, cseq: 0 }
  }

  /** And lets it be challenged as a caller. */
  #register(phone: Phone): void {
    const uri = `sip:${this.#domain}`
    const to = `<sip:${phone.user}@${this.#domain}>`
    const about = { uri, to, callId: `r-${phone.user}` }
    phone.nonce = nonceIn(this.#ask(phone, "REGISTER", { ...about, extra: "" }))
    const credentials = this.#credentials(phone, "Authorization", "REGISTER", uri)
    const status = statusOf(
      this.#ask(phone, "REGISTER", { ...about, extra: `Expires: 3600\r\n${credentials}` }),
    )
    if (status !== 200) throw new Error(`REGISTER of ${phone.user} was answered with ${status}`)
    const called = { uri: `sip:${phone.user}@${this.#domain}`, to, callId: `i-${phone.user}`, extra: "" }
    phone.nonce = nonceIn(this.#ask(phone, "INVITE", called))
    phone.count = 0
  }

  #ask(phone: Phone, method: string, parts: Parts): string {
    const bytes = new Uint8Array(Buffer.from(this.#request(phone, method, parts), "latin1"))
    return (
      this.#perform(this.#host.node.handle({ kind: "received", flow: phone.flow, bytes }, this.#now)).at(
        -1,
      ) ?? ""
    )
  }

  #newCall(): Call {
    const [caller, callee] = this.#pairs[this.#calls++ % this.#pairs.length]!
    const uri = `sip:${callee.user}@${this.#domain}`
    return { caller, callee, callId: `c${this.#calls}-${caller.user}@bench`, uri, to: `<${uri}>`, routes: "" }
  }

  #invite({ caller, uri, to, callId }: Call): string {
    const credentials = this.#credentials(caller, "Proxy-Authorization", "INVITE", uri)
    const extra = `${credentials}Content-Type: application/sdp\r\n`
    return this.#request(caller, "INVITE", { uri, to, callId, extra, body: SDP })
  }

  #inside(method: "ACK" | "BYE", { caller, routes, ...dialog }: Call): string {
    return this.#request(caller, method, { ...dialog, routes, extra: "" })
  }

  #request(phone: Phone, method: string, { uri, to, callId, extra, routes = "", body = "" }: Parts): string {
    const { user, flow } = phone
    const { host, port } = flow.remote
    const cseq = method === "ACK" ? phone.cseq : ++phone.cseq
    return (
      `${method} ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP ${host}:${port};branch=z9hG4bK-${++this.#branch}-b;rport\r\n${routes}` +
      `From: <sip:${user}@${this.#domain}>;tag=f${user}\r\nTo: ${to}\r\nCall-ID: ${callId}\r\n` +
      `CSeq: ${cseq} ${method}\r\nContact: <sip:${user}@${host}:${port}>\r\n${ABOUT}${extra}` +
      `Content-Length: ${body.length}\r\n\r\n${body}`
    )
  }

  #credentials(phone: Phone, field: string, method: string, uri: string): string {
    const { user, nonce } = phone
    const domain = this.#domain
    const md5 = (text: string) => hash("md5", text)
    const nc = (++phone.count).toString(16).padStart(8, "0")
    const secret = md5(`${user}:${domain}:${user}`)
    const response = md5(`${secret}:${nonce}:${nc}:0a4f113b:auth:${md5(`${method}:${uri}`)}`)
    return (
      `${field}: Digest username="${user}", realm="${domain}", nonce="${nonce}", uri="${uri}", ` +
      `response="${response}", algorithm=MD5, cnonce="0a4f113b", qop=auth, nc=${nc}\r\n`
    )
  }
}

interface Parts {
  readonly uri: string
  readonly to: string
  readonly callId: string
  readonly extra: string
  readonly routes?: string
  readonly body?: string
}

function nonceIn(challenge: string): string {
  const nonce = /nonce="([^"]+)"/.exec(challenge)?.[1]
  if (nonce === undefined) throw new Error(`no challenge, but ${challenge}`)
  return nonce
}

/** As a phone does: all that RFC 3261 §8.2.6 says is copied. */
function answer(request: string, status: string, { user, flow }: Phone, body = ""): string {
  const { host, port } = flow.remote
  const repeated = fieldsOf(request)
    .filter((line) => /^(Via|From|To|Call-ID|CSeq|Record-Route):/.test(line))
    .map((line) => (line.startsWith("To:") && !line.includes(";tag=") ? `${line};tag=t${user}` : line))
  const type = body === "" ? [] : ["Content-Type: application/sdp"]
  const contact = `Contact: <sip:${user}@${host}:${port}>`
  return [
    `SIP/2.0 ${status}`,
    ...repeated,
    contact,
    ...type,
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n")
}
