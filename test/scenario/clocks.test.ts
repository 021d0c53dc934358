import assert from "node:assert/strict"
import { minutes, NO_TIME, seconds } from "../../src/core/kit/time.ts"
import { copiesComplaint, ringComplaint, usersComplaint } from "../../src/sim/checkers.ts"
import { scenario } from "../../src/sim/scenario.ts"
import { addUsers, eventually, userNames } from "../../src/sim/telephony.ts"

for (const by of [minutes(60), minutes(-60)])
  scenario(
    `a node whose clock is ${Math.abs(by) / 60_000} minutes ${by > 0 ? "ahead" : "behind"} stays out, says why, and joins when it has been set`,
    { nodes: 4, seeds: 3 },
    (world) => {
      eventually(world, () => ringComplaint(world))
      const victim = world.pick(world.hosts)
      victim.crash()
      eventually(world, () => ringComplaint(world))
      victim.skew(by)
      victim.start()
      world.run(seconds(30))
      const { health } = victim.node.status(world.now)
      assert.equal(health.state, "joining")
      const where = by > 0 ? "ahead of" : "behind"
      assert.match(
        "cause" in health ? health.cause! : "",
        new RegExp(
          `^the clock of this node is 3600 s ${where} that of the fabric's nodes, and at most 30 s may lie between`,
        ),
      )
      for (const host of world.hosts.filter((each) => each !== victim)) {
        assert.equal(host.health.state, "healthy")
        assert.equal(host.node.status(world.now).nodes.length, 3)
      }
      victim.crash()
      victim.skew(NO_TIME)
      victim.start()
      eventually(world, () => ringComplaint(world))
      eventually(world, () => copiesComplaint(world))
    },
  )

scenario(
  "nodes whose clocks differ by seconds join, and each knows by how many",
  { nodes: 4, seeds: 3 },
  (world) => {
    eventually(world, () => ringComplaint(world))
    const victim = world.pick(world.hosts)
    victim.crash()
    victim.skew(seconds(-12))
    victim.start()
    eventually(world, () => ringComplaint(world))
    world.run(minutes(2))
    for (const host of world.hosts)
      for (const { node, ahead } of host.node.clocks) {
        const due = (node === victim.nodeId ? -12_000 : 0) + (host === victim ? 12_000 : 0)
        assert.ok(
          Math.abs(ahead - due) < 500,
          `${host.host} takes ${node} to be ahead by ${ahead} ms, not ${due}`,
        )
      }
    const names = userNames(6)
    addUsers(world, victim, names)
    assert.equal(usersComplaint(world, names), undefined)
  },
)

scenario("each node comes to know which version every other one runs", { nodes: 5, seeds: 2 }, (world) => {
  eventually(world, () => ringComplaint(world))
  eventually(world, () => {
    const untold = world.hosts.flatMap((host) =>
      host.node.status(world.now).nodes.filter(({ version }) => version !== "sim"),
    )
    return untold.length === 0 ? undefined : `${untold.length} versions are unknown`
  })
})
