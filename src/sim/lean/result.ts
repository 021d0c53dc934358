import { expectedLosses, gini, type Summary, summarize } from "./figures.ts"
import type { LeanWorld, SimulationOptions } from "./simulate.ts"

export interface SimulationResult {
  readonly options: SimulationOptions
  /** At the end. */
  readonly peers: number
  readonly hops: Summary
  /** How many look-ups took so many hops. */
  readonly hopCounts: readonly number[]
  /** Places on the ring, of 1: some of the peers, one of them, and those it is linked to. */
  readonly ring: {
    readonly peers: readonly number[]
    readonly chosen: number
    readonly linked: readonly number[]
  }
  readonly lookups: {
    readonly total: number
    readonly answered: number
    readonly failed: number
    readonly wrong: number
    readonly displaced: number
    readonly milliseconds: Summary
  }
  /** The same questions without remedies against liars; null where nobody lies. */
  readonly unaided: { readonly answered: number; readonly failed: number; readonly wrong: number } | null
  /** Of the ring, by peer. */
  readonly share: { readonly maxOverMean: number; readonly gini: number }
  readonly table: Summary
  /** Over one link each, requests and answers; probes of links apart. */
  readonly messagesPerPeerPerMinute: number
  readonly messages: Readonly<Record<string, number>>
  readonly encoded: { readonly messages: number; readonly meanBytes: number }
  readonly joins: number
  readonly leaves: number
  readonly crashes: number
  readonly joinSeconds: number
  readonly records: {
    readonly total: number
    readonly lost: number
    /** Null where a fault strikes: then peers do not die one by one. */
    readonly expectedLost: number | null
    readonly repairSeconds: Summary
  }
  readonly eventsPerSecond: number
  readonly bytesPerPeer: number
  readonly events: number
  /** Of all that happened. */
  readonly log: string
}

export function measure(
  world: LeanWorld,
  options: SimulationOptions,
  eventsPerSecond: number,
): SimulationResult {
  const { population, lookups, lives, records } = world
  const { post, roster, state, space } = population
  const ring = roster.ring()
  const tables = Array.from(ring, (rank) => {
    state.sit(rank)
    return state.peers.size
  })
  const shares = Float64Array.from(ring, (rank, place) => space.way(ring.at(place - 1)!, rank))
  const repairs = summarize(records.repairs.map((each) => each / 1_000))
  const simulated = population.now / 60_000
  const rate = lives.crashes / options.peers / (options.minutes * 60)
  const { heapUsed, external } = process.memoryUsage()
  const hopCounts: number[] = []
  for (const hops of lookups.hops) hopCounts[hops] = (hopCounts[hops] ?? 0) + 1
  return {
    options,
    peers: roster.count,
    hops: summarize(lookups.hops),
    hopCounts: Array.from(hopCounts, (count) => count ?? 0),
    ring: outline(world, ring),
    lookups: {
      total: lookups.asked,
      answered: lookups.answered,
      failed: lookups.asked - lookups.answered,
      wrong: lookups.wrong,
      displaced: lookups.displaced,
      milliseconds: summarize(lookups.times),
    },
    unaided: world.unaided
      ? {
          answered: world.unaided.answered,
          failed: world.unaided.asked - world.unaided.answered,
          wrong: world.unaided.wrong,
        }
      : null,
    share: {
      maxOverMean: (shares.reduce((a, b) => Math.max(a, b), 0) * ring.length) / 2 ** 53,
      gini: gini(shares),
    },
    table: summarize(tables),
    messagesPerPeerPerMinute: post.total / options.peers / simulated,
    messages: { ...post.sent },
    encoded: { messages: post.encoded, meanBytes: post.encodedBytes / Math.max(post.encoded, 1) },
    joins: lives.joins,
    leaves: lives.leaves,
    crashes: lives.crashes,
    joinSeconds: lives.joins === 0 ? 0 : lives.joinTime / lives.joins / 1_000,
    records: {
      total: records.spots.length,
      lost: records.lost,
      expectedLost:
        options.fault && options.fault.kind !== "liars"
          ? null
          : expectedLosses(records.spots.length, rate, repairs.mean, options.minutes * 60),
      repairSeconds: repairs,
    },
    eventsPerSecond,
    bytesPerPeer: (heapUsed + external) / options.peers,
    events: post.events,
    log: post.digest(),
  }
}

const DRAWN = 400

function outline({ population: { space, state } }: LeanWorld, ring: Uint32Array): SimulationResult["ring"] {
  const place = (rank: number) => space.placeOf(rank)
  const step = Math.max(1, Math.floor(ring.length / DRAWN))
  const chosen = ring[0]!
  state.sit(chosen)
  const linked = state.linked().map(place)
  return {
    peers: Array.from(
      ring.filter((_, index) => index % step === 0),
      place,
    ),
    chosen: place(chosen),
    linked,
  }
}
