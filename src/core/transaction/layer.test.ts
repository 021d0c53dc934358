import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { toLatin1, toUtf8 } from "../kit/bytes.ts"
import { LIMITS } from "../kit/limits.ts"
import { SeededRandom } from "../kit/random.ts"
import { after, type Instant, milliseconds } from "../kit/time.ts"
import type { SipRequest } from "../sip/message.ts"
import { parseMessage } from "../sip/parse.ts"
import { makeResponse } from "../sip/respond.ts"
import type { Flow, Hop } from "../sip/transport.ts"
import { TransactionLayer } from "./layer.ts"
import type { LayerEffect, LayerInput } from "./layer-interface.ts"

const at = (ms: number) => after(0 as Instant, milliseconds(ms))

const udp: Flow = {
  transport: "UDP",
  local: { host: "192.0.2.1", port: 5060 },
  remote: { host: "198.51.100.7", port: 33_000 },
  connection: undefined,
  node: undefined,
}
const tcp: Flow = { ...udp, transport: "TCP", connection: 9 }
const hop: Hop = {
  kind: "address",
  transport: "UDP",
  address: { host: "203.0.113.5", port: 5060 },
  serverName: undefined,
}

interface Wanted {
  readonly method?: string
  readonly via?: string
  readonly cseq?: string
  readonly toTag?: string
  readonly callId?: string
}

function request({
  method = "INVITE",
  via = "SIP/2.0/UDP 10.0.0.9:5070;rport;branch=z9hG4bKone",
  cseq = `1 ${method}`,
  toTag = "",
  callId = "call",
}: Wanted = {}): SipRequest {
  const text = [
    `${method} sip:bob@example.org SIP/2.0`,
    `Via: ${via}`,
    "Max-Forwards: 70",
    "From: <sip:alice@example.org>;tag=a",
    `To: <sip:bob@example.org>${toTag}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq}`,
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n")
  return parseMessage(toUtf8(text)) as SipRequest
}

class Bench {
  readonly layer = new TransactionLayer(new SeededRandom(1))
  now = at(0)

  tell(input: LayerInput): readonly LayerEffect[] {
    return this.layer.handle(input, this.now)
  }

  receive(message: SipRequest, flow: Flow = udp): readonly LayerEffect[] {
    return this.tell({ kind: "received", message, flow })
  }

  /** Receives a request, and answers with the server transaction's key and the request as handed up. */
  accept(message: SipRequest, flow: Flow = udp): Extract<LayerEffect, { kind: "request" }> {
    const effect = this.receive(message, flow).find(({ kind }) => kind === "request")
    assert.ok(effect?.kind === "request")
    return effect
  }

  advance(ms: number): readonly LayerEffect[] {
    const effects: LayerEffect[] = []
    const end = after(this.now, milliseconds(ms))
    while (this.layer.deadline <= end) {
      this.now = this.layer.deadline
      effects.push(...this.layer.expire(this.now))
    }
    this.now = end
    return effects
  }
}

const sends = (effects: readonly LayerEffect[]) => effects.filter((effect) => effect.kind === "send")
const firstLines = (effects: readonly LayerEffect[]) =>
  sends(effects).map(({ bytes }) => toLatin1(bytes).split("\r\n")[0])
const kinds = (effects: readonly LayerEffect[]) => effects.map(({ kind }) => kind)

describe("TransactionLayer, as server", () => {
  test("hands a request up once, with received and rport, and repeats the answer for repetitions", () => {
    const bench = new Bench()
    const { server, request: handed } = bench.accept(request({ method: "OPTIONS" }))
    assert.equal(
      handed.headers.first("Via"),
      "SIP/2.0/UDP 10.0.0.9:5070;rport=33000;branch=z9hG4bKone;received=198.51.100.7",
    )
    assert.deepEqual(bench.receive(request({ method: "OPTIONS" })), [])
    const answered = bench.tell({ kind: "respond", server, response: makeResponse(handed, 200) })
    const repeated = bench.receive(request({ method: "OPTIONS" }))
    assert.deepEqual(firstLines(answered), ["SIP/2.0 200 OK"])
    assert.deepEqual(sends(repeated), sends(answered))
  })

  test("answers to the source where rport is asked for, else to the port of the Via: RFC 3581", () => {
    const bench = new Bench()
    const far = bench.accept(request())
    const plain = bench.accept(request({ via: "SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKtwo" }))
    const hops = [far, plain].map(({ server, request: handed }) => {
      const [send] = sends(bench.tell({ kind: "respond", server, response: makeResponse(handed, 486) }))
      return send?.hop
    })
    assert.deepEqual(hops, [
      { kind: "flow", flow: udp },
      { kind: "flow", flow: { ...udp, remote: { host: "198.51.100.7", port: 5070 } } },
    ])
  })

  test("opens a connection to sent-by where that of the request has gone, once", () => {
    const bench = new Bench()
    const message = request({ via: "SIP/2.0/TCP 198.51.100.7:5070;branch=z9hG4bKone" })
    const { server, request: handed } = bench.accept(message, tcp)
    const [send] = sends(bench.tell({ kind: "respond", server, response: makeResponse(handed, 486) }))
    assert.deepEqual(send?.hop, { kind: "flow", flow: tcp })
    const failed = { kind: "send-failed", id: send.id, reason: "closed" } as const
    assert.deepEqual(sends(bench.tell(failed))[0]?.hop, {
      kind: "address",
      transport: "TCP",
      address: { host: "198.51.100.7", port: 5070 },
      serverName: undefined,
    })
    assert.deepEqual(sends(bench.tell(failed)), [])
  })

  test("sends 100 Trying after 200 ms, or when told to", () => {
    const slow = new Bench()
    slow.accept(request())
    assert.deepEqual(firstLines(slow.advance(200)), ["SIP/2.0 100 Trying"])
    const told = new Bench()
    const { server } = told.accept(request())
    assert.deepEqual(firstLines(told.tell({ kind: "trying", server })), ["SIP/2.0 100 Trying"])
    assert.deepEqual(told.tell({ kind: "trying", server }), [])
    assert.deepEqual(told.advance(1_000), [])
  })

  test("absorbs the ACK for a refusal, and hands up the one for a 2xx", () => {
    const bench = new Bench()
    const { server, request: handed } = bench.accept(request())
    const response = makeResponse(handed, 486, undefined, { toTag: "b" })
    bench.tell({ kind: "respond", server, response })
    const acknowledged = bench.receive(request({ method: "ACK", toTag: ";tag=b" }))
    assert.deepEqual(acknowledged, [{ kind: "server-ended", server }])
    assert.deepEqual(bench.receive(request({ method: "ACK", toTag: ";tag=b" })), [])
    assert.deepEqual(sends(bench.advance(4_000)), [])
    const other = request({ method: "ACK", via: "SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKnew" })
    assert.deepEqual(kinds(bench.receive(other)), ["ack"])
  })

  test("answers a CANCEL and says whose it is, once; an unknown one gets 481", () => {
    const bench = new Bench()
    const { server } = bench.accept(request())
    const cancelled = bench.receive(request({ method: "CANCEL" }))
    assert.deepEqual(firstLines(cancelled), ["SIP/2.0 200 OK"])
    assert.deepEqual(cancelled.at(-1), { kind: "cancelled", server })
    assert.deepEqual(firstLines(bench.receive(request({ method: "CANCEL" }))), ["SIP/2.0 200 OK"])
    const stray = request({ method: "CANCEL", via: "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKother" })
    assert.deepEqual(firstLines(bench.receive(stray)), ["SIP/2.0 481 Call/Transaction Does Not Exist"])
  })

  test("a CANCEL after the final answer cancels nothing", () => {
    const bench = new Bench()
    const { server, request: handed } = bench.accept(request())
    bench.tell({ kind: "respond", server, response: makeResponse(handed, 200) })
    const cancelled = bench.receive(request({ method: "CANCEL" }))
    assert.deepEqual(firstLines(cancelled), ["SIP/2.0 200 OK"])
    assert.deepEqual(kinds(cancelled), ["send", "server-ended"])
  })

  test("tells clients apart that use the same branch, and methods", () => {
    const bench = new Bench()
    bench.accept(request())
    bench.accept(request({ via: "SIP/2.0/UDP 10.0.0.8:5070;branch=z9hG4bKone" }))
    bench.accept(request({ method: "INFO" }))
    assert.equal(bench.layer.pendingTransactions, 3)
  })

  test("matches requests without the magic cookie by what RFC 2543 clients keep", () => {
    const bench = new Bench()
    const via = "SIP/2.0/UDP 10.0.0.9:5070;branch=1"
    const { server, request: handed } = bench.accept(request({ via }))
    assert.deepEqual(bench.receive(request({ via })), [])
    bench.accept(request({ via, callId: "other" }))
    bench.tell({ kind: "respond", server, response: makeResponse(handed, 486, undefined, { toTag: "b" }) })
    assert.deepEqual(kinds(bench.receive(request({ via, method: "ACK", toTag: ";tag=x" }))), ["ack"])
    assert.deepEqual(bench.receive(request({ via, method: "ACK", toTag: ";tag=b" })), [])
  })

  test("refuses without state what is too much", () => {
    const bench = new Bench()
    const flood = (index: number) => request({ via: `SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK${index}` })
    const message = flood(0)
    for (let i = 0; i < LIMITS.sip.pendingTransactions; i++) {
      const via = `SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK${i}`
      bench.receive({ ...message, headers: message.headers.with("Via", via) })
    }
    const refused = bench.receive(flood(-1))
    assert.deepEqual(firstLines(refused), ["SIP/2.0 503 Service Unavailable"])
    assert.match(toLatin1(sends(refused)[0]!.bytes), /\r\nRetry-After: 5\r\n/)
    assert.equal(bench.layer.pendingTransactions, LIMITS.sip.pendingTransactions)
  })
})

describe("TransactionLayer, as client", () => {
  const via = "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKours"
  const start = (method = "INVITE", to: Hop = hop) =>
    ({ kind: "start", branch: "z9hG4bKours", request: request({ method, via }), hop: to }) as const
  const answer = (status: number, method = "INVITE", toTag = "b") =>
    ({
      kind: "received",
      message: makeResponse(request({ method, via }), status, undefined, { toTag }),
      flow: udp,
    }) as const

  test("acknowledges a refusal to where the INVITE went, with its branch and the response's To", () => {
    const bench = new Bench()
    bench.tell(start())
    const effects = bench.tell(answer(486))
    assert.deepEqual(kinds(effects), ["send", "response", "client-ended"])
    const [send] = sends(effects)
    assert.deepEqual(send?.hop, hop)
    assert.equal(
      toLatin1(send.bytes),
      [
        "ACK sip:bob@example.org SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKours",
        "Max-Forwards: 70",
        "From: <sip:alice@example.org>;tag=a",
        "To: <sip:bob@example.org>;tag=b",
        "Call-ID: call",
        "CSeq: 1 ACK",
        "Content-Length: 0",
        "",
        "",
      ].join("\r\n"),
    )
    assert.deepEqual(sends(bench.tell(answer(486))), [send])
  })

  test("sends CANCEL only after a provisional response, and keeps its answer to itself", () => {
    const bench = new Bench()
    bench.tell(start())
    assert.deepEqual(bench.tell({ kind: "cancel", branch: "z9hG4bKours" }), [])
    const effects = bench.tell(answer(180))
    assert.deepEqual(firstLines(effects), ["CANCEL sip:bob@example.org SIP/2.0"])
    assert.deepEqual(bench.tell({ kind: "cancel", branch: "z9hG4bKours" }), [])
    assert.deepEqual(bench.tell(answer(200, "CANCEL")), [])
    assert.deepEqual(kinds(bench.tell(answer(487))), ["send", "response", "client-ended"])
  })

  test("gives a cancelled INVITE up that nobody ends", () => {
    const bench = new Bench()
    bench.tell(start())
    bench.tell(answer(180))
    bench.tell({ kind: "cancel", branch: "z9hG4bKours" })
    bench.tell(answer(200, "CANCEL"))
    const ends = bench.advance(32_000).filter(({ kind }) => kind !== "send")
    assert.deepEqual(ends, [
      { kind: "failed", branch: "z9hG4bKours", cause: "timeout", heard: true, user: undefined },
      { kind: "client-ended", branch: "z9hG4bKours", user: undefined },
    ])
    assert.equal(bench.layer.pendingTransactions, 0)
  })

  test("drops and counts responses that nobody waits for: RFC 6026", () => {
    const bench = new Bench()
    assert.deepEqual(kinds(bench.tell(answer(200))), ["count"])
    bench.tell(start("OPTIONS"))
    assert.deepEqual(kinds(bench.tell(answer(200, "INVITE"))), ["count"])
  })

  test("fails what went over a connection that closes, or to the node at its other end", () => {
    const node = "0123456789abcdef0123456789abcdef"
    const closed = { ...tcp, transport: "TLS", node } as const
    for (const way of [
      { kind: "flow", flow: closed },
      { kind: "node", node },
      { kind: "address", transport: "TLS", address: closed.remote, serverName: undefined },
    ] satisfies Hop[]) {
      const bench = new Bench()
      bench.tell(start("INVITE", way))
      assert.deepEqual(kinds(bench.tell({ kind: "flow-closed", flow: closed })), ["failed", "client-ended"])
      assert.deepEqual(bench.tell({ kind: "flow-closed", flow: closed }), [])
    }
  })

  test("takes a bounced datagram for a failure only before anything was heard", () => {
    const bench = new Bench()
    const [send] = sends(bench.tell(start()))
    bench.tell(answer(100))
    assert.deepEqual(bench.tell({ kind: "send-failed", id: send!.id, reason: "refused" }), [])
    const deaf = new Bench()
    deaf.tell(start())
    assert.deepEqual(kinds(deaf.tell({ kind: "send-failed", id: send!.id, reason: "refused" })), [
      "failed",
      "client-ended",
    ])
  })
})

test("what went to a node that lives no more fails at once, unless something came back already", () => {
  const layer = new TransactionLayer(new SeededRandom(1))
  const toNode = (node: string): Hop => ({ kind: "node", node })
  const start = (branch: string, node: string, method = "BYE") => {
    const via = `SIP/2.0/TLS 192.0.2.1:6084;branch=${branch}`
    const asked = request({ method, via, callId: branch })
    layer.handle({ kind: "start", branch, request: asked, hop: toNode(node), user: { of: branch } }, at(0))
    return asked
  }
  start("z9hG4bKunheard", "dead")
  start("z9hG4bKelsewhere", "alive")
  const ringing = start("z9hG4bKringing", "dead", "INVITE")
  layer.handle(
    { kind: "received", message: makeResponse(ringing, 180, undefined, { toTag: "b" }), flow: tcp },
    at(1),
  )
  const effects = layer.handle({ kind: "node-lost", node: "dead" }, at(2))
  const failed = effects.filter((effect) => effect.kind === "failed")
  assert.deepEqual(failed, [
    {
      kind: "failed",
      branch: "z9hG4bKunheard",
      cause: "transport-failed",
      heard: false,
      reason: "the node lives no more",
      user: { of: "z9hG4bKunheard" },
    },
  ])
})
