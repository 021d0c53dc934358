import assert from "node:assert/strict"
import { after, milliseconds, seconds } from "../../src/core/kit/time.ts"
import { copiesComplaint, ringComplaint, usersComplaint } from "../../src/sim/checkers.ts"
import { scenario } from "../../src/sim/scenario.ts"
import type { SimHost } from "../../src/sim/sim-host.ts"
import { addUsers, eventually, phoneOf, register, talk, userNames } from "../../src/sim/telephony.ts"
import type { World } from "../../src/sim/world.ts"
import { expectFound, expectTalk } from "../support/farm-tales.ts"

for (const how of ["reset", "silent"] as const) {
  const title = how === "reset" ? "processes" : "machines"
  scenario(
    `${title} that die one at a time lose no user and no registration`,
    { nodes: 7, seeds: 2 },
    (world) => {
      eventually(world, () => ringComplaint(world))
      const names = userNames(10)
      const phones = names.map((name) => phoneOf(world, world.pick(world.hosts), name))
      for (const [index, phone] of phones.entries()) {
        addUsers(world, world.pick(world.alive), [names[index]!])
        if (index % 2 === 0) kill(world, world.pick(world.alive), how)
        // The phone's own node may be dead: it takes another.
        phone.use(world.pick(world.alive))
        assert.equal(register(world, phone), 200)
        if (world.alive.length < 4) for (const host of world.hosts) if (!host.alive) host.start()
        eventually(world, () => ringComplaint(world) ?? copiesComplaint(world))
      }
      assert.equal(usersComplaint(world, names), undefined)
      for (const phone of phones) expectFound(world, phone)
    },
  )
}

scenario(
  "a phone bound by a flow to a dead node is unreachable until it registers again, and not unknown",
  { nodes: 5, seeds: 6 },
  (world) => {
    const { alice, bob, edge } = farmWithTwo(world, "TCP")
    kill(world, edge, world.pick(["reset", "silent"]))
    assert.equal(talk(world, alice, bob), 480)
    bob.use(world.pick(world.alive))
    assert.equal(register(world, bob), 200)
    expectTalk(world, alice, bob)
  },
)

scenario("a phone on plain UDP stays reachable when its node dies", { nodes: 5, seeds: 6 }, (world) => {
  const { alice, bob, edge } = farmWithTwo(world, "UDP")
  kill(world, edge, world.pick(["reset", "silent"]))
  bob.use(world.pick(world.alive))
  expectTalk(world, alice, bob)
  edge.start()
  eventually(world, () => ringComplaint(world))
  expectTalk(world, alice, bob)
})

scenario(
  "a node that freezes for ten seconds is left alone in 4 s, and is a node again when it thaws",
  { nodes: 4, seeds: 20 },
  (world) => {
    const { alice, bob, edge } = farmWithTwo(world, "UDP")
    edge.freeze()
    const thawsAt = after(world.now, seconds(10))
    world.run(seconds(4))
    const others = world.hosts.filter((host) => host !== edge)
    for (const { host, node } of others)
      assert.ok(!node.status(world.now).nodes.some(({ node: id }) => id === edge.nodeId), host)
    bob.use(world.pick(others))
    expectTalk(world, alice, bob)
    addUsers(world, world.pick(others), ["carol"])
    world.run(milliseconds(thawsAt - world.now))
    edge.thaw()
    eventually(world, () => ringComplaint(world) ?? copiesComplaint(world))
    assert.equal(usersComplaint(world, ["alice", "bob", "carol"]), undefined)
  },
)

/** It is noticed in 3 s. */
function kill(world: World, host: SimHost, how: "reset" | "silent"): void {
  host.crash(how)
  world.run(seconds(3))
}

/** Alice and Bob at different nodes; Bob's is his edge. */
function farmWithTwo(world: World, transport: "UDP" | "TCP") {
  eventually(world, () => ringComplaint(world))
  addUsers(world, world.pick(world.hosts), ["alice", "bob"])
  const [here, edge] = world.shuffle(world.hosts) as [SimHost, SimHost]
  const alice = phoneOf(world, here, "alice")
  const bob = phoneOf(world, edge, "bob", { transport })
  assert.equal(register(world, bob), 200)
  return { alice, bob, edge }
}
