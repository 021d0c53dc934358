import assert from "node:assert/strict"
import { seconds } from "../../src/core/kit/time.ts"
import { resourceIdOf } from "../../src/core/reload/message.ts"
import {
  copiesComplaint,
  holdersOf,
  living,
  ringComplaint,
  usersComplaint,
  valuesOn,
} from "../../src/sim/checkers.ts"
import { openSslHashes } from "../../src/sim/hashes.ts"
import { scenario } from "../../src/sim/scenario.ts"
import type { SimHost } from "../../src/sim/sim-host.ts"
import { addUsers, eventually, phoneOf, register, userNames } from "../../src/sim/telephony.ts"
import type { World } from "../../src/sim/world.ts"
import {
  expectAllReached,
  expectFound,
  expectTalk,
  furnish,
  holdersOfSomething,
  moveFromTheDead,
  shortComplaint,
} from "../support/farm-tales.ts"

// Of a record's three holders any two may die at once; half of a farm, with what only that half had.

for (const [title, survivor] of [
  ["the responsible peer and its first copy", 2],
  ["the responsible peer and its second copy", 1],
  ["both copies", 0],
] as const) {
  scenario(
    `${title} of a complete record die at once: after 3 s every phone is reached from every survivor`,
    { nodes: 5, seeds: 7 },
    (world) => {
      const { names, phones } = furnish(world, 5)
      const holders = holdersOfSomething(world)
      killAtOnce(
        world,
        holders.filter((_, index) => index !== survivor),
      )
      world.run(seconds(3))
      moveFromTheDead(world, phones)
      expectAllReached(world, phones)
      assert.equal(usersComplaint(world, names), undefined)
      for (const phone of phones) expectFound(world, phone)
      eventually(world, () => ringComplaint(world) ?? shortComplaint(world) ?? copiesComplaint(world))
    },
  )
}

scenario(
  "half of a farm dies at once: nobody is lost of whom a copy lived, and fresh nodes make all complete in 30 s",
  { nodes: 6, seeds: 20 },
  (world) => {
    const { names, phones } = furnish(world, 8)
    const victims = world.shuffle(world.hosts).slice(0, 3)
    const doomed = doomedWith(world, victims)
    killAtOnce(world, victims)
    world.run(seconds(8))
    const kept = phones.filter(({ agent }) => !doomed.has(agent.settings.user))
    moveFromTheDead(world, kept)
    for (const phone of kept) expectFound(world, phone)
    for (let i = 0; i < victims.length; i++) world.join()
    eventually(
      world,
      () => ringComplaint(world) ?? shortComplaint(world) ?? copiesComplaint(world),
      seconds(30),
    )
    const caller = world.pick(kept)
    for (const callee of kept) if (callee !== caller) expectTalk(world, caller, callee)
    assert.ok(doomed.size < names.length, "some user outlives half of the farm")
  },
)

scenario("the first node dies for good: everything goes on without it", { nodes: 4, seeds: 20 }, (world) => {
  const { names, phones } = furnish(world, 3)
  killAtOnce(world, [world.hosts[0]!])
  world.run(seconds(4))
  const late = userNames(2, "late")
  for (const name of late) addUsers(world, world.pick(world.alive), [name])
  const newcomer = world.join()
  eventually(world, () => ringComplaint(world) ?? shortComplaint(world) ?? copiesComplaint(world))
  assert.equal(usersComplaint(world, [...names, ...late]), undefined)
  const there = late.map((name) => phoneOf(world, newcomer, name))
  for (const phone of there) assert.equal(register(world, phone), 200)
  moveFromTheDead(world, phones)
  expectAllReached(world, [...there, ...phones])
})

/** Processes or machines, as the seed wants it. */
function killAtOnce(world: World, victims: readonly SimHost[]): void {
  const how = world.pick(["reset", "silent"] as const)
  for (const victim of victims) victim.crash(how)
}

/** The users of whom some record has all its holders among these, by what is on the disks. */
function doomedWith(world: World, victims: readonly SimHost[]): ReadonlySet<string> {
  const all = living(world)
  const doomed = new Set<string>()
  for (const host of victims)
    for (const { put } of valuesOn(host, world.now).values())
      if (holdersOf(all, put.resource).every((holder) => victims.includes(holder))) doomed.add(put.resource)
  return new Set(
    world.phones
      .map(({ agent }) => agent.settings.user)
      .filter((user) => doomed.has(resourceIdOf(openSslHashes, `${user}@${world.domain}`))),
  )
}
