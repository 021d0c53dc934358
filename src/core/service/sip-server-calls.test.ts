import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { Farm, type FarmNode, type Phone, statusOf, valuesIn } from "../../../test/support/sip-farm.ts"

const BOB = "sip:bob@example.org"

function farmOf(nodes: number): Farm {
  const farm = new Farm(nodes)
  for (const user of ["alice", "bob"]) farm.addUser(user, "secret")
  return farm
}

interface Call {
  readonly callerRoutes: readonly string[]
  readonly calleeRoutes: readonly string[]
  readonly tags: { readonly from: string; readonly to: string }
}

/** Alice calls Bob, who answers: the route sets that both have then, RFC 3261 §12.1. */
function connect(caller: Phone, callerNode: FarmNode, callee: Phone, calleeNode: FarmNode): Call {
  callee.inbox.length = 0
  caller.ask(callerNode, "INVITE", { uri: BOB, to: `<${BOB}>`, callId: "call-1" })
  const invite = callee.got("INVITE")
  callee.answer(calleeNode, invite, "180 Ringing")
  assert.equal(statusOf(caller.lastAnswer()), 180)
  callee.answer(calleeNode, invite, "200 OK")
  const answer = caller.lastAnswer()
  assert.equal(statusOf(answer), 200, answer)
  return {
    callerRoutes: valuesIn(answer, "Record-Route").toReversed(),
    calleeRoutes: valuesIn(invite, "Record-Route"),
    tags: { from: valuesIn(answer, "From")[0]!, to: valuesIn(answer, "To")[0]! },
  }
}

const bare = (contact: string) => contact.slice(1, -1)

function within(call: Call, by: "caller" | "callee", remote: Phone) {
  const [from, to] = by === "caller" ? [call.tags.from, call.tags.to] : [call.tags.to, call.tags.from]
  const routes = by === "caller" ? call.callerRoutes : call.calleeRoutes
  return {
    uri: bare(remote.contact),
    from,
    to,
    callId: "call-1",
    headers: routes.map((route) => `Route: ${route}`),
  }
}

/** ACK and re-INVITE from the caller, BYE from the callee, all by their routes. */
function talk(call: Call, caller: Phone, callerNode: FarmNode, callee: Phone, calleeNode: FarmNode): void {
  caller.send(callerNode, caller.text("ACK", within(call, "caller", callee)))
  callee.got("ACK")
  caller.send(callerNode, caller.text("INVITE", within(call, "caller", callee)))
  callee.answer(calleeNode, callee.got("INVITE"), "200 OK")
  assert.equal(statusOf(caller.lastAnswer()), 200)
  callee.send(calleeNode, callee.text("BYE", within(call, "callee", caller)))
  const bye = caller.got("BYE")
  assert.deepEqual(valuesIn(bye, "Route"), [])
  caller.answer(callerNode, bye, "200 OK")
  assert.equal(statusOf(callee.lastAnswer()), 200)
}

describe("A call", () => {
  test("between plain UDP phones goes to the Contact, with one short Record-Route", () => {
    const farm = farmOf(1)
    const node = farm.nodes[0]!
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    const bob = farm.phone("bob", "UDP", "192.0.2.2")
    bob.register(node)
    const call = connect(alice, node, bob, node)
    assert.equal(call.calleeRoutes.length, 1)
    assert.match(call.calleeRoutes[0]!, /^<sip:[\w-]{12}@10\.0\.0\.1;lr>$/)
    assert.match(bob.got("INVITE"), /^INVITE sip:bob@192\.0\.2\.2:5060 SIP/)
    talk(call, alice, node, bob, node)
    assert.equal(node.server.statistics.answeredCalls, 1)
  })

  test("between phones on connections takes their flows, in both directions", () => {
    const farm = farmOf(1)
    const node = farm.nodes[0]!
    const alice = farm.phone("alice", "TCP", "192.0.2.1", 40_001)
    const bob = farm.phone("bob", "TLS", "192.0.2.2", 40_002)
    bob.register(node)
    const call = connect(alice, node, bob, node)
    const [top, below] = call.calleeRoutes
    assert.match(top!, /^<sip:[\w-]{30}@10\.0\.0\.1:5061;transport=tls;lr>$/)
    assert.match(below!, /^<sip:[\w-]{30}@10\.0\.0\.1;transport=tcp;lr>$/)
    talk(call, alice, node, bob, node)
  })

  test("between phones at different edges passes from node to node, without a second challenge", () => {
    const farm = farmOf(2)
    const [first, second] = farm.nodes as [FarmNode, FarmNode]
    const alice = farm.phone("alice", "TCP", "192.0.2.1", 40_001)
    const bob = farm.phone("bob", "UDP", "203.0.113.7", 31_000)
    bob.own = { host: "192.168.1.5", port: 5060 }
    bob.register(second)
    second.effects.length = 0
    const call = connect(alice, first, bob, second)
    assert.deepEqual(second.asked(), [], "no second look-up")
    assert.match(call.calleeRoutes[0]!, /^<sip:[\w-]{36}@10\.0\.0\.2;lr>$/)
    assert.match(call.calleeRoutes[1]!, /@10\.0\.0\.1;transport=tcp;lr>$/)
    assert.equal(call.calleeRoutes.length, 2)
    for (const uri of call.calleeRoutes) assert.ok(uri.length - "<sip:@>".length < 100)
    talk(call, alice, first, bob, second)
  })

  test("goes on past a dead node where the other phone can be reached at its Contact", () => {
    const farm = farmOf(2)
    const [first, second] = farm.nodes as [FarmNode, FarmNode]
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    const bob = farm.phone("bob", "TCP", "192.0.2.2", 40_002)
    bob.register(second)
    const call = connect(alice, first, bob, second)
    farm.kill(first)
    bob.send(second, bob.text("BYE", within(call, "callee", alice)))
    alice.answer(second, alice.got("BYE"), "200 OK")
    assert.equal(statusOf(bob.lastAnswer()), 200)
  })

  test("to a phone whose edge is dead rings if it speaks plain UDP, and is 480 if it is bound to a flow", () => {
    const farm = farmOf(2)
    const [first, second] = farm.nodes as [FarmNode, FarmNode]
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    const desk = farm.phone("bob", "UDP", "192.0.2.2")
    const soft = farm.phone("bob", "TCP", "192.0.2.3", 40_002)
    soft.register(second, { callId: "soft" })
    farm.kill(second)
    assert.equal(statusOf(alice.ask(first, "INVITE", { uri: BOB, callId: "c1" })), 480)
    farm.dead.clear()
    desk.register(second, { callId: "desk" })
    farm.kill(second)
    alice.ask(first, "INVITE", { uri: BOB, callId: "c2" })
    desk.answer(first, desk.got("INVITE"), "200 OK")
    assert.equal(statusOf(alice.lastAnswer()), 200)
  })

  test("to a connection that broke learns it from the living edge, and the binding goes", () => {
    const farm = farmOf(2)
    const [first, second] = farm.nodes as [FarmNode, FarmNode]
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    const bob = farm.phone("bob", "TCP", "192.0.2.2", 40_002)
    bob.register(second)
    bob.hangUpConnection(second)
    const refused = statusOf(alice.ask(first, "INVITE", { uri: BOB, callId: "c1" }))
    assert.ok([430, 480].includes(refused), `${refused}`)
    assert.equal(statusOf(alice.ask(first, "INVITE", { uri: BOB, callId: "c2" })), 480)
  })

  test("to who is not registered is 480, to who does not exist 404", () => {
    const farm = farmOf(1)
    const node = farm.nodes[0]!
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    assert.equal(statusOf(alice.ask(node, "INVITE", { uri: BOB, callId: "c1" })), 480)
    assert.equal(statusOf(alice.ask(node, "INVITE", { uri: "sip:nobody@example.org", callId: "c2" })), 404)
    farm.storeFault = "unavailable"
    farm.advance(11_000)
    assert.equal(statusOf(alice.ask(node, "INVITE", { uri: BOB, callId: "c3" })), 503)
  })

  test("by an address of any node, or with an escaped name, reaches the same user", () => {
    const farm = farmOf(2)
    const [first] = farm.nodes as [FarmNode]
    const bob = farm.phone("bob", "UDP", "192.0.2.2")
    bob.register(first)
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    for (const [index, uri] of ["sip:bob@10.0.0.2", "sip:%62ob@EXAMPLE.ORG;user=phone"].entries()) {
      bob.inbox.length = 0
      alice.ask(first, "INVITE", { uri, callId: `c${index}` })
      bob.got("INVITE")
    }
  })
})

describe("A user's phones", () => {
  test("ring all at once, and one instance by its newest flow that works", () => {
    const farm = farmOf(1)
    const node = farm.nodes[0]!
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    const desk = farm.phone("bob", "UDP", "192.0.2.2")
    desk.register(node, { callId: "desk" })
    const flows = [40_001, 40_002].map((port, index) => {
      const flow = farm.phone("bob", "TCP", "192.0.2.3", port)
      const contact = `${flow.contact};+sip.instance="<urn:uuid:1>";reg-id=${index + 1}`
      flow.register(node, { callId: `flow-${index}`, contact })
      flow.inbox.length = 0
      farm.advance(1)
      return flow
    })
    alice.ask(node, "INVITE", { uri: BOB, callId: "c1" })
    desk.got("INVITE")
    flows[1]!.got("INVITE")
    assert.deepEqual(flows[0]!.inbox, [])
    flows[1]!.hangUpConnection(node)
    alice.ask(node, "INVITE", { uri: BOB, callId: "c2" })
    assert.match(flows[0]!.got("INVITE"), /^Call-ID: c2\r$/m)
  })

  test("behind a proxy are reached by the Path that it registered them with", () => {
    const farm = farmOf(1)
    const node = farm.nodes[0]!
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    const bob = farm.phone("bob", "UDP", "192.0.2.2")
    const path = "<sip:token@198.51.100.1;lr>"
    const accepted = bob.register(node, {
      contact: "<sip:bob@192.168.1.9>",
      headers: [`Path: ${path}`, "Supported: path"],
    })
    assert.deepEqual(valuesIn(accepted, "Path"), [path])
    alice.ask(node, "INVITE", { uri: BOB, callId: "c1" })
    const [sent] = node.lost
    assert.ok(sent?.hop.kind === "address" && sent.hop.address.host === "198.51.100.1")
    assert.match(sent.text, /^INVITE sip:bob@192\.168\.1\.9 SIP/)
    assert.deepEqual(valuesIn(sent.text, "Route"), [path])
  })

  test("that subscribe are notified by their flow, and each NOTIFY records its route", () => {
    const farm = farmOf(1)
    const node = farm.nodes[0]!
    const alice = farm.phone("alice", "TCP", "192.0.2.1", 40_001)
    const bob = farm.phone("bob", "UDP", "192.0.2.2")
    bob.register(node)
    alice.ask(node, "SUBSCRIBE", { uri: BOB, to: `<${BOB}>`, callId: "sub", headers: ["Event: dialog"] })
    const subscribe = bob.got("SUBSCRIBE")
    const routes = valuesIn(subscribe, "Record-Route").map((route) => `Route: ${route}`)
    bob.send(
      node,
      bob.text("NOTIFY", {
        uri: bare(alice.contact),
        from: `<${BOB}>;tag=bob`,
        to: valuesIn(subscribe, "From")[0]!,
        callId: "sub",
        headers: [...routes, "Event: dialog", "Subscription-State: active"],
      }),
    )
    assert.equal(valuesIn(alice.got("NOTIFY"), "Record-Route").length, 2)
  })
})

describe("Trust", () => {
  test("a From in our domain has to prove itself, and only as itself", () => {
    const farm = farmOf(1)
    const node = farm.nodes[0]!
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    const bob = farm.phone("bob", "UDP", "192.0.2.2")
    bob.register(node)
    alice.send(node, alice.text("INVITE", { uri: BOB, callId: "c1" }))
    assert.equal(statusOf(alice.lastAnswer()), 407)
    assert.equal(statusOf(alice.ask(node, "INVITE", { uri: BOB, callId: "c2", from: `<${BOB}>;tag=1` })), 403)
    assert.equal(bob.inbox.filter((text) => text.startsWith("INVITE")).length, 0)
  })

  test("a foreign From reaches our users, and nobody else through us", () => {
    const farm = farmOf(1)
    const node = farm.nodes[0]!
    const bob = farm.phone("bob", "UDP", "192.0.2.2")
    bob.register(node)
    const stranger = farm.phone("stranger", "UDP", "198.51.100.1")
    const from = "<sip:stranger@elsewhere.net>;tag=1"
    const headers = ["P-Asserted-Identity: <sip:boss@example.org>", "Remote-Party-ID: <sip:boss@example.org>"]
    stranger.ask(node, "MESSAGE", { uri: BOB, from, callId: "c1", headers })
    const message = bob.got("MESSAGE")
    assert.deepEqual(valuesIn(message, "P-Asserted-Identity"), [])
    assert.deepEqual(valuesIn(message, "Remote-Party-ID"), [])
    const relayed = { uri: "sip:victim@198.51.100.9", from, callId: "c2" }
    assert.equal(statusOf(stranger.ask(node, "INVITE", relayed)), 403)
    assert.equal(node.lost.length, 0)
  })

  test("our users may call out", () => {
    const farm = farmOf(1)
    const node = farm.nodes[0]!
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    alice.ask(node, "INVITE", { uri: "sip:carol@198.51.100.9", callId: "c1" })
    assert.deepEqual(
      node.lost.map(({ hop }) => hop.kind === "address" && hop.address),
      [{ host: "198.51.100.9", port: 5060 }],
    )
  })

  test("a token opens no path but that of its own dialog, and a forged one none", () => {
    const farm = farmOf(1)
    const node = farm.nodes[0]!
    const bob = farm.phone("bob", "UDP", "192.0.2.2")
    bob.register(node)
    const stranger = farm.phone("stranger", "UDP", "198.51.100.1")
    const from = "<sip:stranger@elsewhere.net>;tag=1"
    stranger.ask(node, "INVITE", { uri: BOB, from, callId: "call-1" })
    const [own] = valuesIn(bob.got("INVITE"), "Record-Route")
    const forged = own!.replace(/sip:../, "sip:AA")
    const relay = (route: string, callId: string) =>
      statusOf(
        stranger.ask(node, "MESSAGE", {
          uri: "sip:victim@198.51.100.9",
          from,
          to: "<sip:victim@198.51.100.9>;tag=2",
          callId,
          headers: [`Route: ${route}`],
        }),
      )
    assert.equal(relay(own!, "call-2"), 403)
    assert.equal(relay(forged, "call-1"), 403)
    assert.equal(node.lost.length, 0)
  })

  test("an outbound proxy's plain Route is taken off", () => {
    const farm = farmOf(1)
    const node = farm.nodes[0]!
    const bob = farm.phone("bob", "UDP", "192.0.2.2")
    bob.register(node)
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    alice.ask(node, "INVITE", { uri: BOB, callId: "c1", headers: ["Route: <sip:10.0.0.1;lr>"] })
    assert.deepEqual(valuesIn(bob.got("INVITE"), "Route"), [])
  })
})

describe("A request to the domain itself", () => {
  test("OPTIONS is answered without a password, other methods are not", () => {
    const farm = farmOf(1)
    const node = farm.nodes[0]!
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    const answer = alice.ask(node, "OPTIONS", { uri: "sip:10.0.0.1:5060" })
    assert.equal(statusOf(answer), 200)
    assert.match(valuesIn(answer, "Allow")[0]!, /INVITE.*REGISTER/)
    assert.equal(statusOf(alice.ask(node, "INVITE", { callId: "c1" })), 404)
    assert.equal(statusOf(alice.ask(node, "TELEPORT", { callId: "c2" })), 405)
  })

  test("new calls are 503 while the node refuses work, and calls that stand go on", () => {
    const farm = farmOf(1)
    const node = farm.nodes[0]!
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    const bob = farm.phone("bob", "TCP", "192.0.2.2", 40_002)
    bob.register(node)
    const call = connect(alice, node, bob, node)
    node.refusal = "the node is being drained"
    const refused = alice.ask(node, "INVITE", { uri: BOB, callId: "c2" })
    assert.equal(statusOf(refused), 503)
    assert.equal(valuesIn(refused, "Retry-After").length, 1)
    talk(call, alice, node, bob, node)
  })
})

describe("What is no SIP", () => {
  test("is answered where it can be, and dropped where not; both are counted", () => {
    const farm = farmOf(1)
    const node = farm.nodes[0]!
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    alice.send(node, alice.text("OPTIONS").replace(/CSeq: .*/, "CSeq: none OPTIONS"))
    assert.match(alice.lastAnswer(), /^SIP\/2.0 400 Bad CSeq\r\n/)
    alice.inbox.length = 0
    alice.send(node, "hello")
    assert.deepEqual(alice.inbox, [])
    const counters = node.effects.flatMap((effect) => (effect.kind === "count" ? [effect.counter] : []))
    assert.equal(counters.filter((name) => name === "sip_malformed_total").length, 2)
  })
})

test("a flow of before a restart is no flow of now, whatever its number", () => {
  const farm = farmOf(1)
  const node = farm.nodes[0]!
  const bob = farm.phone("bob", "TCP", "192.0.2.2", 40_002)
  bob.register(node)
  const { connection } = bob.flowTo(node)
  farm.phones.splice(0)
  node.restart()
  const alice = farm.phone("alice", "TCP", "192.0.2.1", 40_001)
  alice.connect(node, connection!)
  assert.equal(statusOf(alice.ask(node, "INVITE", { uri: BOB })), 480)
  assert.equal(farm.bindings.get("bob@example.org")?.size, 0, "the binding is gone")
})
