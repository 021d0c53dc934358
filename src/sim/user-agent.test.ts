import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { openSslHashes } from "../../test/support/hashes.ts"
import { toUtf8 } from "../core/kit/bytes.ts"
import { SeededRandom } from "../core/kit/random.ts"
import { after, type Instant, milliseconds, NEVER, seconds } from "../core/kit/time.ts"
import { digestResponse, formatChallenge, ha1, parseAuthorization } from "../core/sip/digest.ts"
import { cseqOf, topVia } from "../core/sip/fields.ts"
import { Headers, type SipMessage, type SipRequest } from "../core/sip/message.ts"
import { parseMessage } from "../core/sip/parse.ts"
import { makeResponse } from "../core/sip/respond.ts"
import { serializeMessage } from "../core/sip/serialize.ts"
import { branchOf } from "../core/sip/via.ts"
import { udpFlow } from "./network.ts"
import { UserAgent, type UserAgentEffect, type UserAgentInput, type UserAgentSettings } from "./user-agent.ts"

const PROXY = { host: "10.0.0.1", port: 5060 }
const PASSWORD = "secret"

type Event = Exclude<UserAgentEffect, { kind: "send" }>

/** What went over the wire: who sent it, and its method or status. */
interface Sent {
  readonly id: string
  readonly from: string
  readonly what: string
  readonly message: SipMessage
}

/** Two phones, and between them a proxy without state that challenges REGISTER and INVITE. */
class Stage {
  now = 0 as Instant
  readonly phones = new Map<string, { readonly agent: UserAgent; readonly events: Event[] }>()
  readonly sent: Sent[] = []
  /** Messages for which this holds are lost on the way to the proxy. */
  loses: (sent: Sent) => boolean = () => false
  challenges = true
  readonly #queue: (() => void)[] = []

  constructor(bobAnswers: UserAgentSettings["answers"] = { kind: "accept", after: milliseconds(100) }) {
    this.#add("alice", 1, { kind: "refuse", status: 486 })
    this.#add("bob", 2, bobAnswers)
  }

  #add(user: string, number: number, answers: UserAgentSettings["answers"]): void {
    const agent = new UserAgent({
      user,
      password: PASSWORD,
      domain: "example.org",
      address: { host: `192.0.2.${number}`, port: 5060 },
      transport: "UDP",
      proxy: PROXY,
      hashes: openSslHashes,
      random: new SeededRandom(number),
      answers,
    })
    this.phones.set(user, { agent, events: [] })
  }

  tell(user: string, input: UserAgentInput): void {
    this.#perform(user, this.phones.get(user)!.agent.handle(input, this.now))
    this.#work()
  }

  /** Time passes, and each phone does what is due. */
  pass(span = seconds(60)): void {
    const end = after(this.now, span)
    for (;;) {
      const [next, user] = [...this.phones]
        .map(([name, { agent }]) => [agent.deadline, name] as const)
        .reduce((a, b) => (b[0] < a[0] ? b : a))
      if (next === NEVER || next > end) break
      this.now = next
      this.#perform(user, this.phones.get(user)!.agent.expire(this.now))
      this.#work()
    }
    this.now = end
  }

  eventsOf(user: string): readonly Event[] {
    return this.phones.get(user)!.events.splice(0)
  }

  /** Methods and statuses that a phone has sent since it was asked last. */
  saidBy(user: string): readonly string[] {
    const said = this.sent.filter(({ from }) => from === user).map(({ what }) => what)
    this.sent.splice(0, this.sent.length, ...this.sent.filter(({ from }) => from !== user))
    return said
  }

  #work(): void {
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) next()
  }

  #perform(user: string, effects: readonly UserAgentEffect[]): void {
    for (const effect of effects) {
      if (effect.kind !== "send") {
        this.phones.get(user)!.events.push(effect)
        continue
      }
      const message = parseMessage(effect.bytes)
      const what = message.kind === "request" ? message.method : String(message.status)
      const sent = { id: effect.id, from: user, what, message }
      this.sent.push(sent)
      if (!this.loses(sent)) this.#queue.push(() => this.#proxy(user, message))
    }
  }

  #proxy(from: string, message: SipMessage): void {
    if (message.kind === "response") {
      const [, ...vias] = message.headers.all("Via")
      const others = message.headers.without("Via").fields
      const headers = new Headers([...vias.map((value) => ({ name: "Via", value })), ...others])
      if (vias.length === 0) return // An answer to the proxy itself.
      const { host } = topVia({ headers })
      return this.#deliver(host === "192.0.2.1" ? "alice" : "bob", { ...message, headers })
    }
    const toBeProved = ["REGISTER", "INVITE"].includes(message.method) && this.challenges
    if (toBeProved && !isProved(message)) return this.#deliver(from, challenge(message))
    if (message.method === "REGISTER") {
      const contacts = message.headers.all("Contact").filter((value) => value !== "*")
      const headers = contacts.map((value) => ({ name: "Contact", value: `${value};expires=60` }))
      return this.#deliver(from, makeResponse(message, 200, undefined, { headers }))
    }
    const { headers } = message
    const via = `SIP/2.0/UDP 10.0.0.1;branch=${branchOf(topVia(message))}-proxy`
    const recorded =
      message.method === "INVITE" ? headers.prepend("Record-Route", "<sip:token@10.0.0.1;lr>") : headers
    const forwarded = { ...message, headers: recorded.without("Route").prepend("Via", via) }
    this.#deliver(/^sip:alice@/.test(message.uri) ? "alice" : "bob", forwarded)
  }

  #deliver(user: string, message: SipMessage): void {
    const { agent } = this.phones.get(user)!
    const flow = udpFlow(agent.settings.address, PROXY)
    this.#perform(user, agent.handle({ kind: "received", flow, bytes: serializeMessage(message) }, this.now))
  }
}

function challenge(request: SipRequest): SipMessage {
  const register = request.method === "REGISTER"
  const value = formatChallenge({ realm: "example.org", nonce: "n1", algorithm: "MD5" })
  const name = register ? "WWW-Authenticate" : "Proxy-Authenticate"
  return makeResponse(request, register ? 401 : 407, undefined, { toTag: "p", headers: [{ name, value }] })
}

function isProved({ method, headers }: SipRequest): boolean {
  const text = headers.first(method === "REGISTER" ? "Authorization" : "Proxy-Authorization")
  const given = text === undefined ? undefined : parseAuthorization(text)
  if (given === undefined) return false
  const secret = ha1(openSslHashes, "MD5", given.username, "example.org", PASSWORD)
  return given.nonce === "n1" && given.response === digestResponse(openSslHashes, secret, method, given)
}

const isAckOf2xx = ({ what, message }: Sent): boolean => what === "ACK" && message.headers.has("Route")

/** Alice calls Bob, who takes the call. */
function inCall(): Stage {
  const stage = new Stage()
  stage.tell("alice", { kind: "call", call: "c1", target: "sip:bob@example.org" })
  stage.pass(seconds(1))
  for (const user of ["alice", "bob"]) {
    stage.eventsOf(user)
    stage.saidBy(user)
  }
  return stage
}

describe("A registration", () => {
  test("answers the challenge, and tells the contacts that stand", () => {
    const stage = new Stage()
    stage.tell("alice", { kind: "register", seconds: 60 })
    const contacts = ["sip:alice@192.0.2.1:5060"]
    assert.deepEqual(stage.eventsOf("alice"), [{ kind: "registered", status: 200, contacts }])
    const [first, second] = stage.sent.map(({ message }) => message)
    assert.equal(first?.headers.first("Expires"), "60")
    assert.deepEqual([cseqOf(first!).number, cseqOf(second!).number], [1, 2])
    assert.equal(first?.headers.first("Call-ID"), second?.headers.first("Call-ID"))
  })

  test("goes on under the same Call-ID and a higher CSeq, and removes all with a star", () => {
    const stage = new Stage()
    stage.tell("alice", { kind: "register", seconds: 60 })
    stage.tell("alice", { kind: "register", seconds: 0, everything: true })
    const messages = stage.sent.map(({ message }) => message)
    assert.deepEqual(
      messages.map((message) => cseqOf(message).number),
      [1, 2, 3, 4],
    )
    assert.equal(new Set(messages.map(({ headers }) => headers.first("Call-ID"))).size, 1)
    assert.equal(messages.at(-1)?.headers.first("Contact"), "*")
    assert.equal(messages.at(-1)?.headers.first("Expires"), "0")
  })

  test("that nobody answers ends with 408, after the repetitions of RFC 3261 §17.1.2", () => {
    const stage = new Stage()
    stage.loses = () => true
    stage.tell("alice", { kind: "register", seconds: 60 })
    stage.pass()
    assert.deepEqual(stage.eventsOf("alice"), [{ kind: "registered", status: 408, contacts: [] }])
    assert.equal(stage.saidBy("alice").length, 11)
  })

  test("with a wrong password gives up when that is refused: RFC 3261 §22.1", () => {
    const stage = new Stage()
    const wrong = new UserAgent({ ...stage.phones.get("alice")!.agent.settings, password: "guess" })
    stage.phones.set("alice", { agent: wrong, events: [] })
    stage.tell("alice", { kind: "register", seconds: 60 })
    assert.deepEqual(stage.eventsOf("alice"), [{ kind: "registered", status: 401, contacts: [] }])
    assert.equal(stage.saidBy("alice").length, 2)
  })
})

describe("A call", () => {
  test("rings, is answered, acknowledged along the route it came, and hung up", () => {
    const stage = new Stage()
    stage.tell("alice", { kind: "call", call: "c1", target: "sip:bob@example.org" })
    const ringing = { kind: "ringing", call: "c1", caller: "sip:alice@example.org" }
    assert.deepEqual(stage.eventsOf("bob"), [ringing])
    assert.deepEqual(stage.eventsOf("alice"), [])
    stage.pass(seconds(1))
    assert.deepEqual(stage.eventsOf("alice"), [{ kind: "call-answered", call: "c1", status: 200 }])
    assert.deepEqual(stage.eventsOf("bob"), [{ kind: "call-confirmed", call: "c1" }])
    const ack = stage.sent.findLast(({ what }) => what === "ACK")?.message as SipRequest
    assert.equal(ack.uri, "sip:bob@192.0.2.2:5060")
    assert.equal(ack.headers.first("Route"), "<sip:token@10.0.0.1;lr>")
    assert.equal(cseqOf(ack).number, 2)
    stage.tell("alice", { kind: "hang-up", call: "c1" })
    assert.deepEqual(stage.eventsOf("alice"), [{ kind: "call-ended", call: "c1", by: "us", status: 200 }])
    assert.deepEqual(stage.eventsOf("bob"), [{ kind: "call-ended", call: "c1", by: "them", status: 200 }])
    stage.pass()
    assert.deepEqual(
      [...stage.phones.values()].map(({ agent }) => agent.deadline),
      [NEVER, NEVER],
    )
  })

  test("can be hung up by the one who was called", () => {
    const stage = inCall()
    stage.tell("bob", { kind: "hang-up", call: "c1" })
    assert.deepEqual(stage.eventsOf("bob"), [{ kind: "call-ended", call: "c1", by: "us", status: 200 }])
    assert.deepEqual(stage.eventsOf("alice"), [{ kind: "call-ended", call: "c1", by: "them", status: 200 }])
    const bye = stage.sent.find(({ what }) => what === "BYE")?.message as SipRequest
    assert.equal(bye.uri, "sip:alice@192.0.2.1:5060")
    assert.equal(bye.headers.first("Route"), "<sip:token@10.0.0.1;lr>")
  })

  test("that is refused tells the status; the caller's end forgets it", () => {
    const stage = new Stage({ kind: "refuse", status: 486 })
    stage.tell("alice", { kind: "call", call: "c1", target: "sip:bob@example.org" })
    assert.deepEqual(stage.eventsOf("alice"), [{ kind: "call-answered", call: "c1", status: 486 }])
    stage.tell("alice", { kind: "hang-up", call: "c1" })
    assert.deepEqual(stage.eventsOf("alice"), [{ kind: "call-ended", call: "c1", by: "us", status: 481 }])
    stage.pass()
    assert.deepEqual(stage.saidBy("bob"), ["486"])
  })

  test("that rings on is ended by CANCEL with 487, and not answered after", () => {
    const stage = new Stage({ kind: "ring" })
    stage.challenges = false
    stage.tell("alice", { kind: "call", call: "c1", target: "sip:bob@example.org" })
    stage.pass(seconds(10))
    assert.deepEqual(stage.saidBy("bob"), ["180"])
    const invite = stage.sent.find(({ what }) => what === "INVITE")!.message as SipRequest
    const headers = invite.headers.with("CSeq", `${cseqOf(invite).number} CANCEL`)
    const via = `SIP/2.0/UDP 10.0.0.1;branch=${branchOf(topVia(invite))}-proxy`
    const cancel = { ...invite, method: "CANCEL", headers: headers.prepend("Via", via) }
    const flow = udpFlow({ host: "192.0.2.2", port: 5060 }, PROXY)
    stage.tell("bob", { kind: "received", flow, bytes: serializeMessage(cancel) })
    assert.deepEqual(stage.eventsOf("bob").at(-1), {
      kind: "call-ended",
      call: "c1",
      by: "them",
      status: 487,
    })
    stage.pass()
    assert.deepEqual(stage.eventsOf("alice"), [{ kind: "call-answered", call: "c1", status: 487 }])
    assert.deepEqual([...stage.saidBy("bob")].sort(), ["200", "487"])
  })
})

describe("A 2xx", () => {
  test("is repeated until its ACK comes, and acknowledged each time it comes", () => {
    const stage = new Stage()
    let lost = 0
    stage.loses = (sent) => isAckOf2xx(sent) && lost++ < 3
    stage.tell("alice", { kind: "call", call: "c1", target: "sip:bob@example.org" })
    stage.pass(milliseconds(100 + 500 + 1_000 + 1_999))
    assert.equal(stage.eventsOf("bob").length, 1)
    stage.pass(milliseconds(1))
    assert.deepEqual(stage.eventsOf("bob"), [{ kind: "call-confirmed", call: "c1" }])
    stage.pass(seconds(20))
    assert.deepEqual(stage.saidBy("bob"), ["180", "200", "200", "200", "200"])
    assert.equal(stage.sent.filter(isAckOf2xx).length, 4)
    assert.equal(stage.eventsOf("alice").length, 1)
  })

  test("that nobody acknowledges in 32 seconds ends the call with a BYE, and nothing is left to do", () => {
    const stage = new Stage()
    stage.loses = ({ what }) => what === "ACK"
    stage.tell("alice", { kind: "call", call: "c1", target: "sip:bob@example.org" })
    stage.pass(milliseconds(100 + 31_999))
    assert.equal(stage.eventsOf("bob").length, 1)
    stage.pass(milliseconds(1))
    assert.deepEqual(stage.eventsOf("bob"), [{ kind: "call-ended", call: "c1", by: "us", status: 200 }])
    assert.deepEqual(stage.eventsOf("alice").at(-1), {
      kind: "call-ended",
      call: "c1",
      by: "them",
      status: 200,
    })
    stage.pass()
    assert.equal(stage.phones.get("bob")?.agent.deadline, NEVER)
  })

  test("is repeated no more once the caller has hung up", () => {
    const stage = new Stage()
    stage.loses = ({ what }) => what === "ACK"
    stage.tell("alice", { kind: "call", call: "c1", target: "sip:bob@example.org" })
    stage.pass(milliseconds(200))
    stage.tell("alice", { kind: "hang-up", call: "c1" })
    stage.pass()
    assert.deepEqual(stage.saidBy("bob"), ["180", "200", "200"])
  })
})

describe("A phone", () => {
  test("passes over empty lines and nonsense", () => {
    const stage = inCall()
    const flow = udpFlow({ host: "192.0.2.1", port: 5060 }, PROXY)
    for (const text of ["\r\n\r\n", "", "hello", "SIP/2.0 200 OK\r\n\r\n", "BYE x SIP/2.0\r\n\r\n"])
      stage.tell("alice", { kind: "received", flow, bytes: toUtf8(text) })
    assert.deepEqual(stage.eventsOf("alice"), [])
    assert.deepEqual(stage.saidBy("alice"), [])
  })

  test("answers a BYE of another fork or of no call with 481, and keeps its own call", () => {
    const stage = inCall()
    const bye = (callId: string) =>
      toUtf8(
        [
          "BYE sip:alice@192.0.2.1 SIP/2.0",
          `Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK${callId}x`,
          "Max-Forwards: 70",
          "From: <sip:bob@example.org>;tag=other",
          "To: <sip:alice@example.org>;tag=t",
          `Call-ID: ${callId}`,
          "CSeq: 1 BYE",
          "Content-Length: 0\r\n\r\n",
        ].join("\r\n"),
      )
    const flow = udpFlow({ host: "192.0.2.1", port: 5060 }, PROXY)
    for (const callId of ["c1", "c9"]) stage.tell("alice", { kind: "received", flow, bytes: bye(callId) })
    assert.deepEqual(stage.saidBy("alice"), ["481", "481"])
    stage.tell("alice", { kind: "hang-up", call: "c1" })
    assert.deepEqual(stage.eventsOf("alice"), [{ kind: "call-ended", call: "c1", by: "us", status: 200 }])
  })

  test("sees its call fail at once where its message cannot be sent", () => {
    const stage = new Stage()
    stage.loses = () => true
    stage.tell("alice", { kind: "call", call: "c1", target: "sip:bob@example.org" })
    stage.tell("alice", { kind: "send-failed", id: stage.sent[0]!.id, reason: "no route" })
    assert.deepEqual(stage.eventsOf("alice"), [{ kind: "call-answered", call: "c1", status: 503 }])
  })
})
