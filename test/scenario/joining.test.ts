import assert from "node:assert/strict"
import { seconds } from "../../src/core/kit/time.ts"
import {
  copiesComplaint,
  listComplaint,
  ringComplaint,
  ringsComplaint,
  usersComplaint,
} from "../../src/sim/checkers.ts"
import { scenario } from "../../src/sim/scenario.ts"
import { addUsers, eventually, hangUp, phoneOf, register, talk, userNames } from "../../src/sim/telephony.ts"
import type { World } from "../../src/sim/world.ts"

scenario("64 nodes that join at once are one ring within seconds", { nodes: 64, seeds: 1 }, (world) => {
  eventually(world, () => ringComplaint(world), seconds(10))
  phonesCallAcrossNodes(world, 8)
})

scenario("32 nodes that join one by one are one ring", { nodes: 1, seeds: 1 }, (world) => {
  while (world.hosts.length < 32) {
    world.join()
    eventually(world, () => ringComplaint(world), seconds(10))
  }
  phonesCallAcrossNodes(world, 8)
})

scenario("users added at any node are known at every one", { nodes: 12, seeds: 2 }, (world) => {
  eventually(world, () => ringComplaint(world))
  const names = userNames(24)
  for (const name of names) addUsers(world, world.pick(world.hosts), [name])
  assert.equal(usersComplaint(world, names) ?? listComplaint(world, names), undefined)
  eventually(world, () => copiesComplaint(world))
})

scenario(
  "phones of any node call those of any other, and both ends may hang up",
  { nodes: 12, seeds: 2 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    phonesCallAcrossNodes(world, 10)
  },
)

function phonesCallAcrossNodes(world: World, count: number): void {
  const names = userNames(count)
  addUsers(world, world.pick(world.hosts), names)
  const phones = names.map((name, index) =>
    phoneOf(world, world.pick(world.hosts), name, { transport: index % 2 === 0 ? "UDP" : "TCP" }),
  )
  for (const phone of phones) assert.equal(register(world, phone), 200)
  for (const [index, caller] of phones.entries()) {
    for (const by of ["caller", "callee"] as const) {
      const callee = world.pick(phones.filter((phone) => phone !== caller))
      const call = talk(world, caller, callee)
      if (typeof call === "number") assert.fail(`call ${index} is answered by ${call}`)
      assert.equal(hangUp(world, call, by), undefined)
    }
  }
  assert.equal(ringsComplaint(world), undefined)
}
