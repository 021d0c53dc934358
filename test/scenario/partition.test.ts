import assert from "node:assert/strict"
import { seconds } from "../../src/core/kit/time.ts"
import {
  bindingsComplaint,
  copiesComplaint,
  living,
  ringComplaint,
  usersComplaint,
} from "../../src/sim/checkers.ts"
import { scenario } from "../../src/sim/scenario.ts"
import type { SimHost } from "../../src/sim/sim-host.ts"
import { addUsers, eventually, phoneOf, register, userNames } from "../../src/sim/telephony.ts"
import type { World } from "../../src/sim/world.ts"
import { expectFound, expectTalk } from "../support/farm-tales.ts"

scenario(
  "two halves that started apart are one ring with all users when they meet",
  { nodes: 0, seeds: 5 },
  (world) => {
    const [here, there] = [half(world, 4), half(world, 3)]
    for (const [host, prefix] of [
      [here[0]!, "here"],
      [there[0]!, "there"],
    ] as const)
      addUsers(world, host, userNames(5, prefix))
    // What makes them meet is one node that knows a node of the other half.
    world.join([world.pick(here), world.pick(there)])
    eventually(world, () => ringComplaint(world) ?? copiesComplaint(world))
    assert.equal(usersComplaint(world, [...userNames(5, "here"), ...userNames(5, "there")]), undefined)
  },
)

scenario(
  "two halves that were parted work each, and are one 10 s after the cut heals",
  { nodes: 6, seeds: 20 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    addUsers(world, world.pick(world.hosts), ["alice", "bob", "carol"])
    const carol = phoneOf(world, world.pick(world.hosts), "carol")
    assert.equal(register(world, carol), 200)
    // Every second node of the ring, as where two sites are interleaved: each half has a copy of everything.
    const here = living(world).filter((_, index) => index % 2 === 0)
    const there = living(world).filter((_, index) => index % 2 === 1)
    world.part(here, there)
    world.run(seconds(20))
    for (const [hosts, name] of [
      [here, "alice"],
      [there, "bob"],
    ] as const) {
      addUsers(world, world.pick(hosts), [`friend-of-${name}`])
      assert.equal(register(world, phoneOf(world, world.pick(hosts), name)), 200)
    }
    // What one half removes, the other still has.
    carol.use(world.pick(here))
    assert.equal(register(world, carol, 0), 200)
    world.network.heal()
    eventually(world, () => ringComplaint(world) ?? copiesComplaint(world), seconds(10))
    assert.equal(bindingsComplaint(world, "carol", []), undefined)
    const names = ["alice", "bob", "carol", "friend-of-alice", "friend-of-bob"]
    assert.equal(usersComplaint(world, names), undefined)
    const [, alice, bob] = world.phones
    for (const phone of [alice!, bob!]) expectFound(world, phone)
    expectTalk(world, alice!, bob!)
  },
)

/** Nodes that know of each other and of nobody else. */
function half(world: World, count: number): readonly SimHost[] {
  const first = world.join([])
  const all = [first]
  while (all.length < count) all.push(world.join([first]))
  const isSettled = () =>
    all.every((host) => host.alive && host.node.status(world.now).nodes.length === count)
  assert.ok(world.runUntil(isSettled, seconds(20)), "the half is no ring")
  world.run(seconds(1))
  return all
}
