import assert from "node:assert/strict"
import { seconds } from "../../src/core/kit/time.ts"
import { ringComplaint } from "../../src/sim/checkers.ts"
import { scenario } from "../../src/sim/scenario.ts"
import type { SimHost } from "../../src/sim/sim-host.ts"
import { addUsers, type Call, eventually, phoneOf, register } from "../../src/sim/telephony.ts"
import type { World } from "../../src/sim/world.ts"
import { expectCall, expectGoesOn } from "../support/farm-tales.ts"

// An answered call loses a node of its path, and goes on from the side whose first hop lives.

const some = { nodes: 5, seeds: 5 }

for (const transport of ["UDP", "TCP"] as const) {
  scenario(`the caller's node dies under a call: it goes on from a callee by ${transport}`, some, (world) => {
    const { call, here } = answered(world, transport)
    here.crash(world.pick(["reset", "silent"]))
    expectGoesOn(world, call, "callee")
  })
}

scenario(
  "the edge of a callee by UDP dies under a call: it goes on from the caller, and the callee does nothing about it",
  some,
  (world) => {
    const { call, edge } = answered(world, "UDP")
    edge.crash(world.pick(["reset", "silent"]))
    expectGoesOn(world, call, "caller")
  },
)

scenario(
  "the edge of a callee by TCP dies under a call: it goes on from the caller once the callee is bound elsewhere",
  some,
  (world) => {
    const { call, edge } = answered(world, "TCP")
    edge.crash(world.pick(["reset", "silent"]))
    world.run(seconds(3))
    call.callee.use(world.pick(world.alive))
    assert.equal(register(world, call.callee), 200)
    expectGoesOn(world, call, "caller")
  },
)

scenario("a node off the path dies under a call: it goes on from either side", some, (world) => {
  const { call, here, edge } = answered(world, world.pick(["UDP", "TCP"]))
  const others = world.alive.filter((host) => host !== here && host !== edge)
  for (const victim of world.shuffle(others).slice(0, 2)) victim.crash(world.pick(["reset", "silent"]))
  expectGoesOn(world, call, world.pick(["caller", "callee"]))
})

/** Alice calls Bob through another node than his edge. */
function answered(
  world: World,
  transport: "UDP" | "TCP",
): { readonly call: Call; readonly here: SimHost; readonly edge: SimHost } {
  eventually(world, () => ringComplaint(world))
  addUsers(world, world.pick(world.hosts), ["alice", "bob"])
  const [here, edge] = world.shuffle(world.hosts) as [SimHost, SimHost]
  const alice = phoneOf(world, here, "alice")
  const bob = phoneOf(world, edge, "bob", { transport })
  for (const phone of [alice, bob]) assert.equal(register(world, phone), 200)
  return { call: expectCall(world, alice, bob), here, edge }
}
