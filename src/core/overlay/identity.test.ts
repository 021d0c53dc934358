import assert from "node:assert/strict"
import { test } from "node:test"
import { World, type WorldNode } from "../../../test/support/overlay-world.ts"
import { after, before, minutes, seconds } from "../kit/time.ts"
import { ENROLMENT_LOG } from "../storage/kinds.ts"

const HOUR = minutes(60)

/** A new certificate of the same node, as enrolment issues it. */
const renewed = (world: World, node: WorldNode, roles: readonly string[]) =>
  world.authority.issue({
    nodeId: node.id,
    roles,
    notBefore: before(world.now, HOUR),
    notAfter: after(world.now, HOUR),
  })

const rolesSeenBy = (observer: WorldNode, node: WorldNode) =>
  observer.overlay.status.peers.find((peer) => peer.node === node.id)?.certificate.roles

const use = (text: string) => ({
  kind: ENROLMENT_LOG.id,
  value: {
    model: "dictionary",
    key: new Uint8Array(32),
    exists: true,
    value: new TextEncoder().encode(text),
  },
  lifetime: 60,
})

test("a node that gets a new certificate keeps its links, and all others know the new roles at once", () => {
  const world = new World({ seed: 3 })
  const nodes = world.ring(5)
  const [first, second] = nodes as [WorldNode, WorldNode]
  second.store("alice", "before")
  for (const node of nodes) node.effects = []
  const write = () => {
    const ticket = second.ask({ kind: "store", resource: second.resource("log"), values: [use("x")] })
    return second.answer(ticket, "stored").result.kind
  }
  assert.equal(write(), "failed", "a Kind that the old certificate has no role for")
  second.give({ kind: "identity", identity: renewed(world, second, ["provisioner", "enrolment"]) })
  world.run(50)
  for (const node of nodes)
    if (node !== second) assert.deepEqual(rolesSeenBy(node, second), ["provisioner", "enrolment"])
  assert.equal(write(), "stored")
  second.store("bob", "after")
  for (const node of nodes) {
    assert.equal(node.fetch("alice"), "before")
    assert.equal(node.fetch("bob"), "after")
    assert.ok(!node.effects.some(({ kind }) => kind === "peer-down" || kind === "close-link"))
  }
  assert.deepEqual(rolesSeenBy(second, first), ["provisioner", "registrar"])
})

test("an older certificate of a node does not take the place of its newer one", () => {
  const world = new World({ seed: 4 })
  const [first, second] = world.ring(2) as [WorldNode, WorldNode]
  second.give({ kind: "identity", identity: renewed(world, second, ["provisioner", "enrolment"]) })
  world.run(50)
  second.give({ kind: "identity", identity: second.identity })
  assert.equal(second.store("alice", "here").kind, "stored")
  assert.deepEqual(rolesSeenBy(first, second), ["provisioner", "enrolment"])
})

test("what a node held when it was asked for everything restores another one", () => {
  const world = new World({ seed: 5 })
  const [node] = world.ring(1) as [WorldNode]
  for (const name of ["alice", "bob"]) node.store(name, name)
  const copy = world.add()
  const all = node.overlay.snapshot()
  copy.start([], all)
  assert.equal(copy.fetch("alice"), "alice")
  assert.equal(copy.fetch("bob"), "bob")
  assert.equal(all.filter(({ kind }) => kind === "certificate").length, 1)
})

test("what a node wrote is read on when its certificate has ended, however short it lasts", () => {
  const world = new World({ seed: 6 })
  const nodes = world.ring(3)
  const [first, second] = nodes as [WorldNode, WorldNode]
  const life = seconds(90)
  const renew = () => {
    for (const node of nodes) {
      const notBefore = world.now
      const roles = ["provisioner"]
      const identity = world.authority.issue({
        nodeId: node.id,
        roles,
        notBefore,
        notAfter: after(notBefore, life),
      })
      node.give({ kind: "identity", identity })
    }
  }
  renew()
  world.run(50)
  for (const name of ["alice", "bob", "carol"]) assert.equal(first.store(name, name).kind, "stored")
  for (let renewals = 0; renewals < 4; renewals++) {
    world.run(seconds(35))
    for (const node of nodes)
      for (const name of ["alice", "bob", "carol"])
        assert.equal(node.fetch(name), name, `after ${renewals} renewals`)
    world.run(seconds(26))
    renew()
  }
  assert.equal(second.store("dave", "dave").kind, "stored")
})
