import { setTimeout as pause } from "node:timers/promises"
import type { FarmNode } from "../../../test/interop/support/farm.ts"
import type { Chaos } from "../chaos.ts"
import { oneDecimal, percentile } from "../report.ts"
import { noticedAfter, takenForDead } from "../watch.ts"

/** Two at once: a record's responsible peer, and one of its copies. */
export async function pair(chaos: Chaos): Promise<void> {
  const victims = await chaos.holdersOfSomething(2)
  const dead = await chaos.idsOf(victims)
  const survivors = chaos.living.filter((node) => !victims.includes(node))
  const load = await chaos.load(() => survivors, 40)
  await pause(1_000)
  const killed = load.now
  const killedAt = await chaos.kill(victims)
  await pause(3_000)
  await load.stop()
  chaos.picture(load, new Map([[Math.floor(killed), "Kill"]]))
  const noticed = dead.flatMap((id) => noticedAfter(survivors, id, killedAt))
  const [least, most] = [percentile(noticed, 0.5), Math.max(0, ...noticed)]
  chaos.note("pair: reset to rerouted, median and slowest", `${least} and ${most} ms`)
  const early = load.calls.filter(({ at }) => at >= killed)
  const reached = early.filter(({ isReached }) => isReached).length
  chaos.note("pair: calls reached in the first 3 s", `${reached} of ${early.length}`)
  chaos.note("pair: slowest answer in the first 3 s", `${oneDecimal(load.slowestSince(killed) / 1_000)} s`)
  const moved = await chaos.population.moveFlowsFrom(victims, survivors)
  chaos.say(`${moved.length} phones had their connection on a dead node and registered again`)
  await chaos.callEveryone("pair: phones reached from every survivor", chaos.population.members, survivors)
  await storm(chaos, chaos.pick(survivors))
  await chaos.return(victims)
  await chaos.population.goHome()
}

/** Every phone of the farm registers at one survivor at the same moment. */
async function storm(chaos: Chaos, node: FarmNode): Promise<void> {
  const { population, settings } = chaos
  const from = Date.now()
  const { took, putOff, bare, gaveUp } = await population.storm(node)
  const all = population.members.length
  chaos.say(
    `storm: ${all} phones at ${node.host} at once: half of them in ${oneDecimal(percentile(took, 0.5))} s, ${putOff} put off with 503`,
  )
  chaos.note("pair: times that a busy node was taken for dead", String(takenForDead(chaos.living, from)))
  chaos.count("pair: phones registered at one survivor, all at once", all - gaveUp, all)
  chaos.verdict("pair: of those put off, told no time to wait", String(bare), "0", bare === 0)
  chaos.within("pair: until the last of them was registered", Math.max(...took), settings.limits.stormed)
  await chaos.callEveryone("pair: phones reached through it right afterwards", population.members, [node])
}
