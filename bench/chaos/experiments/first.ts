import { setTimeout as pause } from "node:timers/promises"
import type { Chaos } from "../chaos.ts"
import { statusOf } from "../watch.ts"

/** The node that made the fabric, gone for good. */
export async function first(chaos: Chaos): Promise<void> {
  const maker = chaos.farm.nodes[0]!
  if (chaos.living.includes(maker)) await chaos.kill([maker])
  await pause(4_000)
  const here = chaos.pick(chaos.living)
  const there = chaos.pick(chaos.living.filter((node) => node !== here))
  const name = `late-${chaos.settings.seed}`
  await here.ask("user", "add", name, "--password", "secret")
  const users: readonly string[] = JSON.parse(await there.ask("user", "list", "--json")).users
  const isKnown = users.some((user) => user.startsWith(name))
  chaos.verdict(
    "first: a user added without the first node is known elsewhere",
    isKnown ? "yes" : "no",
    "yes",
    isKnown,
  )
  const joined = await chaos.join(here)
  await chaos.complete("without the first node")
  const { nodes } = await statusOf(joined)
  chaos.count("first: nodes that one more sees after it joined", nodes.length, chaos.living.length)
  const plain = chaos.population.members.filter(({ transport }) => transport === "UDP")
  await chaos.callEveryone("first: phones on plain UDP reached through it", plain, [joined])
}
