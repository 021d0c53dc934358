import assert from "node:assert/strict"
import { test } from "node:test"
import { isQuestion, NO_ANSWER, NODES, NOW, PATH, verified } from "../../../test/support/fabric-records.ts"
import { fromHex } from "../kit/hex.ts"
import { after, type Instant, NEVER, seconds } from "../kit/time.ts"
import { parseResourceId } from "../reload/header.ts"
import { NODE_HEALTH } from "../storage/kinds.ts"
import type { OverlayAnswer, OverlayQuestion } from "../usage/fabric-stores.ts"
import { HealthProbe, type HealthProbeEffect } from "./health-probe.ts"

const [SELF] = NODES
const RESOURCE = parseResourceId("ab".repeat(16))
const HEALTHY = { kind: "verdict", healthy: true } as const

/** How a fabric behaves: copies it makes, or a failure; and whether what was stored is found. */
interface Fabric {
  readonly copies?: number
  readonly failing?: "store" | "fetch"
  readonly forgets?: boolean
  readonly livingPeers?: number
}

class Bench {
  readonly probe = new HealthProbe(SELF, "0.1.0", RESOURCE, 3)
  now: Instant = NOW

  begin(fabric: Fabric = {}) {
    return this.#finish(this.probe.handle({ kind: "begin" }, this.now), fabric)
  }

  /** The next probe, when it is due: what it comes to in that fabric. */
  probeIn(fabric: Fabric = {}) {
    this.now = this.probe.deadline
    return this.#finish(this.probe.expire(this.now), fabric)
  }

  #finish(effects: readonly HealthProbeEffect[], fabric: Fabric): readonly HealthProbeEffect[] {
    const [question] = effects
    if (question === undefined || !isQuestion(question)) return effects
    assert.equal(this.probe.deadline, NEVER, "a probe that waits for its answer starts no other")
    const { livingPeers = 2 } = fabric
    return this.#finish(this.probe.handle({ ...answerOf(question, fabric), livingPeers }, this.now), fabric)
  }
}

function answerOf(question: OverlayQuestion, { copies = 3, failing, forgets }: Fabric): OverlayAnswer {
  const { ticket, kind } = question
  if (kind === "store")
    return {
      kind: "stored",
      ticket,
      result: failing === "store" ? NO_ANSWER : { kind: "stored", copies, path: PATH },
    }
  const value = { model: "single", exists: forgets !== true, value: fromHex(SELF) } as const
  const values = new Map([[NODE_HEALTH.id, [verified(value)]]])
  return {
    kind: "fetched",
    ticket,
    result: failing === "fetch" ? NO_ANSWER : { kind: "found", values, path: PATH },
  }
}

const unhealthy = (cause: string) => [{ kind: "verdict", healthy: false, cause }]

test("a probe stores the node's own record and reads it back, every five seconds", () => {
  const { probe } = new Bench()
  const stored = probe.handle({ kind: "begin" }, NOW)
  // Node-ID, then the length of the version and its letters.
  const value = { model: "single", exists: true, value: fromHex(`${SELF}05302e312e30`) }
  assert.deepEqual(stored, [
    {
      kind: "store",
      ticket: 3,
      resource: RESOURCE,
      values: [{ kind: 0xf0000004, value, lifetime: 60 }],
    },
  ])
  const copies = { kind: "stored", copies: 3, path: PATH } as const
  const read = probe.handle({ kind: "stored", ticket: 3, result: copies, livingPeers: 2 }, NOW)
  assert.deepEqual(read, [{ kind: "fetch", ticket: 11, resource: RESOURCE, wanted: [{ kind: 0xf0000004 }] }])
  const answer = answerOf({ kind: "fetch", ticket: 11, resource: RESOURCE, wanted: [] }, {})
  assert.deepEqual(probe.handle({ ...answer, livingPeers: 2 }, NOW), [HEALTHY])
  assert.equal(probe.deadline, NOW + 5_000)
  assert.deepEqual(probe.expire((NOW + 4_999) as Instant), [])
})

test("one failure is forgiven, and looked into after a second; the second in a row is not", () => {
  for (const failing of ["store", "fetch"] as const) {
    const bench = new Bench()
    assert.deepEqual(bench.begin({ failing }), [])
    assert.equal(bench.probe.deadline, bench.now + 1_000)
    assert.deepEqual(bench.probeIn({ failing }), unhealthy(NO_ANSWER.cause))
  }
})

test("failures with a success between them are no two in a row", () => {
  const bench = new Bench()
  assert.deepEqual(bench.begin({ failing: "store" }), [])
  assert.deepEqual(bench.probeIn(), [HEALTHY])
  assert.deepEqual(bench.probeIn({ failing: "fetch" }), [])
  assert.deepEqual(bench.probeIn(), [HEALTHY])
})

test("one success makes an unhealthy node healthy again, and the next failure is forgiven again", () => {
  const bench = new Bench()
  bench.begin({ failing: "store" })
  bench.probeIn({ failing: "store" })
  assert.deepEqual(bench.probeIn({ failing: "store" }), unhealthy(NO_ANSWER.cause))
  assert.equal(bench.probe.deadline, bench.now + 1_000)
  assert.deepEqual(bench.probeIn(), [HEALTHY])
  assert.deepEqual(bench.probeIn({ failing: "store" }), [])
})

test("a record needs a copy at each of three nodes, or at all where fewer live", () => {
  const verdictOf = (fabric: Fabric) => {
    const bench = new Bench()
    bench.begin(fabric)
    return bench.probeIn(fabric)
  }
  assert.deepEqual(verdictOf({ livingPeers: 0, copies: 1 }), [HEALTHY])
  assert.deepEqual(verdictOf({ livingPeers: 1, copies: 2 }), [HEALTHY])
  assert.deepEqual(verdictOf({ livingPeers: 9, copies: 3 }), [HEALTHY])
  assert.deepEqual(verdictOf({ livingPeers: 1, copies: 1 }), unhealthy("a record got 1 of 2 copies"))
  assert.deepEqual(verdictOf({ livingPeers: 9, copies: 2 }), unhealthy("a record got 2 of 3 copies"))
})

test("a record that was stored and is not found is a failure", () => {
  const bench = new Bench()
  bench.begin({ forgets: true })
  assert.deepEqual(bench.probeIn({ forgets: true }), unhealthy("a record just stored was not found"))
})

test("a node that leaves probes no more, whatever answer still comes", () => {
  const { probe } = new Bench()
  probe.handle({ kind: "begin" }, NOW)
  assert.deepEqual(probe.handle({ kind: "end" }, NOW), [])
  const late = { kind: "stored", ticket: 3, result: NO_ANSWER, livingPeers: 2 } as const
  assert.deepEqual(probe.handle(late, after(NOW, seconds(1))), [])
  assert.equal(probe.deadline, NEVER)
})
