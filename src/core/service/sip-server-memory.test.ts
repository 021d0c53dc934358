import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { Farm, type FarmNode, type Phone, statusOf } from "../../../test/support/sip-farm.ts"

const ALICE = "alice@example.org"

interface Scene {
  readonly farm: Farm
  readonly first: FarmNode
  readonly second: FarmNode
  readonly alice: Phone
  readonly bob: Phone
}

/** Alice is registered at the first node. */
function scene(): Scene {
  const farm = new Farm(2)
  for (const user of ["alice", "bob"]) farm.addUser(user, "secret")
  const [first, second] = farm.nodes as [FarmNode, FarmNode]
  const alice = farm.phone("alice", "UDP", "192.0.2.1")
  const bob = farm.phone("bob", "UDP", "192.0.2.2")
  assert.equal(statusOf(alice.register(first)), 200)
  first.effects.length = 0
  return { farm, first, second, alice, bob }
}

function clearAtOtherNode({ farm, second }: Scene): void {
  farm.advance(1)
  const other = farm.phone("alice", "UDP", "192.0.2.9")
  const answer = other.register(second, { contact: "*", headers: ["Expires: 0"], callId: "other" })
  assert.equal(statusOf(answer), 200)
  farm.advance(1)
}

/** As `carillon user remove` does at another node. */
function removeUser({ farm, second }: Scene): void {
  farm.subscribers.delete(ALICE)
  const cleared = { bindings: [], tombstones: [], clearedBefore: farm.now + 1 }
  farm.bindings.get(ALICE)?.set(second.id, cleared)
  farm.advance(2)
}

let calls = 0

/** What becomes of a call to Alice: the status, or "rings". */
function call({ second, alice, bob }: Scene): number | "rings" {
  alice.inbox.length = 0
  const answer = bob.ask(second, "INVITE", { uri: `sip:${ALICE}`, callId: `call-${++calls}` })
  return alice.inbox.some((text) => text.startsWith("INVITE")) ? "rings" : statusOf(answer)
}

describe("A 200 from the edge's memory", () => {
  test("after another node's Contact * is made true: the phone rings again", () => {
    const it = scene()
    clearAtOtherNode(it)
    assert.equal(call(it), 480)
    assert.equal(statusOf(it.alice.register(it.first)), 200)
    assert.deepEqual(it.first.asked(), [], "from memory")
    it.farm.advance(30_000)
    assert.equal(call(it), "rings")
  })

  test("brings nothing back that was removed after it", () => {
    const it = scene()
    it.farm.advance(10_000)
    assert.equal(statusOf(it.alice.register(it.first)), 200)
    clearAtOtherNode(it)
    it.farm.advance(30_000)
    assert.equal(call(it), 480)
    assert.equal(statusOf(it.alice.register(it.first)), 200)
    assert.ok(it.first.asked().includes("store-bindings"), "the memory was dropped")
    assert.equal(call(it), "rings")
  })

  test("never stands for a user who was removed, nor when the name is given out again", () => {
    const it = scene()
    it.farm.advance(5_000)
    it.alice.register(it.first)
    removeUser(it)
    assert.equal(statusOf(it.alice.register(it.first)), 200, "the password is remembered for a moment")
    it.farm.advance(30_000)
    assert.equal(call(it), 404)
    it.farm.addUser("alice", "secret")
    it.farm.advance(1_000)
    assert.equal(call(it), 480)
    it.first.effects.length = 0
    assert.equal(statusOf(it.alice.register(it.first)), 200)
    assert.ok(it.first.asked().includes("store-bindings"), "nothing was remembered of the user before")
    assert.equal(call(it), "rings")
  })

  test("is forgotten as soon as the fabric says that there is no such user", () => {
    const it = scene()
    removeUser(it)
    it.farm.advance(11_000)
    assert.equal(statusOf(it.alice.register(it.first)), 401)
    assert.equal(it.first.server.statistics.registrations, 0)
  })

  test("costs no store, and the fabric one look in thirty seconds however often the phone refreshes", () => {
    const it = scene()
    for (let second = 0; second < 120; second++) {
      it.farm.advance(1_000)
      assert.equal(statusOf(it.alice.register(it.first)), 200)
    }
    const asked = it.first.asked()
    assert.ok(!asked.includes("store-bindings"))
    assert.equal(asked.filter((kind) => kind === "find-bindings").length, 4)
  })

  test("is looked into again later where the fabric cannot answer", () => {
    const it = scene()
    clearAtOtherNode(it)
    it.alice.register(it.first)
    it.farm.storeFault = "unavailable"
    it.farm.advance(40_000)
    it.farm.storeFault = undefined
    it.farm.advance(30_000)
    assert.equal(call(it), "rings")
  })

  test("given to one phone stands also when another of the user's registers next", () => {
    const it = scene()
    clearAtOtherNode(it)
    it.alice.register(it.first)
    const desk = it.farm.phone("alice", "UDP", "192.0.2.3")
    assert.equal(statusOf(desk.register(it.first, { callId: "desk" })), 200)
    assert.equal(call(it), "rings")
  })
})

test("who was removed binds no phone, though the password is still remembered", () => {
  const it = scene()
  it.farm.advance(2_000)
  removeUser(it)
  const moved = it.alice.register(it.first, { contact: "<sip:alice@192.0.2.1:5099>" })
  assert.equal(statusOf(moved), 404)
  assert.equal(call(it), 404)
})

test("no connection between nodes stands for a password: a REGISTER that comes over one is challenged", () => {
  const { farm, first, second, alice } = scene()
  const flow = { ...alice.flowTo(first), transport: "TLS", connection: 7, node: second.id } as const
  const forged = alice.text("REGISTER", { to: "<sip:bob@example.org>", callId: "forged" })
  first.handle({ kind: "received", flow, bytes: new Uint8Array(Buffer.from(forged, "latin1")) })
  assert.equal(farm.bindings.has("bob@example.org"), false)
})

describe("what anybody may ask without end", () => {
  test("OPTIONS and a first REGISTER are answered anew when they are repeated, under one tag", () => {
    const farm = new Farm(1)
    farm.addUser("alice", "secret")
    const node = farm.nodes[0]!
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    for (const [method, status] of [
      ["OPTIONS", 200],
      ["REGISTER", 401],
    ] as const) {
      const text = alice.text(method)
      for (let i = 0; i < 3; i++) alice.send(node, text)
      assert.deepEqual(alice.inbox.map(statusOf), [status, status, status])
      const tags = new Set(alice.inbox.map((answer) => /^To:.*;tag=(.+)$/m.exec(answer)?.[1]))
      assert.equal(tags.size, 1)
      // Each challenge is a new one: none was remembered to be said again.
      const nonces = alice.inbox.flatMap((answer) => /nonce="(.+?)"/.exec(answer)?.[1] ?? [])
      assert.equal(new Set(nonces).size, method === "REGISTER" ? 3 : 0)
      alice.inbox.length = 0
    }
  })

  test("a wrong password is judged once, however often the network repeats it", () => {
    const farm = new Farm(1)
    farm.addUser("alice", "secret")
    const node = farm.nodes[0]!
    const alice = farm.phone("alice", "UDP", "192.0.2.1")
    alice.password = "guess"
    alice.send(node, alice.text("REGISTER"))
    const wrong = alice.text("REGISTER", {
      headers: [alice.credentials(alice.lastAnswer(), "REGISTER", "sip:example.org")],
    })
    node.effects.length = 0
    for (let i = 0; i < 3; i++) alice.send(node, wrong)
    assert.equal(node.logged("sip.refused").length, 1)
    assert.equal(alice.inbox.length, 4)
  })
})
