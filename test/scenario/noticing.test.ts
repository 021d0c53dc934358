import assert from "node:assert/strict"
import { milliseconds, seconds } from "../../src/core/kit/time.ts"
import type { NodeAnswer } from "../../src/core/node/interface.ts"
import { copiesComplaint, living, ringComplaint } from "../../src/sim/checkers.ts"
import { scenario } from "../../src/sim/scenario.ts"
import type { SimHost } from "../../src/sim/sim-host.ts"
import { addUsers, eventually, userNames } from "../../src/sim/telephony.ts"

scenario(
  "a peer whose connections are reset is off all routes in 100 ms",
  { nodes: 12, seeds: 2 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const [victim] = world.shuffle(world.hosts)
    victim!.crash("reset")
    world.run(milliseconds(100))
    for (const { host, node } of living(world))
      assert.ok(!node.status(world.now).nodes.some(({ node: id }) => id === victim!.nodeId), host)
  },
)

scenario(
  "a peer that falls silent is off the routes of all in 3 s, in a small farm",
  { nodes: 10, seeds: 2 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    world.run(seconds(2))
    const [victim] = world.shuffle(world.hosts)
    victim!.crash("silent")
    world.run(seconds(3))
    for (const { host, node } of living(world))
      assert.ok(!node.status(world.now).nodes.some(({ node: id }) => id === victim!.nodeId), host)
  },
)

scenario(
  "whatever is asked in the moment in which two peers fall silent is answered in 3 s",
  { nodes: 12, seeds: 2 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const names = userNames(40)
    addUsers(world, world.pick(world.hosts), names)
    eventually(world, () => copiesComplaint(world))
    // Reads are put to a second holder only where that one was there before the ring last changed.
    world.run(seconds(40))
    for (const victim of world.shuffle(world.hosts).slice(0, 2)) victim.crash("silent")
    const asked = names.map((name) => lookUp(world.pick(world.alive), `${name}@${world.domain}`))
    assert.ok(
      world.runUntil(() => asked.every(({ answer }) => answer !== undefined), seconds(3)),
      `${asked.filter(({ answer }) => answer === undefined).length} of ${asked.length} wait for longer`,
    )
    for (const { aor, answer } of asked) assert.ok(answer?.kind === "found" && answer.user, aor)
  },
)

function lookUp(host: SimHost, aor: string): { readonly aor: string; answer: NodeAnswer | undefined } {
  const asked: { readonly aor: string; answer: NodeAnswer | undefined } = { aor, answer: undefined }
  host.command({ kind: "lookup", aor }, (answer) => {
    asked.answer = answer
  })
  return asked
}
