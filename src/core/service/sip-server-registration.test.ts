import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { Farm, statusOf, valuesIn } from "../../../test/support/sip-farm.ts"

function farmOf(nodes: number): Farm {
  const farm = new Farm(nodes)
  for (const user of ["alice", "bob"]) farm.addUser(user, "secret")
  return farm
}

describe("A registration", () => {
  test("is challenged with MD5 alone, and accepted with the right password", () => {
    const farm = farmOf(1)
    const [node] = farm.nodes
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    alice.send(node!, alice.text("REGISTER"))
    const challenge = alice.lastAnswer()
    assert.equal(statusOf(challenge), 401)
    const challenges = valuesIn(challenge, "WWW-Authenticate")
    assert.equal(challenges.length, 1)
    assert.match(challenges[0]!, /^Digest realm="example.org", nonce="[\w-]{32}", algorithm=MD5, qop="auth"$/)
    const accepted = alice.register(node!)
    assert.equal(statusOf(accepted), 200)
    assert.deepEqual(valuesIn(accepted, "Contact"), ["<sip:alice@192.0.2.1:5060>;expires=3600"])
    assert.deepEqual(valuesIn(accepted, "Date"), ["Fri, 15 Jan 2027 08:00:00 GMT"])
    assert.equal(node!.server.statistics.registrations, 1)
  })

  test("with a wrong password and one of a user who does not exist are refused alike", () => {
    const farm = farmOf(1)
    const [node] = farm.nodes
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    const mallory = farm.phone("mallory", "UDP", "192.0.2.2")
    alice.password = "guess"
    const shapes = [alice.register(node!), mallory.register(node!)].map((text) =>
      text.replaceAll(/alice|mallory|nonce="[^"]*"|tag=\w+|192.0.2.\d|branch=\w+/g, ""),
    )
    assert.equal(statusOf(shapes[0]!), 401)
    assert.equal(shapes[0], shapes[1])
    assert.deepEqual(
      node!.logged("sip.refused").map(({ cause }) => cause),
      ["wrong password of alice@example.org", "no such user mallory@example.org"],
    )
    assert.equal(farm.bindings.size, 0)
  })

  test("is refused with 403 after twenty wrong passwords from one address, unless that is trusted", () => {
    for (const trusted of [[], ["192.0.2.0/24"]]) {
      const farm = new Farm(1, { trusted })
      farm.addUser("alice", "secret")
      const alice = farm.phone("alice", "UDP", "192.0.2.1")
      alice.password = "guess"
      const statuses = Array.from({ length: 22 }, () => statusOf(alice.register(farm.nodes[0]!)))
      assert.deepEqual(statuses.slice(0, 19), Array(19).fill(401))
      assert.deepEqual(statuses.slice(19), Array(3).fill(trusted.length > 0 ? 401 : 403))
      alice.password = "secret"
      farm.advance(61_000)
      assert.equal(statusOf(alice.register(farm.nodes[0]!)), 200)
    }
  })

  test("proved by one user is not good for another", () => {
    const farm = farmOf(1)
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    assert.equal(statusOf(alice.register(farm.nodes[0]!, { to: "<sip:bob@example.org>" })), 403)
  })

  test("sees a changed password at once where it is right, and a replay never", () => {
    const farm = farmOf(1)
    const [node] = farm.nodes
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    assert.equal(statusOf(alice.register(node!)), 200)
    farm.addUser("alice", "changed")
    alice.password = "changed"
    assert.equal(statusOf(alice.register(node!)), 200)
    alice.send(node!, alice.text("REGISTER"))
    const credentials = alice.credentials(alice.lastAnswer(), "REGISTER", "sip:example.org")
    alice.send(node!, alice.text("REGISTER", { headers: [credentials] }))
    assert.equal(statusOf(alice.lastAnswer()), 200)
    alice.send(node!, alice.text("REGISTER", { headers: [credentials] }))
    assert.match(alice.lastAnswer(), /^SIP\/2.0 401 [\s\S]*stale=true/)
  })

  test("is accepted by one node with the nonce of another, for five minutes", () => {
    const farm = farmOf(2)
    const [first, second] = farm.nodes
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    const registerAtSecond = (challenge: string) => {
      const credentials = alice.credentials(challenge, "REGISTER", "sip:example.org")
      alice.send(second!, alice.text("REGISTER", { headers: [credentials] }))
      return alice.lastAnswer()
    }
    alice.send(first!, alice.text("REGISTER"))
    const challenge = alice.lastAnswer()
    farm.advance(299_000)
    assert.equal(statusOf(registerAtSecond(challenge)), 200)
    farm.advance(2_000)
    assert.match(registerAtSecond(challenge), /^SIP\/2.0 401 [\s\S]*stale=true/)
  })

  test("that changes nothing is answered from the edge's memory, until the record would end too early", () => {
    const farm = farmOf(1)
    const [node] = farm.nodes
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    alice.register(node!, { headers: ["Expires: 60"] })
    node!.effects.length = 0
    assert.match(alice.register(node!, { headers: ["Expires: 60"] }), /^SIP\/2.0 200 [\s\S]*;expires=60\r\n/)
    assert.deepEqual(node!.asked(), [])
    const stores = []
    for (let refresh = 0; refresh < 6; refresh++) {
      farm.advance(50_000)
      assert.match(alice.register(node!, { headers: ["Expires: 60"] }), /;expires=60\r\n/)
      stores.push(node!.asked().filter((kind) => kind === "store-bindings").length)
    }
    // Promised 240 s: at 200 s less than 60 would be left.
    assert.deepEqual(stores, [0, 0, 0, 1, 1, 1])
  })

  test("from another address, or after a visit to another node, is written again", () => {
    const farm = farmOf(2)
    const [first, second] = farm.nodes
    const alice = farm.phone("alice", "TCP", "192.0.2.1", 40_000)
    for (const node of [first!, second!, first!]) alice.register(node)
    const entries = farm.bindings.get("alice@example.org")!
    const version = (node: string) => entries.get(node)?.bindings[0]?.version ?? 0
    assert.ok(version(first!.id) > version(second!.id), "the phone is at the first node again")
  })

  test("with Contact * removes the bindings of all nodes", () => {
    const farm = farmOf(2)
    const [first, second] = farm.nodes
    const desk = farm.phone("alice", "UDP", "192.0.2.1")
    const soft = farm.phone("alice", "TCP", "192.0.2.2", 40_000)
    desk.register(first!, { callId: "desk" })
    assert.equal(valuesIn(soft.register(second!, { callId: "soft" }), "Contact").length, 2)
    const removed = desk.register(first!, { callId: "desk", contact: "*", headers: ["Expires: 0"] })
    assert.equal(statusOf(removed), 200)
    assert.deepEqual(valuesIn(removed, "Contact"), [])
    assert.deepEqual(valuesIn(soft.register(second!, { callId: "soft", contact: "" }), "Contact"), [])
    assert.equal(statusOf(desk.register(first!, { contact: "*", headers: ["Expires: 1"] })), 400)
  })

  test("removed at another node than its own stays removed", () => {
    const farm = farmOf(2)
    const [first, second] = farm.nodes
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    alice.register(first!)
    assert.deepEqual(valuesIn(alice.register(second!, { headers: ["Expires: 0"] }), "Contact"), [])
    const bob = farm.phone("bob", "UDP", "192.0.2.9")
    assert.equal(statusOf(bob.ask(first!, "MESSAGE", { uri: "sip:alice@example.org" })), 480)
  })

  test("too brief, out of order or with unknown requirements is refused", () => {
    const farm = farmOf(1)
    const [node] = farm.nodes
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    const brief = alice.register(node!, { headers: ["Expires: 29"] })
    assert.equal(statusOf(brief), 423)
    assert.deepEqual(valuesIn(brief, "Min-Expires"), ["30"])
    assert.equal(statusOf(alice.register(node!, { cseq: 50 })), 200)
    assert.equal(statusOf(alice.register(node!, { cseq: 40 })), 500)
    const extended = alice.register(node!, { headers: ["Require: path, teleport"] })
    assert.equal(statusOf(extended), 420)
    assert.deepEqual(valuesIn(extended, "Unsupported"), ["teleport"])
  })

  test("is 503 with the cause where the fabric cannot answer, or does not", () => {
    const farm = farmOf(1)
    const [node] = farm.nodes
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    farm.storeFault = "unavailable"
    const refused = alice.register(node!)
    assert.equal(statusOf(refused), 503)
    assert.deepEqual(valuesIn(refused, "Warning"), ['399 example.org "no holder answers"'])
    assert.deepEqual(valuesIn(refused, "Retry-After"), ["5"])
    farm.storeFault = "silent"
    alice.register(node!)
    assert.notEqual(statusOf(alice.lastAnswer()), 503)
    farm.advance(5_000)
    assert.equal(statusOf(alice.lastAnswer()), 503)
    farm.storeFault = undefined
    assert.equal(statusOf(alice.register(node!)), 200)
    node!.refusal = "the node is being drained"
    assert.deepEqual(valuesIn(alice.register(node!), "Warning"), [
      '399 example.org "the node is being drained"',
    ])
  })

  test("ends for the whole fabric when it is not refreshed, or its connection breaks", () => {
    const farm = farmOf(1)
    const [node] = farm.nodes
    const desk = farm.phone("alice", "UDP", "192.0.2.1")
    const soft = farm.phone("alice", "TCP", "192.0.2.2", 40_000)
    desk.register(node!, { callId: "desk", headers: ["Expires: 60"] })
    soft.register(node!, { callId: "soft" })
    const contacts = () =>
      [...(farm.bindings.get("alice@example.org")?.values() ?? [])].flatMap(({ bindings }) =>
        bindings.map(({ contact }) => contact),
      )
    farm.advance(61_000)
    assert.deepEqual(contacts(), ["sip:alice@192.0.2.2:40000;transport=tcp"])
    soft.hangUpConnection(node!)
    farm.advance(6_000)
    assert.deepEqual(contacts(), [])
    assert.equal(node!.server.statistics.registrations, 0)
  })

  test("behind a NAT lasts at most 120 s and is kept open by its edge", () => {
    const farm = farmOf(1)
    const [node] = farm.nodes
    const alice = farm.phone("alice", "UDP", "203.0.113.7", 31_000)
    alice.own = { host: "192.168.1.5", port: 5060 }
    const accepted = alice.register(node!)
    assert.deepEqual(valuesIn(accepted, "Contact"), ["<sip:alice@192.168.1.5:5060>;expires=120"])
    alice.inbox.length = 0
    farm.advance(51_000)
    assert.deepEqual(alice.inbox, ["\r\n\r\n", "\r\n\r\n"])
  })

  test("of an instance's flow replaces the flow's old contact, and says that outbound applies", () => {
    const farm = farmOf(1)
    const [node] = farm.nodes
    const alice = farm.phone("alice", "TCP", "192.0.2.1", 40_000)
    const contact = (port: number, id: number) =>
      `<sip:alice@192.0.2.1:${port};transport=tcp>;reg-id=${id};+sip.instance="<urn:uuid:1>"`
    const headers = ["Supported: path, outbound"]
    assert.deepEqual(valuesIn(alice.register(node!, { contact: contact(1, 1), headers }), "Require"), [
      "outbound",
    ])
    alice.register(node!, { contact: contact(2, 2), headers })
    const accepted = alice.register(node!, { contact: contact(3, 1), headers })
    assert.deepEqual(
      valuesIn(accepted, "Contact")
        .map((value) => value.slice(0, 23))
        .toSorted(),
      ["<sip:alice@192.0.2.1:2;", "<sip:alice@192.0.2.1:3;"],
    )
  })
})
