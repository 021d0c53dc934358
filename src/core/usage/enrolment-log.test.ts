import assert from "node:assert/strict"
import { test } from "node:test"
import { FabricRecords, isQuestion, NO_ANSWER, NODES } from "../../../test/support/fabric-records.ts"
import { SeededRandom } from "../kit/random.ts"
import { ENROLMENT_LOG } from "../storage/kinds.ts"
import { EnrolmentLog, type EnrolmentLogEffect, type EnrolmentLogResult, shardName } from "./enrolment-log.ts"
import type { OverlayQuestion } from "./fabric-stores.ts"

const keyOf = (number: number) => ((number * 0x9e3779b1) >>> 0).toString(16).padStart(8, "0").padEnd(64, "0")
const useOf = (key: number, uses: number, node = NODES[0]) => ({
  invite: "i",
  uses,
  key: keyOf(key),
  node,
  lifetime: 3_600,
})

/** One enrolment node: its log, and what it has asked the fabric and not been answered yet. */
class Counter {
  readonly log: EnrolmentLog
  readonly records: FabricRecords
  readonly open: OverlayQuestion[] = []
  result: EnrolmentLogResult | undefined

  constructor(records: FabricRecords) {
    this.records = records
    this.log = new EnrolmentLog({ overlay: records }, 1)
  }

  begin(use: ReturnType<typeof useOf>): void {
    this.result = undefined
    this.take(this.log.handle({ kind: "count-use", ticket: 1, use }))
  }

  step(): void {
    const question = this.open.shift()
    if (question) this.take(this.log.handle(this.records.answer(question)))
  }

  count(use: ReturnType<typeof useOf>): EnrolmentLogResult {
    this.begin(use)
    while (this.open.length > 0) this.step()
    return this.result!
  }

  take(effects: readonly EnrolmentLogEffect[]): void {
    for (const effect of effects) {
      if (isQuestion(effect)) this.open.push(effect)
      else this.result = effect.result
    }
  }
}

test("a use counts at every enrolment node, and a key that comes again keeps its Node-ID and costs none", () => {
  const records = new FabricRecords()
  const [one, other] = [new Counter(records), new Counter(records)]
  assert.deepEqual(one.count(useOf(1, 1, NODES[0])), { kind: "use-counted", node: NODES[0] })
  assert.deepEqual(other.count(useOf(2, 1)), { kind: "invite-used-up" })
  assert.deepEqual(other.count(useOf(1, 1, NODES[1])), { kind: "use-counted", node: NODES[0] })
})

test("however two nodes interleave over a last use, one at most gives it away", () => {
  let both = 0
  for (let seed = 1; seed <= 300; seed++) {
    const random = new SeededRandom(seed)
    const records = new FabricRecords()
    const counters = [new Counter(records), new Counter(records)] as const
    for (const [index, counter] of counters.entries()) counter.begin(useOf(index + 1, 1))
    while (counters.some(({ open }) => open.length > 0)) counters[random.next() < 0.5 ? 0 : 1].step()
    const given = counters.filter(({ result }) => result?.kind === "use-counted").length
    assert.ok(given <= 1, `seed ${seed}`)
    if (given === 1) continue
    both++
    for (const { result } of counters) assert.equal(result?.kind, "use-contested")
    assert.equal(counters[0].count(useOf(1, 1)).kind, "use-counted", "both have withdrawn")
  }
  assert.ok(both > 0, "some seeds have both withdraw")
})

test("many uses are spread over records that a message can hold, and are counted to the last", () => {
  const records = new FabricRecords()
  const counter = new Counter(records)
  const uses = 200
  for (let key = 1; key <= uses; key++) assert.equal(counter.count(useOf(key, uses)).kind, "use-counted")
  assert.equal(counter.count(useOf(uses + 1, uses)).kind, "invite-used-up")
  const shards = [0, 1, 2, 3].map((shard) => records.valuesOf(shardName("i", shard), ENROLMENT_LOG.id).length)
  assert.equal(
    shards.reduce((sum, each) => sum + each),
    uses,
  )
  assert.ok(Math.max(...shards) < 128, String(shards))
})

test("a fabric that does not answer gives nothing away", () => {
  const counter = new Counter(new FabricRecords())
  counter.begin(useOf(1, 1))
  const { ticket } = counter.open.shift()!
  counter.take(counter.log.handle({ kind: "fetched", ticket, result: NO_ANSWER }))
  assert.ok(
    counter.result?.kind === "refused" && /cannot be counted now: no holder/.test(counter.result.cause),
  )
})
