import assert from "node:assert/strict"
import { seconds } from "../../src/core/kit/time.ts"
import { copiesComplaint, ringComplaint } from "../../src/sim/checkers.ts"
import { scenario } from "../../src/sim/scenario.ts"
import { addUsers, eventually, userNames } from "../../src/sim/telephony.ts"
import type { World } from "../../src/sim/world.ts"

scenario(
  "records count as short as long as a holder lacks them, also after a node came and went",
  { nodes: 6, seeds: 3 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    addUsers(world, world.pick(world.hosts), userNames(40))
    eventually(world, () => ringComplaint(world) ?? shortComplaint(world) ?? copiesComplaint(world))
    for (let round = 0; round < 3; round++) {
      const newcomer = world.join()
      eventually(world, () => ringComplaint(world) ?? shortComplaint(world) ?? copiesComplaint(world))
      // Others have let go of what it holds now, and have to be given it again.
      newcomer.crash(world.pick(["silent", "reset"]))
      eventually(world, () => ringComplaint(world))
      neverCompleteTooEarly(world)
    }
  },
)

/** From the moment on at which all nodes say that nothing is short, nothing may be. */
function neverCompleteTooEarly(world: World): void {
  eventually(world, () => ringComplaint(world) ?? shortComplaint(world))
  assert.equal(copiesComplaint(world), undefined)
}

function shortComplaint(world: World): string | undefined {
  const short = world.alive.reduce((sum, { node }) => sum + node.status(world.now).records.short, 0)
  return short > 0 ? `${short} records are short` : undefined
}

scenario(
  "a peer that stood in for a slow holder lets go of the record, soon and not before the holders have it",
  { nodes: 5, seeds: 2 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const frozen = world.pick(world.hosts)
    frozen.freeze()
    world.run(seconds(0.5))
    // It is not known to be dead yet: the next in line takes its copies.
    addUsers(world, world.pick(world.hosts.filter((host) => host !== frozen)), userNames(400))
    frozen.thaw()
    eventually(world, () => ringComplaint(world) ?? shortComplaint(world) ?? copiesComplaint(world))
    eventually(world, () => surplusComplaint(world), seconds(12))
    assert.equal(copiesComplaint(world), undefined)
  },
)

/** Nobody keeps what has its place elsewhere. */
function surplusComplaint(world: World): string | undefined {
  for (const { host, node } of world.alive) {
    const { held, due } = node.status(world.now).records
    if (held !== due) return `${host} holds ${held} records, of which ${due} have their place there`
  }
  return undefined
}
