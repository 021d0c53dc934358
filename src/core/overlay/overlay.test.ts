import assert from "node:assert/strict"
import { test } from "node:test"
import { World } from "../../../test/support/overlay-world.ts"

const names = (count: number) => Array.from({ length: count }, (_, i) => `user${i}`)

test("a node without bootstrap addresses is the fabric, and serves at once", () => {
  const world = new World()
  const [node] = world.ring(1)
  assert.deepEqual(node!.store("alice", "here"), {
    kind: "stored",
    copies: 1,
    path: { responder: node!.id, hops: 0, took: 5 },
  })
  assert.equal(node!.fetch("alice"), "here")
  assert.equal(node!.fetch("bob"), "absent")
})

for (const count of [2, 3, 8])
  test(`${count} nodes agree who is responsible, and what is stored on one is read on every other at once`, () => {
    const world = new World({ seed: count })
    const nodes = world.ring(count)
    for (const node of nodes) assert.equal(node.overlay.status.peers.length, count - 1)
    for (const [index, name] of names(20).entries()) {
      const writer = nodes[index % count]!
      const result = writer.store(name, name)
      assert.ok(result.kind === "stored")
      assert.equal(result.copies, Math.min(3, count))
      const holders = writer.overlay.holders(writer.resource(name))
      for (const node of nodes) {
        assert.deepEqual(node.overlay.holders(node.resource(name)), holders)
        assert.equal(node.records.has(writer.resource(name)), holders.includes(node.id))
      }
      for (const node of nodes) assert.equal(node.fetch(name), name)
    }
  })
