import assert from "node:assert/strict"
import { test } from "node:test"
import { World } from "../../../test/support/overlay-world.ts"

test("in a ring with tables alone, who is not linked is reached over others, and its answers come back over the same", () => {
  const world = new World({ seed: 3, fullMeshLimit: 0 })
  const nodes = world.ring(20)
  let far = 0
  for (const node of nodes) {
    const linked = new Set(node.overlay.status.peers.map((peer) => peer.node))
    for (const other of nodes) {
      if (other === node || linked.has(other.id)) continue
      far++
      const answer = node.answer(node.ask({ kind: "ping", node: other.id }), "pinged")
      assert.equal(answer.result.kind, "alive", `${node.id} to ${other.id}`)
    }
  }
  assert.ok(far > 20, `${far} pairs are not linked`)
})
