import assert from "node:assert/strict"
import { describe, test } from "node:test"
import fc from "fast-check"
import { Farm, type FarmNode, type Phone, statusOf, valuesIn } from "../../../test/support/sip-farm.ts"
import type { Transport } from "../sip/transport.ts"

const BOB = "sip:bob@example.org"

interface Scene {
  readonly farm: Farm
  readonly first: FarmNode
  readonly second: FarmNode
  readonly alice: Phone
  /** At the second node, by a flow. */
  readonly bob: Phone
}

function scene(alices: Transport = "UDP", bobs: Transport = "TLS"): Scene {
  const farm = new Farm(2)
  for (const user of ["alice", "bob"]) farm.addUser(user, "secret")
  const [first, second] = farm.nodes as [FarmNode, FarmNode]
  const alice = farm.phone("alice", alices, "192.0.2.1", alices === "UDP" ? 5060 : 40_001)
  const bob = farm.phone("bob", bobs, "203.0.113.7", 31_000)
  if (bobs === "UDP") bob.own = { host: "192.168.1.5", port: 5060 }
  assert.equal(statusOf(bob.register(second)), 200)
  bob.inbox.length = 0
  return { farm, first, second, alice, bob }
}

/** The INVITE as Alice sent it, with her password. */
function invite({ first, alice }: Scene, headers: readonly string[] = []): string {
  const parts = { uri: BOB, to: `<${BOB}>`, callId: "call-1" }
  alice.send(first, alice.text("INVITE", parts))
  const challenge = alice.lastAnswer()
  const to = valuesIn(challenge, "To")[0]!
  alice.send(first, alice.text("ACK", { ...parts, to, branch: "z9hG4bKalice1" }))
  const credentials = alice.credentials(challenge, "INVITE", BOB)
  const text = alice.text("INVITE", { ...parts, headers: [credentials, ...headers] })
  alice.inbox.length = 0
  alice.send(first, text)
  return text
}

/** The CANCEL for that INVITE. RFC 3261 §9.1. */
function cancelOf(text: string): string {
  const kept = text.split("\r\n").filter((line) => /^(Via|From|To|Call-ID|Max-Forwards):/.test(line))
  const cseq = /^CSeq: (\d+)/m.exec(text)![1]
  return [`CANCEL ${BOB} SIP/2.0`, ...kept, `CSeq: ${cseq} CANCEL`, "Content-Length: 0", "", ""].join("\r\n")
}

const finals = (phone: Phone, method: string) =>
  phone.inbox.filter((text) => statusOf(text) >= 200 && text.includes(` ${method}\r\n`)).map(statusOf)

describe("An INVITE that crosses two nodes", () => {
  for (const [alices, bobs] of [
    ["TLS", "TLS"],
    ["TCP", "TCP"],
    ["UDP", "TLS"],
    ["TLS", "UDP"],
  ] as const) {
    test(`from ${alices} to ${bobs} gets no more than 300 bytes of ours, in tokens of at most 60`, (t) => {
      const it = scene(alices, bobs)
      const sent = new Set(invite(it).split("\r\n"))
      const got = it.bob.got("INVITE")
      const added = got.split("\r\n").filter((line) => !sent.has(line))
      // What any server does: the contact as Request-URI, a hop counted, and the caller's Via marked.
      const ours = added.filter((line) => !/^(INVITE|Max-Forwards:|Via: [^;]*192\.0\.2\.1:)/.test(line))
      const bytes = ours.reduce((sum, line) => sum + line.length + 2, 0)
      t.diagnostic(`${bytes} bytes`)
      assert.ok(bytes <= 300, `${bytes} bytes:\n${ours.join("\n")}`)
      assert.equal(ours.length, 5, ours.join("\n"))
      for (const value of valuesIn(got, "Record-Route")) {
        const token = /^<sip:([\w-]+)@/.exec(value)![1]!
        assert.ok(token.length <= 60)
      }
    })
  }

  test("stays UDP for phones that speak UDP, however long it is", () => {
    const it = scene("UDP", "UDP")
    const body = Array.from({ length: 40 }, (_, line) => `X-Long-${line}: ${"x".repeat(60)}`)
    invite(it, body)
    const got = it.bob.got("INVITE")
    assert.ok(got.length > 2_600)
    it.bob.answer(it.second, got, "200 OK")
    for (const text of [got, it.alice.lastAnswer()]) {
      const routes = valuesIn(text, "Record-Route")
      assert.equal(routes.length, 2)
      for (const route of routes) assert.doesNotMatch(route, /transport=|sips:/)
    }
    assert.match(valuesIn(got, "Via")[0]!, /^SIP\/2\.0\/UDP /)
  })

  test("and is cancelled rings no more: 200 for the CANCEL, 487 for the INVITE", () => {
    const it = scene()
    const text = invite(it)
    it.bob.answer(it.second, it.bob.got("INVITE"), "180 Ringing")
    it.alice.send(it.first, cancelOf(text))
    assert.deepEqual(finals(it.alice, "CANCEL"), [200])
    it.bob.answer(it.second, it.bob.got("CANCEL"), "200 OK")
    it.bob.answer(it.second, it.bob.got("INVITE"), "487 Request Terminated")
    assert.deepEqual(finals(it.alice, "INVITE"), [487])
    it.bob.got("ACK")
  })

  test("and is cancelled before the phone has said anything waits for that with its CANCEL", () => {
    const it = scene()
    it.alice.send(it.first, cancelOf(invite(it)))
    assert.ok(!it.bob.inbox.some((text) => text.startsWith("CANCEL")))
    it.bob.answer(it.second, it.bob.got("INVITE"), "180 Ringing")
    it.bob.got("CANCEL")
  })

  test("and is answered while its CANCEL is on the way is a call, and can be ended", () => {
    const it = scene()
    const text = invite(it)
    const ringing = it.bob.got("INVITE")
    it.bob.answer(it.second, ringing, "180 Ringing")
    it.alice.send(it.first, cancelOf(text))
    it.bob.answer(it.second, ringing, "200 OK")
    it.bob.answer(it.second, it.bob.got("CANCEL"), "481 No Such Call")
    assert.deepEqual(finals(it.alice, "INVITE"), [200])
  })

  test("goes on while the nodes drain: answers, ACK, CANCEL and BYE pass", () => {
    const it = scene()
    const text = invite(it)
    for (const node of it.farm.nodes) node.refusal = "the node is being drained"
    it.bob.answer(it.second, it.bob.got("INVITE"), "200 OK")
    const answer = it.alice.lastAnswer()
    assert.equal(statusOf(answer), 200)
    const within = {
      uri: it.bob.contact.slice(1, -1),
      to: valuesIn(answer, "To")[0]!,
      callId: "call-1",
      headers: valuesIn(answer, "Record-Route")
        .toReversed()
        .map((route) => `Route: ${route}`),
    }
    it.alice.send(it.first, it.alice.text("ACK", within))
    it.bob.got("ACK")
    it.alice.send(it.first, it.alice.text("BYE", within))
    it.bob.answer(it.second, it.bob.got("BYE"), "200 OK")
    assert.deepEqual(finals(it.alice, "BYE"), [200])
    it.alice.inbox.length = 0
    const late = text.replaceAll("call-1", "call-2").replace(/branch=\w+/, "branch=z9hG4bKlate")
    it.alice.send(it.first, late)
    assert.deepEqual(finals(it.alice, "INVITE"), [503])
  })

  test("can be cancelled though the nodes have begun to drain", () => {
    const it = scene()
    const text = invite(it)
    it.bob.answer(it.second, it.bob.got("INVITE"), "180 Ringing")
    for (const node of it.farm.nodes) node.refusal = "the node is being drained"
    it.alice.send(it.first, cancelOf(text))
    it.bob.got("CANCEL")
    assert.deepEqual(finals(it.alice, "CANCEL"), [200])
  })
})

test("a draining node takes no calls to other domains either", () => {
  const { first, alice } = scene()
  first.refusal = "the node is being drained"
  const answer = alice.ask(first, "INVITE", { uri: "sip:carol@198.51.100.9", callId: "out" })
  assert.equal(statusOf(answer), 503)
  assert.match(answer, /Warning: 399 example\.org "the node is being drained"/)
})

test("a request within a call goes past a node that cannot be reached, by its Request-URI", () => {
  const it = scene("UDP", "UDP")
  invite(it)
  it.bob.answer(it.second, it.bob.got("INVITE"), "200 OK")
  const answer = it.alice.lastAnswer()
  it.farm.unreachable.add(it.second.id)
  it.alice.send(
    it.first,
    it.alice.text("BYE", {
      uri: it.bob.contact.slice(1, -1),
      to: valuesIn(answer, "To")[0]!,
      callId: "call-1",
      headers: valuesIn(answer, "Record-Route")
        .toReversed()
        .map((route) => `Route: ${route}`),
    }),
  )
  const [sent] = it.first.lost
  assert.ok(sent?.hop.kind === "address" && sent.hop.address.host === "192.168.1.5")
  assert.match(sent.text, /^BYE sip:bob@192\.168\.1\.5:5060 /)
})

describe("A call to another domain", () => {
  test("goes where NAPTR, SRV and address records say, and on to the next server", () => {
    const { farm, first, alice } = scene()
    const naptr = { type: "NAPTR", order: 10, preference: 10, flags: "s", service: "SIP+D2U" } as const
    farm.dns.set("NAPTR elsewhere.net", [{ ...naptr, replacement: "_sip._udp.elsewhere.net." }])
    farm.dns.set("SRV _sip._udp.elsewhere.net", [
      { type: "SRV", priority: 20, weight: 0, port: 5070, target: "b.elsewhere.net." },
      { type: "SRV", priority: 10, weight: 0, port: 5080, target: "a.elsewhere.net" },
    ])
    farm.dns.set("A a.elsewhere.net", [{ type: "A", address: "198.51.100.1" }])
    farm.dns.set("A b.elsewhere.net", [{ type: "A", address: "198.51.100.2" }])
    alice.ask(first, "INVITE", { uri: "sip:carol@elsewhere.net", callId: "out" })
    farm.advance(32_000)
    const places = first.lost.map(
      ({ hop }) => hop.kind === "address" && { ...hop.address, by: hop.transport },
    )
    assert.deepEqual(places[0], { host: "198.51.100.1", port: 5080, by: "UDP" })
    assert.deepEqual(places.at(-1), { host: "198.51.100.2", port: 5070, by: "UDP" })
    assert.match(first.lost[0]!.text, /^INVITE sip:carol@elsewhere\.net SIP/)
  })

  test("that does not exist is refused, and the log says why, once", () => {
    const { first, alice } = scene()
    const answer = alice.ask(first, "INVITE", { uri: "sip:carol@nowhere.net", callId: "out" })
    assert.equal(statusOf(answer), 500)
    assert.deepEqual(
      first.logged("sip.refused").map(({ status, cause }) => ({ status, cause })),
      [{ status: 500, cause: "sip:carol@nowhere.net: the name system knows no way" }],
    )
  })
})

/** What may happen between the INVITE and its end, in any order. */
const EVENTS = ["ring", "answer", "decline", "cancel", "busy", "repeat", "time", "break"] as const

test("whatever phones and nodes do in whatever order, the caller hears one end, and no state stays", () => {
  const events = fc.array(fc.constantFrom(...EVENTS), { maxLength: 8 })
  fc.assert(
    fc.property(events, (plan) => {
      const it = scene()
      const text = invite(it)
      const ringing = it.bob.got("INVITE")
      let isBroken = false
      for (const event of plan) {
        if (event === "cancel") it.alice.send(it.first, cancelOf(text))
        else if (event === "repeat") it.alice.send(it.first, text)
        else if (event === "time") it.farm.advance(700)
        else if (isBroken) continue
        else if (event === "break") {
          isBroken = true
          it.bob.hangUpConnection(it.second)
        } else {
          const status = {
            ring: "180 Ringing",
            answer: "200 OK",
            decline: "603 Decline",
            busy: "486 Busy Here",
          }
          it.bob.answer(it.second, ringing, status[event])
        }
      }
      it.farm.advance(300_000)
      const ends = new Set(finals(it.alice, "INVITE"))
      assert.equal(ends.size, 1, `${[...ends]}`)
      it.farm.advance(100_000)
      for (const { server } of it.farm.nodes)
        assert.deepEqual([server.statistics.pendingInvites, server.statistics.pendingTransactions], [0, 0])
    }),
    { numRuns: 60 },
  )
})
