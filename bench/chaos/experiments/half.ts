import { setTimeout as pause } from "node:timers/promises"
import type { FarmNode } from "../../../test/interop/support/farm.ts"
import type { Chaos } from "../chaos.ts"
import { inParallel, seconds } from "../population.ts"
import { oneDecimal } from "../report.ts"
import { expectedLoss } from "../ring.ts"
import { lookUp, statusOf } from "../watch.ts"

/** Half of the farm at once, beyond what three copies can bear. */
export async function half(chaos: Chaos): Promise<void> {
  const all = chaos.living.length
  const count = Math.floor(all / 2)
  const { members } = chaos.population
  // Somebody has to be left who can admit fresh nodes.
  // All three holders of some record are among them, so that there is something to lose.
  const victims = await chaos.holdersOfSomething(count, {
    spared: [await chaos.admitter()],
    together: Math.min(3, count),
  })
  const doomed = await chaos.doomedWith(victims)
  await chaos.kill(victims)
  await pause(8_000)
  const lost = await lostUsers(chaos)
  const average = (100 * expectedLoss(all, count)).toFixed(1)
  chaos.note(
    `half: users with all three copies among the ${count} dead`,
    `${doomed.size} of ${members.length}`,
  )
  chaos.note(`half: the same on average, ${count} of ${all} drawn at random`, `${average} %`)
  const beyond = lost.filter((user) => !doomed.has(user)).length
  chaos.verdict("half: users lost", String(lost.length), `≤ ${doomed.size}`, lost.length <= doomed.size)
  chaos.verdict("half: users lost of whom a copy lived", String(beyond), "0", beyond === 0)
  const reachable = members.filter(
    ({ user, node, transport }) => !doomed.has(user) && (transport === "UDP" || !victims.includes(node)),
  )
  await chaos.callEveryone("half: phones reached whose records had a living holder", reachable, [
    chaos.living[0]!,
  ])
  const newcomers: FarmNode[] = []
  const fresh = await seconds(async () => {
    for (let i = 0; i < count; i++) newcomers.push(await chaos.join(chaos.pick(chaos.living)))
  })
  chaos.note(`half: until ${count} fresh nodes were up`, `${oneDecimal(fresh)} s`)
  chaos.within(
    "half: until due = held and short = 0",
    await chaos.complete("with fresh nodes"),
    chaos.settings.limits.repaired,
  )
  await share(chaos)
  await chaos.return(victims)
  for (const node of newcomers) await chaos.drain(node)
  await chaos.complete("with the fresh nodes drained")
  await chaos.population.register(members.filter(({ node }) => victims.includes(node)))
}

/** Users whom the fabric does not know any more, or not where they can be reached. */
async function lostUsers(chaos: Chaos): Promise<readonly string[]> {
  const lost: string[] = []
  await inParallel(chaos.population.members, 16, async ({ user }) => {
    const { user: isKnown, bindings } = await lookUp(chaos.pick(chaos.living), `${user}@${chaos.farm.domain}`)
    if (!isKnown || bindings.length === 0) lost.push(user)
  })
  return lost
}

async function share(chaos: Chaos): Promise<void> {
  const all = await Promise.all(chaos.living.map((node) => statusOf(node)))
  const held = all.map(({ records }) => records.held)
  const mean = held.reduce((sum, each) => sum + each, 0) / held.length
  chaos.note("half: share held, max over mean", (Math.max(...held) / mean).toFixed(2))
}
