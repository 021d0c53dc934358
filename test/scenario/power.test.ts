import assert from "node:assert/strict"
import { seconds } from "../../src/core/kit/time.ts"
import { copiesComplaint, ringComplaint, usersComplaint } from "../../src/sim/checkers.ts"
import { scenario } from "../../src/sim/scenario.ts"
import type { SimPhone } from "../../src/sim/sim-phone.ts"
import { eventually } from "../../src/sim/telephony.ts"
import type { World } from "../../src/sim/world.ts"
import { expectFound, expectTalk, furnish } from "../support/farm-tales.ts"

scenario(
  "a farm that loses power has everything when its nodes start again in any order",
  { nodes: 5, seeds: 10 },
  (world) => {
    const { names, phones } = furnish(world, 6)
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
  { nodes: 5, seeds: 10 },
  (world) => {
    const { names, phones } = furnish(world, 6)
    for (const host of world.shuffle(world.hosts)) {
      host.crash()
      world.run(seconds(world.below(2)))
    }
    for (const host of world.shuffle(world.hosts)) host.start()
    expectEverything(world, names, phones)
  },
)

function expectEverything(world: World, names: readonly string[], phones: readonly SimPhone[]): void {
  eventually(world, () => ringComplaint(world))
  assert.equal(usersComplaint(world, names), undefined)
  for (const phone of phones) expectFound(world, phone)
  eventually(world, () => copiesComplaint(world))
  // A phone by TCP has lost its connection, whatever its node's record says.
  const [one, other] = phones.filter(({ agent }) => agent.settings.transport === "UDP")
  expectTalk(world, one!, other!)
}
