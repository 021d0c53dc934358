import assert from "node:assert/strict"
import { DEFAULT_ROLES, ENROLMENT } from "../../src/core/identity/roles.ts"
import { type Duration, milliseconds, seconds } from "../../src/core/kit/time.ts"
import type { NodeAnswer, NodeCommand } from "../../src/core/node/interface.ts"
import { copiesComplaint, ringComplaint, ringsComplaint, usersComplaint } from "../../src/sim/checkers.ts"
import { scenario } from "../../src/sim/scenario.ts"
import type { SimHost } from "../../src/sim/sim-host.ts"
import type { SimPhone } from "../../src/sim/sim-phone.ts"
import {
  addUsers,
  type Call,
  dial,
  eventually,
  hangUp,
  outcome,
  phoneOf,
  register,
  userNames,
} from "../../src/sim/telephony.ts"
import type { World } from "../../src/sim/world.ts"

/** A node that joins is told in so many milliseconds that its invite counts, or has to ask again. */
const ANSWERED = 8_000

scenario(
  "nodes join and leave under calls: no call fails and none is lost",
  { nodes: 4, seeds: 2 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const names = userNames(8)
    addUsers(world, world.pick(world.hosts), names)
    // They stay with nodes that stay; what joins and leaves holds records.
    const [first, second] = world.hosts
    const phones = names.map((name, index) => phoneOf(world, index % 2 === 0 ? first! : second!, name))
    for (const phone of phones) assert.equal(register(world, phone), 200)
    const calls = callAllTheTime(world, phones, seconds(60), milliseconds(100))
    for (let round = 0; round < 6; round++) {
      const others = world.alive.filter((host) => host !== first && host !== second)
      if (round % 2 === 0 || others.length < 2) world.join()
      else world.leave(world.pick(others))
      world.run(seconds(1 + world.below(6)))
    }
    world.run(seconds(60))
    assert.ok(calls.length >= 600)
    for (const call of calls) assert.equal(outcome(world, call), 200, `${call.id} fails`)
    for (const call of calls) assert.equal(hangUp(world, call, world.pick(["caller", "callee"])), undefined)
    assert.equal(ringsComplaint(world), undefined)
    assert.equal(usersComplaint(world, names), undefined)
  },
)

scenario(
  "a node joins and one is killed every 2 s under calls: no call is lost that was answered",
  { nodes: 5, seeds: 20 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const names = userNames(4)
    addUsers(world, world.pick(world.hosts), names)
    const [first, second] = world.hosts
    const phones = names.map((name, index) => phoneOf(world, index % 2 === 0 ? first! : second!, name))
    for (const phone of phones) assert.equal(register(world, phone), 200)
    const calls = callAllTheTime(world, phones, seconds(12), milliseconds(250))
    for (let round = 0; round < 6; round++) {
      const others = world.alive.filter((host) => host !== first && host !== second)
      world.pick(others).crash(world.pick(["reset", "silent"]))
      world.join()
      world.run(seconds(2))
    }
    const answered = calls.filter((call) => outcome(world, call) === 200)
    assert.ok(answered.length > 0)
    for (const call of answered)
      assert.equal(hangUp(world, call, world.pick(["caller", "callee"])), undefined)
    assert.equal(ringsComplaint(world), undefined)
    eventually(world, () => ringComplaint(world) ?? copiesComplaint(world))
    assert.equal(usersComplaint(world, names), undefined)
  },
)

scenario(
  "invites are counted and users are known in time though for a minute a node dies and another joins every 2 s",
  { nodes: 8, roles: [...DEFAULT_ROLES, ENROLMENT], seeds: 2 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const names = userNames(12)
    const stable = world.hosts.slice(0, 3)
    addUsers(world, world.pick(stable), names)
    eventually(world, () => copiesComplaint(world))
    const counted: Asked[] = []
    const known: Asked[] = []
    for (let round = 0; round < 30; round++) {
      const [victim] = world.shuffle(world.alive.filter((host) => !stable.includes(host)))
      victim!.crash(world.pick(["reset", "silent"]))
      const { nodeId } = world.join()
      const use = { invite: `invite${round}`, uses: 1, key: `ab${round + 10}`, node: nodeId, lifetime: 3_600 }
      counted.push(ask(world, world.pick(stable), { kind: "count-use", use }))
      for (const name of names)
        known.push(ask(world, world.pick(stable), { kind: "lookup", aor: `${name}@${world.domain}` }))
      world.run(seconds(2))
    }
    world.runUntil(() => [...counted, ...known].every(({ answer }) => answer !== undefined), seconds(60))
    for (const { answer, took } of counted) {
      assert.equal(answer?.kind, "use-counted", JSON.stringify(answer))
      assert.ok(took! < ANSWERED, `an invite is counted after ${took} ms`)
    }
    for (const { answer, took } of known) {
      assert.ok(answer?.kind === "found" && answer.user, JSON.stringify(answer))
      assert.ok(took! < ANSWERED, `a user is found after ${took} ms`)
    }
    eventually(world, () => ringComplaint(world) ?? copiesComplaint(world))
    assert.equal(usersComplaint(world, names), undefined)
  },
)

scenario(
  "calls of a node that leaves can be hung up through those that stay",
  { nodes: 5, seeds: 4 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const names = userNames(6)
    addUsers(world, world.pick(world.hosts), names)
    const [leaver] = world.shuffle(world.hosts)
    const phones = names.map((name) => phoneOf(world, leaver!, name))
    for (const phone of phones) assert.equal(register(world, phone), 200)
    const calls = callAllTheTime(world, phones, seconds(2), milliseconds(200))
    world.run(seconds(2.5))
    for (const call of calls) assert.equal(outcome(world, call), 200)
    world.leave(leaver!)
    for (const phone of phones) phone.use(world.pick(world.alive))
    for (const call of calls) assert.equal(hangUp(world, call, world.pick(["caller", "callee"])), undefined)
  },
)

/** A call of anybody to anybody else, again and again for `span` from now on. */
function callAllTheTime(
  world: World,
  phones: readonly SimPhone[],
  span: Duration,
  every: Duration,
): readonly Call[] {
  const calls: Call[] = []
  for (let wait = 0; wait < span; wait += every) {
    world.plan(milliseconds(wait), () => {
      const [caller, callee] = world.shuffle(phones)
      calls.push(dial(world, caller!, callee!))
    })
  }
  return calls
}

interface Asked {
  answer: NodeAnswer | undefined
  /** Milliseconds until the answer. */
  took: number | undefined
}

function ask(world: World, host: SimHost, command: NodeCommand): Asked {
  const asked: Asked = { answer: undefined, took: undefined }
  const from = world.now
  host.command(command, (answer) => {
    asked.answer = answer
    asked.took = world.now - from
  })
  return asked
}
