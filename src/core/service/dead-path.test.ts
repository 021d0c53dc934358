import assert from "node:assert/strict"
import { describe, test } from "node:test"
import {
  DOMAIN,
  Farm,
  type FarmNode,
  type Phone,
  statusOf,
  valuesIn,
} from "../../../test/support/sip-farm.ts"
import type { Transport } from "../sip/transport.ts"
import type { DnsRecord } from "./sip-server-interface.ts"

interface Talk {
  readonly farm: Farm
  readonly nodes: readonly [FarmNode, FarmNode, FarmNode]
  readonly alice: Phone
  readonly bob: Phone
  /** As either end has to send it, apart from method and CSeq. */
  readonly byAlice: { uri: string; to: string; from: string; callId: string; headers: readonly string[] }
  readonly byBob: Talk["byAlice"]
}

/** Alice calls through the first node; Bob is registered at the second and has answered; a third looks on. */
function talk(alices: Transport, bobs: Transport, prepare: (farm: Farm) => void = () => undefined): Talk {
  const farm = new Farm(3)
  prepare(farm)
  farm.advance(1)
  for (const user of ["alice", "bob"]) farm.addUser(user, "secret")
  const nodes = farm.nodes as unknown as Talk["nodes"]
  const [first, second] = nodes
  const alice = farm.phone("alice", alices, "192.0.2.1", alices === "UDP" ? 5060 : 40_001)
  const bob = farm.phone("bob", bobs, "192.0.2.2", bobs === "UDP" ? 5060 : 40_002)
  assert.equal(statusOf(alice.register(first)), 200)
  assert.equal(statusOf(bob.register(second)), 200)
  const uri = `sip:bob@${DOMAIN}`
  alice.ask(first, "INVITE", { uri, to: `<${uri}>`, callId: "call-1" })
  const invite = bob.got("INVITE")
  const answering = bobs === "UDP" ? first : second
  bob.answer(answering, invite, "200 OK")
  const answer = alice.lastAnswer()
  assert.equal(statusOf(answer), 200)
  const [from, to] = [valuesIn(answer, "From")[0]!, valuesIn(answer, "To")[0]!]
  const routes = valuesIn(answer, "Record-Route").map((route) => `Route: ${route}`)
  const headersOfBob = valuesIn(invite, "Record-Route").map((route) => `Route: ${route}`)
  const common = { callId: "call-1" }
  const byAlice = { ...common, uri: bob.contact.slice(1, -1), from, to, headers: routes.toReversed() }
  const byBob = { ...common, uri: alice.contact.slice(1, -1), from: to, to: from, headers: headersOfBob }
  bob.inbox.length = 0
  alice.inbox.length = 0
  return { farm, nodes, alice, bob, byAlice, byBob }
}

/** SRV records of the domain that name the first two nodes, for all transports. */
function nameNodes({ dns }: Farm, hosts = ["10.0.0.1", "10.0.0.2"]): void {
  const to = (port: number): readonly DnsRecord[] =>
    hosts.map((_, index) => ({ type: "SRV", priority: 1, weight: 1, port, target: `n${index}.${DOMAIN}.` }))
  dns.set(`SRV _sip._udp.${DOMAIN}`, to(5060))
  dns.set(`SRV _sip._tcp.${DOMAIN}`, to(5060))
  dns.set(`SRV _sips._tcp.${DOMAIN}`, to(5061))
  for (const [index, address] of hosts.entries()) dns.set(`A n${index}.${DOMAIN}`, [{ type: "A", address }])
}

const routesOf = ({ headers }: Talk["byAlice"]) =>
  headers.map((route) => route.replace(/sip:[\w-]+@/, "sip:…@"))

describe("Record-Route", () => {
  test("names the domain where its SRV records lead to this node, and never moves a phone to another transport", () => {
    const { byAlice } = talk("UDP", "TLS", nameNodes)
    assert.deepEqual(routesOf(byAlice), [
      `Route: <sip:…@${DOMAIN};transport=udp;lr>`,
      `Route: <sip:…@${DOMAIN};transport=tls;lr>`,
    ])
    assert.deepEqual(
      routesOf(talk("TCP", "TCP", nameNodes).byAlice)[0],
      `Route: <sip:…@${DOMAIN};transport=tcp;lr>`,
    )
  })

  test("names the machine where the records lead elsewhere, or to another port of it", () => {
    const elsewhere = talk("UDP", "UDP", (farm) => nameNodes(farm, ["10.0.0.9"]))
    assert.deepEqual(routesOf(elsewhere.byAlice), ["Route: <sip:…@10.0.0.1;lr>"])
    const otherPort = talk("UDP", "UDP", (farm) => {
      nameNodes(farm)
      const record = { type: "SRV", priority: 1, weight: 1, port: 5070, target: `n0.${DOMAIN}` } as const
      farm.dns.set(`SRV _sip._udp.${DOMAIN}`, [record])
    })
    assert.deepEqual(routesOf(otherPort.byAlice), ["Route: <sip:…@10.0.0.1;lr>"])
  })

  test("names the domain within a minute after the records appear, and the machine again when they go", () => {
    const { farm, nodes, alice } = talk("UDP", "UDP")
    const routeNow = () => {
      const uri = `sip:bob@${DOMAIN}`
      const callId = `call-at-${farm.now}`
      alice.ask(nodes[0], "INVITE", { uri, to: `<${uri}>`, callId })
      return valuesIn(farm.phones[1]!.got("INVITE"), "Record-Route")[0]!.replace(/sip:[\w-]+@/, "sip:…@")
    }
    assert.equal(routeNow(), "<sip:…@10.0.0.1;lr>")
    nameNodes(farm)
    farm.advance(60_000)
    assert.equal(routeNow(), `<sip:…@${DOMAIN};transport=udp;lr>`)
    farm.dns.clear()
    farm.advance(60_000)
    assert.equal(routeNow(), "<sip:…@10.0.0.1;lr>")
    assert.deepEqual(
      nodes[0].logged("sip.record-route").map(({ transport, route }) => `${transport} ${route}`),
      ["UDP domain", "TCP domain", "TLS domain", "UDP node", "TCP node", "TLS node"],
    )
  })
})

describe("A request within a call, sent to any node that lives,", () => {
  for (const bobs of ["UDP", "TCP", "TLS"] as const) {
    test(`reaches the caller past its dead node, from a callee by ${bobs}`, () => {
      const { farm, nodes, alice, bob, byBob } = talk("UDP", bobs)
      farm.kill(nodes[0])
      bob.send(nodes[1], bob.text("BYE", { ...byBob, cseq: 7 }))
      assert.match(alice.got("BYE"), /^BYE sip:alice@192\.0\.2\.1:5060 /)
    })
  }

  for (const how of ["the same Contact", "a Contact with the port of its new connection"]) {
    test(`reaches a phone that lost its edge and came back by another node with ${how}`, () => {
      const { farm, nodes, alice, bob, byAlice } = talk("UDP", "TLS")
      farm.kill(nodes[1])
      if (how !== "the same Contact") bob.own = { ...bob.own, port: 40_777 }
      assert.equal(statusOf(bob.register(nodes[2])), 200)
      bob.inbox.length = 0
      alice.send(nodes[0], alice.text("BYE", { ...byAlice, cseq: 7 }))
      bob.answer(nodes[2], bob.got("BYE"), "200 OK")
      assert.equal(statusOf(alice.lastAnswer()), 200)
    })
  }

  test("reaches a phone that came back though its binding at the dead edge still stands under another port", () => {
    const { farm, nodes, alice, bob, byAlice } = talk("UDP", "TLS")
    farm.kill(nodes[1])
    bob.own = { ...bob.own, port: 40_777 }
    assert.equal(statusOf(bob.register(nodes[2])), 200)
    bob.inbox.length = 0
    const uri = byAlice.uri.replace(/:40002/, ":40999")
    assert.notEqual(uri, byAlice.uri)
    alice.send(nodes[0], alice.text("BYE", { ...byAlice, uri, cseq: 7 }))
    bob.answer(nodes[2], bob.got("BYE"), "200 OK")
    assert.equal(statusOf(alice.lastAnswer()), 200)
  })

  test("is not given to a phone that was there before the one whose edge died", () => {
    const farm = new Farm(3)
    farm.advance(1)
    for (const user of ["alice", "bob"]) farm.addUser(user, "secret")
    const [first, second, third] = farm.nodes as unknown as Talk["nodes"]
    const alice = farm.phone("alice", "UDP", "192.0.2.1", 5060)
    const neighbour = farm.phone("bob", "TLS", "192.0.2.2", 40_009)
    assert.equal(statusOf(neighbour.register(third)), 200)
    farm.advance(1_000)
    const bob = farm.phone("bob", "TLS", "192.0.2.2", 40_002)
    assert.equal(statusOf(alice.register(first)), 200)
    assert.equal(statusOf(bob.register(second)), 200)
    const uri = `sip:bob@${DOMAIN}`
    alice.ask(first, "INVITE", { uri, to: `<${uri}>`, callId: "call-1" })
    bob.answer(second, bob.got("INVITE"), "200 OK")
    const answer = alice.lastAnswer()
    const headers = valuesIn(answer, "Record-Route")
      .map((route) => `Route: ${route}`)
      .toReversed()
    const [from, to] = [valuesIn(answer, "From")[0]!, valuesIn(answer, "To")[0]!]
    farm.kill(second)
    neighbour.inbox.length = 0
    const target = bob.contact.slice(1, -1).replace(/:40002/, ":40999")
    alice.send(first, alice.text("BYE", { uri: target, from, to, callId: "call-1", headers, cseq: 7 }))
    assert.deepEqual(neighbour.inbox, [])
  })

  test("reaches a phone that lost its connection and came back by another one to the same node", () => {
    const { nodes, alice, bob, byAlice } = talk("UDP", "TCP")
    bob.hangUpConnection(nodes[1])
    assert.equal(statusOf(bob.register(nodes[1])), 200)
    alice.send(nodes[0], alice.text("BYE", { ...byAlice, cseq: 7 }))
    bob.got("BYE")
  })

  test("reaches a phone whose edge was started anew, when it has registered again", () => {
    const { nodes, alice, bob, byAlice } = talk("UDP", "TCP")
    nodes[1].restart()
    bob.connect(nodes[1], 4_711)
    assert.equal(statusOf(bob.register(nodes[2])), 200)
    alice.send(nodes[0], alice.text("BYE", { ...byAlice, cseq: 7 }))
    bob.answer(nodes[2], bob.got("BYE"), "200 OK")
    assert.equal(statusOf(alice.lastAnswer()), 200)
  })

  test("goes to the Contact where the edge is dead and the phone has not come back", () => {
    const { farm, nodes, alice, byAlice } = talk("UDP", "TCP")
    farm.kill(nodes[1])
    alice.send(nodes[0], alice.text("BYE", { ...byAlice, cseq: 7 }))
    const [sent] = nodes[0].lost
    assert.ok(sent?.hop.kind === "address" && sent.hop.transport === "TCP")
    assert.deepEqual(sent.hop.address, { host: "192.0.2.2", port: 40_002 })
  })

  test("is never given to another phone of the same user", () => {
    const { farm, nodes, alice, byAlice } = talk("UDP", "TLS")
    const other = farm.phone("bob", "TLS", "192.0.2.9", 40_009)
    assert.equal(statusOf(other.register(nodes[2])), 200)
    other.inbox.length = 0
    farm.kill(nodes[1])
    alice.send(nodes[0], alice.text("BYE", { ...byAlice, cseq: 7 }))
    assert.deepEqual(other.inbox, [])
  })

  test("is answered 480 at once where the phone has closed its connection and not come back", () => {
    const { nodes, alice, bob, byBob } = talk("TCP", "UDP")
    alice.hangUpConnection(nodes[0])
    bob.send(nodes[0], bob.text("BYE", { ...byBob, cseq: 7 }))
    assert.equal(statusOf(bob.lastAnswer()), 480)
  })
})
