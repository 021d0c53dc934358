import assert from "node:assert/strict"
import { test } from "node:test"
import { SeededRandom } from "../../core/kit/random.ts"
import type { Instant } from "../../core/kit/time.ts"
import { NODE_IDS } from "../../core/topology/chord/circle.ts"
import { fingers, needed, neighborCount, neighbors } from "../../core/topology/chord/rules.ts"
import { viewOfAll } from "./first-tables.ts"
import { IdSpace } from "./id-space.ts"
import type { SimulationResult } from "./result.ts"
import { LeanWorld, type SimulationOptions, simulate } from "./simulate.ts"

const ordinary: SimulationOptions = {
  peers: 500,
  seed: 1,
  lookups: 500,
  latency: "sites",
  minutes: 2,
  churn: undefined,
  crashShare: 0.5,
  fault: undefined,
}

function play(changes: Partial<SimulationOptions>): SimulationResult {
  for (const run = simulate({ ...ordinary, ...changes }); ; ) {
    const next = run.next()
    if (next.done) return next.value
  }
}

test("distances between ranks are those between their Node-IDs, to the bit", () => {
  const space = IdSpace.draw(200, new SeededRandom(3))
  for (let a = 0; a < 200; a += 7) {
    for (let b = 0; b < 200; b += 3) {
      if (a === b) continue
      const [from, to] = [space.nodeId(a), space.nodeId(b)]
      assert.equal(from < to, a < b)
      assert.equal(space.fingerIndex(a, b), NODE_IDS.fingerIndex(from, to))
      assert.equal(space.way(a, b), NODE_IDS.way(from, to))
    }
    for (const index of [1, 2, 31, 32, 33, 64, 97, 128])
      assert.equal(
        space.fingerStart(a, index),
        space.spotOf(NODE_IDS.fingerStart(space.nodeId(a), index)),
        `finger ${index}`,
      )
  }
})

/** What the plug-in has in its tables, and which links there are. */
function tablesOf({ population: { state, machine, roster } }: LeanWorld): ReadonlyMap<number, string> {
  const ring = roster.ring()
  return new Map(
    Array.from(ring, (rank) => {
      state.sit(rank)
      const { predecessors, successors } = machine.neighbors()
      return [
        rank,
        JSON.stringify([
          predecessors,
          successors,
          machine.fingers(),
          state.linked().toSorted((a, b) => a - b),
        ]),
      ]
    }),
  )
}

/** LEAN_GROWN=10000 grows a ring as large. */
const GROWN = Number(process.env["LEAN_GROWN"] ?? 200)

test("a ring that grew by the protocol has the tables that are computed of its members", () => {
  const space = IdSpace.draw(GROWN, new SeededRandom(5))
  const grown = new LeanWorld(5, "lan", 1, space)
  const { population, lives } = grown
  lives.found(grown.fresh())
  const wave = () => Math.max(1, Math.floor(population.roster.count / 20))
  while (grown.hasFresh) {
    for (let left = wave(); left > 0 && grown.hasFresh; left--) lives.begin(grown.fresh())
    for (let i = 0; i < 600 && lives.joining > 0; i++) population.run((population.now + 100) as Instant)
    assert.equal(lives.joining, 0, "all join")
  }
  // Once round with the search for better fingers.
  population.run((population.now + 2 * 3_600_000) as Instant)
  assert.equal(population.roster.count, GROWN)
  const laid = new LeanWorld(5, "lan", 1, space)
  for (const _ of laid.begin(GROWN));
  const expected = tablesOf(laid)
  let wrong = 0
  for (const [rank, tables] of tablesOf(grown)) if (tables !== expected.get(rank)) wrong++
  assert.equal(wrong, 0, `peers of ${GROWN} whose tables differ`)
})

test("computed tables hold the nearest peers and the first of each finger's interval", () => {
  const ranks = Uint32Array.from({ length: 300 }, (_, rank) => rank)
  const view = viewOfAll(IdSpace.draw(300, new SeededRandom(9)), ranks, 0)
  const { predecessors, successors } = neighbors(view, neighborCount(view))
  const count = successors.length
  assert.deepEqual(
    successors,
    Array.from({ length: count }, (_, step) => step + 1),
  )
  assert.deepEqual(
    predecessors,
    Array.from({ length: count }, (_, step) => 299 - step),
  )
  for (const finger of fingers(view))
    assert.ok(finger === 1 || view.ring.fingerIndex(0, finger - 1) > view.ring.fingerIndex(0, finger))
  assert.equal(needed(view).size, new Set([...predecessors, ...successors, ...fingers(view)]).size)
})

test("while peers come and go, every look-up is right, and takes about half the logarithm of hops", () => {
  const { hops, lookups, joins, leaves, crashes, records } = play({ peers: 2_000 })
  assert.deepEqual([lookups.total, lookups.failed, lookups.wrong], [500, 0, 0])
  assert.ok(hops.mean <= Math.log2(2_000) / 2 + 1, `mean ${hops.mean}`)
  assert.ok(hops.max <= Math.log2(2_000) + 2, `max ${hops.max}`)
  assert.deepEqual([joins, leaves + crashes, records.lost], [20, 20, 0])
})

test("a tenth that dies at once is mourned within a minute", () => {
  const result = play({ fault: { kind: "crash", share: 0.1 }, minutes: 3 })
  assert.ok(result.crashes > 25, `${result.crashes} die`)
  assert.ok(result.records.repairSeconds.max < 60, `${result.records.repairSeconds.max} s`)
  assert.ok(result.lookups.wrong === 0)
})

test("where one peer in ten drops or misroutes messages, look-ups go round it: nine in ten are right, not two in three", () => {
  const { lookups, unaided } = play({ fault: { kind: "liars", share: 0.1, lies: ["drop", "misroute"] } })
  assert.equal(lookups.wrong, 0)
  assert.ok(lookups.answered > 0.9 * lookups.total, `${lookups.answered} of ${lookups.total}`)
  assert.ok(
    unaided!.answered < 0.8 * lookups.total,
    `${unaided!.answered} of ${lookups.total} without remedies`,
  )
})

test("who answers for a place far away is not believed", () => {
  const { lookups, unaided } = play({ fault: { kind: "liars", share: 0.1, lies: ["usurp"] } })
  assert.ok(
    unaided!.wrong > 0.1 * lookups.total,
    `${unaided!.wrong} of ${lookups.total} are deceived without remedies`,
  )
  assert.ok(lookups.wrong < 0.01 * lookups.total, `${lookups.wrong} of ${lookups.total}`)
})

test("one seed is one run, another seed another", () => {
  const [one, again, other] = [play({}), play({}), play({ seed: 2 })]
  assert.equal(one.log, again.log)
  assert.notEqual(one.log, other.log)
})

/** How far from the first notice of a death to the last one, for each that was linked to several of those that died, in milliseconds. */
function spansOfNotice(world: LeanWorld, victims: readonly number[]): readonly number[] {
  const { population, lives } = world
  const { roster, state } = population
  for (const victim of victims) lives.crash(victim, "silent")
  const noticed = new Map<number, number[]>()
  const linkedDead = (rank: number) => {
    state.sit(rank)
    return victims.filter((victim) => state.isLinked(victim)).length
  }
  const before = new Map(Array.from(roster.ring(), (rank) => [rank, linkedDead(rank)]))
  for (let now = 50; now <= 40_000; now += 50) {
    population.run(now as Instant)
    for (const [rank, count] of before) {
      const left = linkedDead(rank)
      const times = noticed.get(rank) ?? []
      for (let each = left; each < count; each++) times.push(now)
      noticed.set(rank, times)
      before.set(rank, left)
    }
  }
  return [...noticed.values()].filter(({ length }) => length > 2).map((times) => times.at(-1)! - times[1]!)
}

test("a second peer that falls silent soon after another has all others asked that are quiet", () => {
  const world = new LeanWorld(4, "lan", 1, 300)
  for (const _ of world.begin(300));
  const spans = spansOfNotice(
    world,
    Array.from({ length: 90 }, (_, rank) => rank),
  )
  assert.ok(spans.length > 50, `${spans.length} peers were linked to three that died`)
  // Idle links are probed after half a minute: without an alarm many are noticed so late.
  const soon = spans.filter((span) => span <= 2_000).length
  assert.ok(soon > 0.8 * spans.length, `${soon} of ${spans.length} have noticed all within 2 s of the second`)
})
