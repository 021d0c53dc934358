import assert from "node:assert/strict"
import { milliseconds, seconds } from "../../src/core/kit/time.ts"
import type { NodeAnswer } from "../../src/core/node/interface.ts"
import { copiesComplaint, living, ringComplaint } from "../../src/sim/checkers.ts"
import { scenario } from "../../src/sim/scenario.ts"
import type { SimHost } from "../../src/sim/sim-host.ts"
import { addUsers, eventually, phoneOf, register, userNames } from "../../src/sim/telephony.ts"
import type { World } from "../../src/sim/world.ts"

/** What joined then counts as there from the start. */
const LONG_AGO = seconds(40)
/** Questions to other nodes. */
const FETCHES = "reload_messages_total fetch-req sent"

scenario(
  "nobody is told that a user does not exist because a holder is slow and those before the last joins have let go",
  { nodes: 5, seeds: 3 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const names = userNames(100)
    addUsers(world, world.pick(world.hosts), names)
    world.run(LONG_AGO)
    for (let i = 0; i < 3; i++) world.join()
    eventually(world, () => ringComplaint(world) ?? copiesComplaint(world))
    world.run(seconds(3))
    for (const slow of world.hosts) expectFound(world, [slow], names)
  },
)

scenario(
  "nobody is told that a user does not exist because those who know of it are slow to tell a node that was away",
  { nodes: 5, seeds: 3 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const [away, ...others] = world.hosts
    world.part([away!], others)
    world.run(seconds(10))
    const names = userNames(40)
    addUsers(world, others[0]!, names)
    world.network.heal()
    // It is responsible for some of them again, and has not been given any yet.
    const isBack = () => away!.node.status(world.now).nodes.length >= 3
    assert.ok(world.runUntil(isBack, seconds(60)), "the node that was away does not come back")
    expectFound(world, others, names)
  },
)

scenario(
  "a node that is cut off from all others says of no user that he does not exist, unless it held his record",
  { nodes: 7, seeds: 3 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const names = userNames(40)
    addUsers(world, world.pick(world.hosts), names)
    eventually(world, () => copiesComplaint(world))
    world.run(LONG_AGO)
    const [alone, ...others] = world.hosts
    world.part([alone!], others)
    world.run(seconds(3))
    const answers = names.map((name) => lookUp(alone!, `${name}@${world.domain}`))
    world.runUntil(() => answers.every(({ answer }) => answer !== undefined), seconds(60))
    for (const { aor, answer } of answers)
      assert.ok(answer?.kind === "refused" || (answer?.kind === "found" && answer.user), aor)
    assert.ok(answers.some(({ answer }) => answer?.kind === "found"))
    assert.ok(answers.some(({ answer }) => answer?.kind === "refused"))
  },
)

scenario(
  "a node that was away and has asked for a user knows his other phones as well, and not only that he exists",
  { nodes: 5, seeds: 3 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const [away, ...others] = world.hosts
    world.part([away!], others)
    world.run(seconds(10))
    const names = userNames(24)
    addUsers(world, others[0]!, names)
    for (const name of names) assert.equal(register(world, phoneOf(world, world.pick(others), name)), 200)
    world.network.heal()
    const isBack = () => away!.node.status(world.now).nodes.length >= 3
    assert.ok(world.runUntil(isBack, seconds(60)), "the node that was away does not come back")
    const second = names.map((name) => phoneOf(world, away!, name))
    for (const phone of second) phone.tell({ kind: "register", seconds: 3_600 })
    world.run(seconds(40))
    for (const phone of second) {
      const [answer] = phone.all("registered")
      assert.deepEqual([answer?.status, answer?.contacts.length], [200, 2], phone.agent.settings.user)
    }
  },
)

scenario(
  "where every answer takes long, questions are not put to others as well all the time, which would make answers take longer",
  { nodes: 5, seeds: 3 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const names = userNames(100)
    addUsers(world, world.pick(world.hosts), names)
    eventually(world, () => copiesComplaint(world))
    world.run(LONG_AGO)
    // A third of a second there and back: less than what an unanswered probe or a dead peer takes to be noticed.
    world.weather.change({ delay: { least: milliseconds(150), most: milliseconds(180) } })
    const asked = () => world.hosts.reduce((sum, host) => sum + host.counted(FETCHES), 0)
    const before = asked()
    const answers: ReturnType<typeof lookUp>[] = []
    for (let round = 0; round < 20; round++) {
      for (const name of names) answers.push(lookUp(world.pick(world.hosts), `${name}@${world.domain}`))
      world.run(seconds(1))
    }
    for (const { aor, answer } of answers) assert.ok(answer?.kind === "found" && answer.user, aor)
    const each = (asked() - before) / answers.length
    assert.ok(each < 1.6, `${each.toFixed(2)} questions for a look-up`)
  },
)

/** All users are looked up through the others while these are frozen for a moment. */
function expectFound(world: World, slow: readonly SimHost[], names: readonly string[]): void {
  for (const host of slow) host.freeze()
  const others = living(world).filter((host) => !slow.includes(host))
  const answers = names.map((name) => lookUp(world.pick(others), `${name}@${world.domain}`))
  world.run(seconds(1.4))
  for (const host of slow) host.thaw()
  world.runUntil(() => answers.every(({ answer }) => answer !== undefined), seconds(60))
  for (const { aor, answer } of answers)
    assert.ok(answer?.kind === "found" && answer.user, `${aor}: ${JSON.stringify(answer)}`)
}

function lookUp(host: SimHost, aor: string): { readonly aor: string; answer: NodeAnswer | undefined } {
  const asked: { readonly aor: string; answer: NodeAnswer | undefined } = { aor, answer: undefined }
  host.command({ kind: "lookup", aor }, (answer) => {
    asked.answer = answer
  })
  return asked
}
