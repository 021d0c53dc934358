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
import { addUsers, eventually, hangUp, phoneOf, register, talk, userNames } from "../../src/sim/telephony.ts"
import type { World } from "../../src/sim/world.ts"

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
  "two halves that were parted work each, and are one when the cut heals",
  { nodes: 8, seeds: 5 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    addUsers(world, world.pick(world.hosts), ["alice", "bob"])
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
    world.network.heal()
    eventually(world, () => ringComplaint(world) ?? copiesComplaint(world))
    const names = ["alice", "bob", "friend-of-alice", "friend-of-bob"]
    assert.equal(usersComplaint(world, names), undefined)
    const [alice, bob] = world.phones
    for (const phone of [alice!, bob!])
      assert.equal(
        bindingsComplaint(world, phone.agent.settings.user, phone.last("registered")!.contacts),
        undefined,
      )
    const call = talk(world, alice!, bob!)
    if (typeof call === "number") assert.fail(`the call is answered by ${call}`)
    assert.equal(hangUp(world, call, "callee"), undefined)
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
