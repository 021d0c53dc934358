import assert from "node:assert/strict"
import { seconds } from "../../src/core/kit/time.ts"
import { copiesComplaint, ringComplaint, usersComplaint } from "../../src/sim/checkers.ts"
import { scenario } from "../../src/sim/scenario.ts"
import { addUsers, eventually, userNames } from "../../src/sim/telephony.ts"

scenario(
  "a farm without power, in which one node loses its records, starts in any order and has everything",
  { nodes: 4, seeds: 6 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const names = userNames(8)
    addUsers(world, world.pick(world.hosts), names)
    eventually(world, () => copiesComplaint(world))
    world.cutPower()
    const victim = world.pick(world.hosts)
    victim.disk.erase()
    for (const host of world.shuffle(world.hosts)) {
      host.start(host === victim ? "records" : undefined)
      world.run(seconds(world.below(3)))
    }
    eventually(world, () => ringComplaint(world))
    assert.equal(usersComplaint(world, names), undefined)
    eventually(world, () => copiesComplaint(world))
  },
)

scenario(
  "a node that has lost its records serves nobody until it meets one that has them",
  { nodes: 2, seeds: 3 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const names = userNames(4)
    addUsers(world, world.pick(world.hosts), names)
    eventually(world, () => copiesComplaint(world))
    world.cutPower()
    const [victim, other] = world.shuffle(world.hosts)
    victim!.disk.erase()
    victim!.start("records")
    world.run(seconds(60))
    assert.equal(victim!.health.state, "joining")
    other!.start()
    eventually(world, () => ringComplaint(world))
    assert.equal(usersComplaint(world, names), undefined)
    eventually(world, () => copiesComplaint(world))
  },
)

scenario(
  "a node that is alone with the loss of its records goes on without them where its operator wants it",
  { nodes: 2, seeds: 3 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    world.cutPower()
    const [victim] = world.shuffle(world.hosts)
    victim!.disk.erase()
    victim!.start("accepted")
    eventually(world, () => ringComplaint(world))
  },
)
