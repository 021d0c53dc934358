import assert from "node:assert/strict"
import { seconds } from "../../src/core/kit/time.ts"
import { bindingsComplaint, copiesComplaint, ringComplaint, usersComplaint } from "../../src/sim/checkers.ts"
import { scenario } from "../../src/sim/scenario.ts"
import { addUsers, eventually, hangUp, phoneOf, register, talk, userNames } from "../../src/sim/telephony.ts"
import type { World } from "../../src/sim/world.ts"

scenario(
  "a farm that loses power has everything when its nodes start again in any order",
  { nodes: 7, seeds: 6 },
  (world) => {
    const { names, phones } = furnish(world)
    world.cutPower()
    world.run(seconds(30))
    for (const host of world.shuffle(world.hosts)) {
      host.start()
      world.run(seconds(world.below(3)))
    }
    expectEverything(world, names, phones)
  },
)

scenario(
  "a farm whose processes die one after the other has everything when they start again",
  { nodes: 5, seeds: 6 },
  (world) => {
    const { names, phones } = furnish(world)
    for (const host of world.shuffle(world.hosts)) {
      host.crash()
      world.run(seconds(world.below(2)))
    }
    for (const host of world.shuffle(world.hosts)) host.start()
    expectEverything(world, names, phones)
  },
)

function furnish(world: World) {
  eventually(world, () => ringComplaint(world))
  const names = userNames(8)
  addUsers(world, world.pick(world.hosts), names)
  const phones = names.map((name) => phoneOf(world, world.pick(world.hosts), name))
  for (const phone of phones) assert.equal(register(world, phone), 200)
  return { names, phones }
}

function expectEverything(world: World, names: readonly string[], phones: World["phones"]): void {
  eventually(world, () => ringComplaint(world))
  assert.equal(usersComplaint(world, names), undefined)
  for (const phone of phones) {
    const { contacts } = phone.last("registered")!
    assert.equal(bindingsComplaint(world, phone.agent.settings.user, contacts), undefined)
  }
  eventually(world, () => copiesComplaint(world))
  const call = talk(world, phones[0]!, phones[1]!)
  if (typeof call === "number") assert.fail(`the call is answered by ${call}`)
  assert.equal(hangUp(world, call), undefined)
}
