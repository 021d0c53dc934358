import assert from "node:assert/strict"
import { type TestContext, test } from "node:test"
import { type Duration, type Instant, seconds } from "../../src/core/kit/time.ts"
import { openSslHashes } from "../../src/sim/hashes.ts"
import { IdSpace } from "../../src/sim/lean/id-space.ts"
import { LeanWorld } from "../../src/sim/lean/simulate.ts"
import { ringAmiss } from "../../src/sim/peers/peer-checkers.ts"
import { PeerWorld } from "../../src/sim/peers/peer-world.ts"

// When peers notice that others have died in silence: 64 whole peers with real probes, and the same ring of lean ones
// in which the same die at the same times.

const PEERS = 64
/** So many at once, far from each other; WAVES=6 lets them die so many times. */
const AT_ONCE = 4
const WAVES = Number(process.env["WAVES"] ?? 3)
const APART = seconds(36)
/** And each time a little longer, since links that were idle for as long are probed at about the same time. */
const LONGER = seconds(3.7)
/** A whole ring has this long to find its fingers, before the first die. */
const SETTLED = seconds(20)
/** Neighbors on each side that are watched closely. */
const WATCHED = 3
const STEP = 20

/** Milliseconds from deaths to the moments at which those that were linked noticed. */
interface Delays {
  readonly neighbors: number[]
  readonly others: number[]
}

/** One ring, of either kind. */
interface Ring {
  /** The living, in order of their Node-IDs. */
  alive(): readonly string[]
  linkedTo(victim: string): readonly string[]
  kill(victim: string): void
  /** Lets the time between two waves of deaths pass; tells who noticed whose death, and how long after. */
  wait(
    span: Duration,
    victims: ReadonlyMap<string, readonly string[]>,
    noticed: (who: string, whom: string, after: number) => void,
  ): void
}

function measure(ring: Ring): Delays {
  const delays: Delays = { neighbors: [], others: [] }
  for (let time = 0; time < WAVES; time++) {
    const alive = ring.alive()
    const apart = Math.floor(alive.length / AT_ONCE)
    const victims = alive.filter((_, place) => place % apart === time % apart).slice(0, AT_ONCE)
    const near = new Map(victims.map((victim) => [victim, neighborsOf(alive, victim)]))
    const linked = new Map(victims.map((victim) => [victim, ring.linkedTo(victim)]))
    for (const victim of victims) ring.kill(victim)
    ring.wait((APART + time * LONGER) as Duration, linked, (who, whom, after) => {
      const kind = near.get(whom)!.has(who) ? "neighbors" : "others"
      delays[kind].push(after)
    })
  }
  return delays
}

function neighborsOf(alive: readonly string[], victim: string): ReadonlySet<string> {
  const place = alive.indexOf(victim)
  const steps = Array.from({ length: 2 * WATCHED + 1 }, (_, index) => index - WATCHED)
  return new Set(steps.map((step) => alive[(place + step + alive.length) % alive.length]!))
}

function wholeRing(world: PeerWorld, heard: { line: (line: string) => void }): Ring {
  const byId = () => new Map(world.peers.map((peer) => [peer.nodeId as string, peer]))
  const idAt = (host: string) => world.peers.find((peer) => peer.host === host)!.nodeId
  return {
    alive: () => world.alive.map(({ nodeId }) => nodeId),
    linkedTo: (victim) =>
      world.alive
        .filter(({ overlay }) => overlay.status.peers.some(({ node }) => node === victim))
        .map(({ nodeId }) => nodeId),
    kill: (victim) => byId().get(victim)!.crash("silent"),
    wait(span, victims, noticed) {
      const died = world.now
      heard.line = (line) => {
        const [, now, host, whom] = /^(\S+) (\S+) \w+ overlay\.unlinked \{"node":"(\w+)"/.exec(line) ?? []
        if (whom === undefined || !victims.get(whom)?.includes(idAt(host!))) return
        noticed(idAt(host!), whom, Number(now) - died)
      }
      world.run(span)
    },
  }
}

function leanRing(ids: readonly string[]): Ring {
  const world = new LeanWorld(21, "lan", 1, IdSpace.of(ids))
  for (const _ of world.begin(ids.length));
  const { population, lives } = world
  const { state, space, roster } = population
  const ranks = new Map(Array.from({ length: ids.length }, (_, rank) => [space.nodeId(rank) as string, rank]))
  const isLinked = (who: string, whom: string) => {
    state.sit(ranks.get(who)!)
    return state.isLinked(ranks.get(whom)!)
  }
  return {
    alive: () => Array.from(roster.ring(), (rank) => space.nodeId(rank)),
    linkedTo: (victim) =>
      [...ranks.keys()].filter((who) => roster.isPeer(ranks.get(who)!) && isLinked(who, victim)),
    kill: (victim) => lives.crash(ranks.get(victim)!, "silent"),
    wait(span, victims, noticed) {
      const died = population.now
      let waiting = [...victims].flatMap(([whom, all]) => all.map((who) => ({ who, whom })))
      for (let after = STEP; after <= span; after += STEP) {
        population.run((died + after) as Instant)
        waiting = waiting.filter(({ who, whom }) => {
          if (isLinked(who, whom)) return true
          noticed(who, whom, after)
          return false
        })
      }
    },
  }
}

function quantiles(delays: readonly number[]): readonly number[] {
  const sorted = delays.toSorted((a, b) => a - b)
  return [0.1, 0.25, 0.5, 0.75, 0.9].map((part) => sorted[Math.floor(part * sorted.length)]!)
}

/**
 * How far quantiles may be apart, in milliseconds. Whole peers that came up together look at their links at the same
 * instants, 200 ms apart; those of other links scatter by a second or two, being a few hundred between 2 and 28 s.
 */
const NEIGHBORS_BOUND = 200
const OTHERS_BOUND = 4_000

function assertAlike(
  t: TestContext,
  real: readonly number[],
  drawn: readonly number[],
  bound: number,
  what: string,
): void {
  const [theirs, ours] = [quantiles(real), quantiles(drawn)]
  const seen = `${what}: of ${real.length} real ${shown(theirs)}, of ${drawn.length} drawn ${shown(ours)}`
  t.diagnostic(seen)
  for (const [index, quantile] of ours.entries())
    assert.ok(Math.abs(quantile - theirs[index]!) <= bound, seen)
}

const shown = (all: readonly number[]) => `${all.map((each) => (each / 1_000).toFixed(2)).join(" ")} s`

test("a death is noticed by lean peers when whole peers with real probes notice it", (t) => {
  const heard = { line: (_: string): void => undefined }
  const world = new PeerWorld(21, { peers: PEERS }, openSslHashes, (line) => heard.line(line))
  world.runUntil(() => world.happened % 5_000 === 0 && ringAmiss(world) === undefined, seconds(60))
  assert.equal(ringAmiss(world), undefined)
  world.run(SETTLED)
  const ids = world.alive.map(({ nodeId }) => nodeId)
  const real = measure(wholeRing(world, heard))
  const drawn = measure(leanRing(ids))
  assert.equal(real.neighbors.length, 2 * WATCHED * AT_ONCE * WAVES)
  assert.ok(real.others.length >= 8 * AT_ONCE * WAVES, `${real.others.length} other links`)
  assertAlike(t, real.neighbors, drawn.neighbors, NEIGHBORS_BOUND, "neighbors")
  assertAlike(t, real.others, drawn.others, OTHERS_BOUND, "others")
})
