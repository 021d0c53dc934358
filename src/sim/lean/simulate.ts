import { SeededRandom } from "../../core/kit/random.ts"
import { after, type Instant, minutes, seconds } from "../../core/kit/time.ts"
import { layTables } from "./first-tables.ts"
import { IdSpace } from "./id-space.ts"
import { Latency, type LatencyName } from "./latency.ts"
import { Liars, type Lie } from "./liars.ts"
import { Lives } from "./lives.ts"
import { Lookups } from "./lookups.ts"
import { Population } from "./population.ts"
import { LeanRecords } from "./records.ts"
import { measure, type SimulationResult } from "./result.ts"
import { LeanAttaching } from "./travel.ts"

/**
 * Peers that die in silence at one instant, half-way through: a part of all, or one of three sites; or a part that lies from
 * the beginning.
 */
export type Fault =
  | { readonly kind: "crash"; readonly share: number }
  | { readonly kind: "site" }
  | { readonly kind: "liars"; readonly share: number; readonly lies: readonly Lie[] }

export interface SimulationOptions {
  readonly peers: number
  readonly seed: number
  readonly lookups: number
  readonly latency: LatencyName
  /** Simulated, in minutes. */
  readonly minutes: number
  /** Mean session in minutes; undefined: one peer in a hundred leaves, and as many join. */
  readonly churn: number | undefined
  /** The part of those that go that die in silence. */
  readonly crashShare: number
  readonly fault: Fault | undefined
}

export interface Stage {
  readonly stage: "tables" | "time"
  /** Of 1. */
  readonly done: number
}

/** The defaults of RFC 6940 §10.7.4; and reactive. */
export const TIMES = { updateInterval: seconds(600), pingInterval: seconds(3_600), reactive: true }

const TURNOVER = 0.01
/** Of an entry of a table; a ring of a million has 70 of them for each peer. */
const ENTRIES_A_PEER = 100
const MOST_RECORDS = 20_000
/** After the last change, before the ring is measured. */
const REST = seconds(30)
/** Steps that are told, at least; none takes longer than a simulated minute. */
const LEAST_STEPS = 200

/** The parts of one world, ready to begin. `ranks`: ids that may be used, of which peers and joiners are drawn. */
export class LeanWorld {
  readonly random: SeededRandom
  readonly population: Population
  readonly attaching: LeanAttaching
  readonly records: LeanRecords
  readonly lives: Lives
  readonly lookups: Lookups
  /** The same questions, put as if nobody lied; only where somebody does. */
  readonly unaided: Lookups | undefined
  /** Nobody asks any more: what has been asked is waited for. */
  isClosing = false
  readonly #fresh: Uint32Array
  #taken = 0

  constructor(
    seed: number,
    latency: LatencyName,
    records: number,
    space: IdSpace | number,
    fault?: Fault | undefined,
  ) {
    this.random = new SeededRandom(seed)
    const ids = typeof space === "number" ? IdSpace.draw(space, this.random) : space
    this.population = new Population({
      space: ids,
      latency: new Latency(latency, seed),
      random: this.random,
      times: TIMES,
      expectedEntries: ENTRIES_A_PEER * ids.size,
    })
    this.attaching = new LeanAttaching(this.population)
    this.records = new LeanRecords(this.population, records)
    this.lives = new Lives(this.population, this.attaching, this.records)
    if (fault?.kind === "liars")
      this.population.liars = new Liars(ids.size, fault.share, fault.lies, new SeededRandom(seed + 0.5))
    const { liars } = this.population
    this.lookups = new Lookups(this.population, this.records, liars)
    this.unaided = liars && new Lookups(this.population, this.records, liars, false)
    this.population.events = {
      wanted: (rank, peer, via) => this.attaching.want(rank, peer, via),
      sought: (rank, target) => this.attaching.seek(rank, target),
      shareChanged: (rank, cause) => this.records.shareChanged(rank, cause),
      updated: (rank, from) => this.lives.updated(rank, from),
      died: (rank) => this.records.died(rank),
    }
    this.#fresh = shuffled(ids.size, this.random)
  }

  get hasFresh(): boolean {
    return this.#taken < this.#fresh.length
  }

  /** An id that nobody has had. */
  fresh(): number {
    return this.#fresh[this.#taken++]!
  }

  /** A ring whose tables are as the protocol would make them in the end. */
  *begin(peers: number): Generator<number> {
    const ring = Uint32Array.from({ length: peers }, () => this.fresh()).sort()
    const { state, space, roster } = this.population
    for (const done of layTables(state, space, ring, TIMES, this.random)) yield done / peers
    for (const rank of ring) {
      roster.appear(rank)
      roster.becomePeer(rank)
      this.population.wake(rank)
    }
    this.records.storeAll()
  }
}

/**
 * Runs one simulation: yields how far it is, and returns what came of it. Who answers a yield of time with `stop` gets what
 * came of it so far, as if its time had been meant to be so short.
 */
export function* simulate(
  options: SimulationOptions,
): Generator<Stage, SimulationResult, "stop" | undefined> {
  const { peers, seed, latency } = options
  const time = minutes(options.minutes)
  const changes = expectedChanges(options)
  const world = new LeanWorld(
    seed,
    latency,
    Math.min(MOST_RECORDS, 2 * peers),
    peers + changes,
    options.fault,
  )
  for (const done of world.begin(peers)) yield { stage: "tables", done }
  planLookups(world, options.lookups, time)
  if (options.churn !== undefined) churn(world, options, time)
  else turnOver(world, options, changes, time)
  if (options.fault && options.fault.kind !== "liars") strike(world, options.fault, time / 2)
  const begin = performance.now()
  const events = world.population.post.events
  let played = options
  const steps = Math.max(LEAST_STEPS, Math.ceil(options.minutes))
  for (let step = 1; step <= steps; step++) {
    world.population.run(((step * (time + REST)) / steps) as Instant)
    const wish = yield { stage: "time", done: step / steps }
    if (wish === undefined || world.population.now >= time) continue
    played = { ...options, minutes: world.population.now / minutes(1) }
    world.isClosing = true
    world.population.run(after(world.population.now, REST))
    break
  }
  const took = (performance.now() - begin) / 1_000
  const eventsPerSecond = (world.population.post.events - events) / Math.max(took, 0.001)
  return measure(world, played, eventsPerSecond)
}

/** How many joiners there can be: with churn so many that more are as good as impossible. */
function expectedChanges({ peers, churn, minutes }: SimulationOptions): number {
  if (churn === undefined) return Math.max(1, Math.round(TURNOVER * peers))
  const mean = (peers * minutes) / churn
  return Math.ceil(mean + 8 * Math.sqrt(mean) + 8)
}

function planLookups(world: LeanWorld, count: number, time: number): void {
  const { population, lookups, unaided } = world
  const ask = () => {
    if (world.isClosing) return
    const [origin, record] = [lookups.anyPeer(), lookups.anyRecord()]
    lookups.ask(origin, record)
    unaided?.ask(origin, record)
  }
  for (let i = 0; i < count; i++) population.in((time * (i + 0.5)) / count, ask)
}

function turnOver(world: LeanWorld, { crashShare }: SimulationOptions, changes: number, time: number): void {
  for (let i = 0; i < changes; i++) {
    world.population.in((time * (i + 0.25)) / changes, () => world.lives.begin(world.fresh()))
    world.population.in((time * (i + 0.75)) / changes, () => goes(world, anyPeer(world), crashShare))
  }
}

/** Sessions are exponential, and whoever goes is replaced at once by a node that was never there. */
function churn(world: LeanWorld, { churn: session, crashShare }: SimulationOptions, time: number): void {
  const { population, random } = world
  const plan = (rank: number) => {
    const rest = -Math.log(1 - random.next()) * minutes(session!)
    if (population.now + rest > time) return
    population.in(rest, () => {
      if (!population.roster.isPeer(rank)) return
      goes(world, rank, crashShare)
      if (world.hasFresh) world.lives.begin(world.fresh())
    })
  }
  for (const rank of population.roster.ring()) plan(rank)
  world.lives.joined = plan
}

function goes({ lives, random, population }: LeanWorld, rank: number, crashShare: number): void {
  if (population.roster.count < 2) return
  if (random.next() < crashShare) lives.crash(rank, "silent")
  else lives.leave(rank)
}

function anyPeer({ population: { roster }, random }: LeanWorld): number {
  return roster.peer(Math.floor(roster.count * random.next()))
}

function strike(
  { population, lives, random }: LeanWorld,
  fault: Exclude<Fault, { kind: "liars" }>,
  at: number,
): void {
  const { roster, latency } = population
  population.in(at, () => {
    for (const rank of roster.ring()) {
      const dies = fault.kind === "site" ? latency.siteOf(rank) === 0 : random.next() < fault.share
      if (dies && roster.count > 1) lives.crash(rank, "silent")
    }
  })
}

function shuffled(count: number, random: SeededRandom): Uint32Array {
  const all = Uint32Array.from({ length: count }, (_, index) => index)
  for (let i = count - 1; i > 0; i--) {
    const other = Math.floor((i + 1) * random.next())
    const kept = all[i]!
    all[i] = all[other]!
    all[other] = kept
  }
  return all
}
