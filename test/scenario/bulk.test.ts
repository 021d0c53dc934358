import assert from "node:assert/strict"
import { seconds } from "../../src/core/kit/time.ts"
import { copiesComplaint, ringComplaint, usersComplaint } from "../../src/sim/checkers.ts"
import { scenario } from "../../src/sim/scenario.ts"
import { addUsers, eventually, userNames } from "../../src/sim/telephony.ts"
import { holdersOfSomething } from "../support/farm-tales.ts"

// Lines that are slow, and machines that have too much to do: what is handed over takes a minute, and an answer seconds.

/** Bytes a second. A copy of a record is one to two thousand. */
const SLOW = 24_000

scenario(
  "a node that comes back to many records over slow lines gets in at the first try, and nobody is taken for dead",
  { nodes: 3, seeds: 3 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const names = userNames(400)
    addUsers(world, world.pick(world.hosts), names)
    eventually(world, () => copiesComplaint(world))
    const back = world.pick(world.hosts)
    back.crash("reset")
    world.run(seconds(10))
    world.weather.change({ bandwidth: SLOW })
    back.start()
    const from = world.now
    eventually(world, () => ringComplaint(world), seconds(180))
    eventually(world, () => copiesComplaint(world), seconds(180))
    const tries = world.log.told.filter(
      ({ at, effect }) => at >= from && effect.event === "overlay.admitting",
    )
    assert.equal(tries.length, 1, `it took ${tries.length} tries`)
    const lost = world.log.told.filter(({ at, effect }) => at >= from && effect.event === "overlay.unlinked")
    assert.deepEqual(lost, [])
    world.weather.change({ bandwidth: Number.POSITIVE_INFINITY })
    assert.equal(usersComplaint(world, names), undefined)
  },
)

scenario(
  "a node that gets a turn only now and then is given longer to answer, and is noticed nevertheless when it dies",
  { nodes: 4, seeds: 3 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const slow = world.pick(world.hosts)
    const from = world.now
    const stall = (span: number) => {
      slow.freeze()
      world.run(seconds(span))
      slow.thaw()
      world.run(seconds(0.7))
    }
    for (let round = 0; round < 8; round++) stall(1.4)
    stall(1.9)
    assert.equal(
      world.log.told.find(({ at, effect }) => at >= from && effect.event === "overlay.unlinked"),
      undefined,
    )
    slow.crash("silent")
    world.run(seconds(5))
    assert.equal(ringComplaint(world), undefined)
  },
)

scenario(
  "three nodes that hold the same records die 2 s apart while others join, and what the last one alone had is handed on",
  { nodes: 8, seeds: 4 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const names = userNames(240)
    addUsers(world, world.pick(world.hosts), names)
    eventually(world, () => copiesComplaint(world))
    world.run(seconds(60))
    // Fast enough for what must be handed on, and not for all that may be.
    world.weather.change({ bandwidth: 90_000 })
    for (const victim of holdersOfSomething(world)) {
      victim.crash("reset")
      world.join()
      world.run(seconds(2))
    }
    world.weather.change({ bandwidth: Number.POSITIVE_INFINITY })
    eventually(world, () => ringComplaint(world) ?? copiesComplaint(world))
    assert.equal(usersComplaint(world, names), undefined)
  },
)
