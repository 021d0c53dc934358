import assert from "node:assert/strict"
import { test } from "node:test"
import { World, type WorldNode } from "../../../test/support/overlay-world.ts"

test("a record that has its place elsewhere is kept until its holders have it on disk", () => {
  const world = new World({ seed: 4 })
  const nodes = world.ring(6)
  assert.equal(nodes[0]!.store("alice", "here").kind, "stored")
  const resource = nodes[0]!.resource("alice")
  const holders = nodes[0]!.overlay.holders(resource)
  const keeper = nodes.find(({ id }) => !holders.includes(id))!
  const others = nodes.filter((node) => node !== keeper)
  const record = others.find(({ id }) => id === holders[0])!.overlay.snapshot()
  const holds = (node: WorldNode) =>
    node.overlay.snapshot().some((change) => change.kind === "put" && change.resource === resource)

  // It alone comes back with the record, and those whose it is cannot write.
  for (const node of nodes) node.crash()
  for (const node of others) {
    node.isDiskFull = true
    node.start(node === others[0] ? [] : [others[0]!.address], [])
  }
  world.until(() => others.every(({ overlay }) => overlay.status.state === "joined"), "joined")
  keeper.start([others[0]!.address], record)
  world.until(() => keeper.overlay.status.state === "joined", "joined")
  world.run(5_000)
  assert.ok(holds(keeper), "nobody else has it on disk")

  for (const node of others) node.isDiskFull = false
  world.until(() => !holds(keeper), "let go of", 60_000)
  for (const node of others) if (holders.includes(node.id)) assert.ok(holds(node), node.id)
})
