import type { Chaos } from "../chaos.ts"
import { seconds } from "../population.ts"
import { oneDecimal } from "../report.ts"

/** All dead at once, all started at once. */
export async function power(chaos: Chaos): Promise<void> {
  const nodes = [...chaos.living]
  await chaos.kill(nodes)
  const up = await seconds(async () => {
    await Promise.all(nodes.map((node) => node.up()))
  })
  chaos.living = nodes
  chaos.note(`power: until all ${nodes.length} nodes were up again`, `${oneDecimal(up)} s`)
  await chaos.complete("after the power cut")
  await chaos.population.goHome()
  await chaos.callEveryone(
    "power: phones reached after all nodes died and returned",
    chaos.population.members,
    [chaos.pick(nodes)],
  )
}
