import { setTimeout as pause } from "node:timers/promises"
import type { Chaos } from "../chaos.ts"
import { noticedAfter, statusOf } from "../watch.ts"

/** One node stands still for ten seconds, its links open. */
export async function freeze(chaos: Chaos): Promise<void> {
  const victim = chaos.pick(chaos.living)
  const others = chaos.living.filter((node) => node !== victim)
  const id = await chaos.idOf(victim)
  const load = await chaos.load(() => others, 20)
  await pause(2_000)
  const { child } = victim.program!
  chaos.say(`SIGSTOP ${victim.host}`)
  const [frozenAt, frozen] = [Date.now(), load.now]
  child.kill("SIGSTOP")
  await pause(10_000)
  child.kill("SIGCONT")
  const thawed = load.now
  await pause(3_000)
  await load.stop()
  chaos.picture(
    load,
    new Map([
      [Math.floor(frozen), "Freeze"],
      [Math.floor(thawed), "Thaw"],
    ]),
  )
  const noticed = noticedAfter(others, id, frozenAt)
  chaos.note("freeze: nodes that took it off their routes", `${noticed.length} of ${others.length}`)
  chaos.within(
    "freeze: silence to rerouted, the slowest node",
    Math.max(0, ...noticed) / 1_000,
    chaos.settings.limits.frozen,
  )
  const last = Math.max(frozen, ...load.failures.map(({ at }) => at))
  chaos.within("freeze: until no call failed any more", last - frozen, chaos.settings.limits.frozen)
  chaos.within(
    "freeze: slowest answer to a call",
    load.slowestSince(frozen) / 1_000,
    chaos.settings.limits.frozen,
  )
  await chaos.complete("after the thaw")
  const seen = await Promise.all(chaos.living.map((node) => statusOf(node)))
  const ghosts = seen.filter(({ nodes }) => nodes.length !== chaos.living.length).length
  chaos.verdict(
    "freeze: nodes that see another number of nodes afterwards",
    String(ghosts),
    "0",
    ghosts === 0,
  )
}
