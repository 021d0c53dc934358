import type { AttachReqAns } from "../../core/reload/attach.ts"
import type { Population } from "./population.ts"

/** Where a request of a peer goes: to a place on the ring (a half), or to a peer (its rank). */
export interface Journey {
  readonly method: "attach" | "fetch"
  readonly target: number
  at: number
  /** Over which peers it came; the answer goes back over them. */
  readonly path: number[]
  readonly arrived: (journey: Journey) => void
  readonly lost: () => void
  /** A peer on the way answers what is not its own. */
  readonly lied?: (by: number) => void
}

const TTL = 100

const ATTACH: AttachReqAns = { ufrag: "", password: "", role: "passive", candidates: [], sendUpdate: true }
/** An Attach and the link that follows from it may take so long. */
const PATIENCE = 2_000
/** A connection and its TLS take three times the way. */
const HANDSHAKE = 3

/** Passes a request on from peer to peer, each of which the plug-in asks for the next hop. */
export function travel(population: Population, journey: Journey): void {
  const { state, machine, roster } = population
  state.sit(journey.at)
  const next = machine.nextHop(journey.target)
  if (next === undefined || journey.at === journey.target) {
    const isThere = Number.isInteger(journey.target)
      ? journey.at === journey.target
      : roster.isPeer(journey.at)
    return isThere ? journey.arrived(journey) : journey.lost()
  }
  if (journey.path.length >= TTL) return journey.lost()
  const lie = journey.path.length === 0 ? undefined : population.liars?.of(journey.at)
  switch (lie) {
    case "drop":
      return journey.lost()
    case "misroute":
      return step(population, journey, anyLinked(population, journey.at))
    case "usurp":
      return journey.lied === undefined ? journey.lost() : journey.lied(journey.at)
    default:
      step(population, journey, next)
  }
}

function anyLinked({ state, random }: Population, rank: number): number {
  state.sit(rank)
  const all = state.linked()
  return all[Math.floor(all.length * random.next())]!
}

export function step(population: Population, journey: Journey, next: number): void {
  const { post, space } = population
  const from = journey.at
  const node = () => space.nodeId(next)
  post.send(journey.method, 2, node, () =>
    journey.method === "attach"
      ? { kind: "attach-req", ...ATTACH }
      : { kind: "find-req", resource: node() as never, kinds: [] },
  )
  const arrived = () => {
    journey.path.push(from)
    journey.at = next
    travel(population, journey)
  }
  population.hop(from, next, arrived, journey.lost)
}

/** Agrees with peers on links, as `overlay/attaching.ts` does for a node. RFC 6940 §6.5.1. */
export class LeanAttaching {
  readonly #population: Population
  readonly #pending = new Map<number, Set<number>>()

  constructor(population: Population) {
    this.#population = population
  }

  want(rank: number, peer: number, via: number | undefined): void {
    const { state, roster } = this.#population
    const pending = this.#pending.get(rank) ?? new Set()
    if (pending.has(peer)) return
    this.#pending.set(rank, pending.add(peer))
    const begun = this.#population.now
    const lost = () => {
      const left = begun + PATIENCE - this.#population.now
      this.#population.in(Math.max(0, left), () => this.#fail(rank, peer))
    }
    const arrived = (journey: Journey) => this.#asked(journey.at, rank, lost)
    const journey: Journey = { method: "attach", target: peer, at: rank, path: [], arrived, lost }
    state.sit(rank)
    if (state.isLinked(peer)) return step(this.#population, journey, peer)
    if (via !== undefined && roster.isUp(rank) && state.isLinked(via))
      return step(this.#population, journey, via)
    travel(this.#population, journey)
  }

  /** Whoever is responsible there. `via`: any peer of the ring, for a node that is none. */
  seek(rank: number, target: number, via?: number): void {
    const arrived = ({ at }: Journey) => this.#asked(at, rank, () => undefined)
    const journey: Journey = { method: "attach", target, at: rank, path: [], arrived, lost: () => undefined }
    if (via === undefined) travel(this.#population, journey)
    else step(this.#population, journey, via)
  }

  forget(rank: number): void {
    this.#pending.delete(rank)
  }

  /** `rank` has been asked for a link, and connects, unless there is one: then an Update is what is wanted. */
  #asked(rank: number, by: number, failed: () => void): void {
    const { state, latency } = this.#population
    if (rank === by) return
    state.sit(rank)
    if (state.isLinked(by)) {
      this.#done(by, rank)
      return this.#population.give(rank, { kind: "linked", peer: by })
    }
    this.#population.in(HANDSHAKE * latency.between(rank, by), () => {
      const { roster } = this.#population
      if (!roster.isUp(rank) || !roster.isUp(by)) return failed()
      this.#done(rank, by)
      this.#done(by, rank)
      this.#population.linkUp(rank, by)
    })
  }

  #done(rank: number, peer: number): void {
    const pending = this.#pending.get(rank)
    if (pending?.delete(peer) && pending.size === 0) this.#pending.delete(rank)
  }

  #fail(rank: number, peer: number): void {
    if (this.#pending.get(rank)?.has(peer) !== true) return
    this.#done(rank, peer)
    if (this.#population.roster.isUp(rank)) this.#population.give(rank, { kind: "unreachable", peer })
  }
}
