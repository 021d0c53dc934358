import { setTimeout as pause } from "node:timers/promises"
import type { FarmNode } from "../../../test/interop/support/farm.ts"
import type { Chaos } from "../chaos.ts"
import { SippCalls } from "../sipp-calls.ts"

/** A node is killed, and one joins, so often. */
const EVERY = 2_000
const CALLS = 50
/** Of them by SIPp, where it is installed. */
const BY_SIPP = 10

/**
 * Nodes die and join all the time, under calls. Callers use three nodes that stay: a phone whose own node dies
 * has to find another first, which is its own affair.
 */
export async function churn(chaos: Chaos): Promise<void> {
  const admitter = await chaos.admitter()
  const stable = [admitter, ...chaos.living.filter((node) => node !== admitter).slice(0, 2)]
  const sipp = await SippCalls.start(chaos, stable[1] ?? admitter, BY_SIPP)
  const load = await chaos.load(() => stable, sipp === undefined ? CALLS : CALLS - BY_SIPP)
  const marks = await comeAndGo(chaos, stable)
  await load.stop()
  chaos.picture(load, marks)
  chaos.note("churn: nodes killed, and as many joined", String([...marks.values()].length))
  chaos.note("churn: calls that failed", `${load.failures.length} of ${load.calls.length}`)
  if (sipp !== undefined) {
    const { successful, failed } = await sipp.stop()
    chaos.note("churn: calls of SIPp that failed", `${failed} of ${successful + failed}`)
  }
  chaos.verdict("churn: answered calls that could not be hung up", String(load.lost), "0", load.lost === 0)
  await chaos.complete("after the churn")
  const plain = chaos.population.members.filter(({ transport }) => transport === "UDP")
  await chaos.callEveryone("churn: phones on plain UDP reached afterwards", plain, [chaos.pick(chaos.living)])
}

/** Gives the seconds in which a node was killed. */
async function comeAndGo(chaos: Chaos, stable: readonly FarmNode[]): Promise<ReadonlyMap<number, string>> {
  const marks = new Map<number, string>()
  const start = performance.now()
  for (let round = 1; performance.now() - start < 1_000 * chaos.settings.churn; round++) {
    const candidates = chaos.living.filter((node) => !stable.includes(node))
    marks.set(Math.floor((performance.now() - start) / 1_000), "Kill")
    if (candidates.length > 0) await chaos.kill([chaos.pick(candidates)])
    await chaos.join(chaos.pick(stable))
    await pause(Math.max(0, start + EVERY * round - performance.now()))
  }
  return marks
}
