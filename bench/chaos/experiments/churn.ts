import { setTimeout as pause } from "node:timers/promises"
import type { FarmNode } from "../../../test/interop/support/farm.ts"
import type { Chaos } from "../chaos.ts"
import { oneDecimal, percentile } from "../report.ts"
import { SippCalls } from "../sipp-calls.ts"

/** A node is killed, and one begins to join, so often. */
const EVERY = 2_000
const CALLS = 50
/** How long one that joins is waited for: it asks for two minutes itself, where nobody can admit it yet. */
const PATIENCE = 180_000
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
  chaos.farm.patience = PATIENCE
  const coming = new Coming(chaos, stable)
  const marks = await comeAndGo(chaos, stable, coming)
  const inTime = coming.took.length
  await load.stop()
  chaos.picture(load, marks)
  chaos.note(`churn: nodes killed in ${chaos.settings.churn} s`, String(marks.size))
  chaos.note("churn: nodes that had joined by then", `${inTime} of ${coming.begun}`)
  if (sipp !== undefined) {
    const { successful, failed, complaints } = await sipp.stop()
    const causes = complaints.match(/(Aborting|Overload|Discarding)[^\n]*/g) ?? []
    if (failed > 0) chaos.say(["SIPp says:", ...causes.slice(0, 5)].join("\n"))
    chaos.note("churn: calls of SIPp that failed", `${failed} of ${successful + failed}`)
  }
  chaos.note("churn: calls that failed", `${load.failures.length} of ${load.calls.length}`)
  chaos.verdict("churn: answered calls that could not be hung up", String(load.lost), "0", load.lost === 0)
  await coming.ended()
  const [half, most] = [percentile(coming.took, 0.5), Math.max(0, ...coming.took)]
  chaos.note(
    "churn: from start to ready, half of them and the slowest",
    `${oneDecimal(half)} and ${oneDecimal(most)} s`,
  )
  chaos.count("churn: nodes that could join", coming.took.length, coming.begun)
  const whole = await chaos.complete("after the churn")
  chaos.within("churn: until every record was complete again", whole, chaos.settings.limits.repaired)
  const plain = chaos.population.members.filter(({ transport }) => transport === "UDP")
  await chaos.callEveryone("churn: phones on plain UDP reached afterwards", plain, [chaos.pick(chaos.living)])
}

/** Nodes that join, as many at once as there are. */
class Coming {
  readonly #chaos: Chaos
  readonly #inviters: readonly FarmNode[]
  readonly #underWay = new Set<Promise<void>>()
  /** Of those that are ready: how long it took, in seconds. */
  readonly took: number[] = []
  begun = 0

  constructor(chaos: Chaos, inviters: readonly FarmNode[]) {
    this.#chaos = chaos
    this.#inviters = inviters
  }

  get now(): number {
    return this.#underWay.size
  }

  begin(): void {
    this.begun++
    const joining = this.#join().finally(() => this.#underWay.delete(joining))
    this.#underWay.add(joining)
  }

  async ended(): Promise<void> {
    await Promise.all(this.#underWay)
  }

  async #join(): Promise<void> {
    const from = performance.now()
    try {
      await this.#chaos.join(this.#chaos.pick(this.#inviters))
      this.took.push((performance.now() - from) / 1_000)
    } catch (problem) {
      this.#chaos.say(`a node could not join: ${problem instanceof Error ? problem.message : problem}`)
    }
  }
}

/**
 * One goes and one comes on every beat, without waiting for one another; where all who may go are gone or have not come
 * yet, nobody goes. Gives the seconds in which a node was killed.
 */
async function comeAndGo(
  chaos: Chaos,
  stable: readonly FarmNode[],
  coming: Coming,
): Promise<ReadonlyMap<number, string>> {
  const marks = new Map<number, string>()
  const start = performance.now()
  const size = chaos.living.length
  for (let beat = 1; performance.now() - start < 1_000 * chaos.settings.churn; beat++) {
    const candidates = chaos.living.filter((node) => !stable.includes(node))
    if (candidates.length > 0) {
      marks.set(Math.floor((performance.now() - start) / 1_000), "Kill")
      await chaos.kill([chaos.pick(candidates)])
    }
    if (chaos.living.length + coming.now < size) coming.begin()
    await pause(Math.max(0, start + EVERY * beat - performance.now()))
  }
  return marks
}
