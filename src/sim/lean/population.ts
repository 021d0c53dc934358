import { invariant } from "../../core/kit/errors.ts"
import type { Random } from "../../core/kit/random.ts"
import { type Instant, NEVER } from "../../core/kit/time.ts"
import { ChordMachine, type ChordTimes, type Update } from "../../core/topology/chord/machine.ts"
import type { TopologyEffect, TopologyInput } from "../../core/topology/topology.ts"
import { EventQueue } from "./event-queue.ts"
import { Alarms, detectionTime, FEW_LINKS, missedAfter } from "./failure-model.ts"
import type { IdSpace } from "./id-space.ts"
import type { Latency } from "./latency.ts"
import type { Liars } from "./liars.ts"
import { Post } from "./post.ts"
import { Roster } from "./roster.ts"
import { SharedState } from "./shared-state.ts"

/** Kinds of events in the log. */
export const EVENT = { input: 1, expire: 2, hop: 3, up: 4, down: 5, asked: 6, answered: 7, lost: 8 } as const

const INPUTS = ["linked", "unlinked", "unreachable", "received", "gone", "joined", "left", "resumed"] as const

/** So many neighbors on each side are watched closely, as by the overlay's link pool. */
export const WATCHED = 3

type Input = TopologyInput<Update<number>, number>
type Effects = readonly TopologyEffect<Update<number>, number, number>[]

export interface PopulationSettings {
  readonly space: IdSpace
  readonly latency: Latency
  readonly random: Random
  readonly times: ChordTimes
  /** Entries of all tables together that are made room for at first. */
  readonly expectedEntries: number
}

/** What else happens when the plug-in wants something. */
export interface PopulationEvents {
  wanted(rank: number, peer: number, via: number | undefined): void
  sought(rank: number, target: number): void
  shareChanged(rank: number, cause: "death" | "other"): void
  /** An Update has been taken in. */
  updated(rank: number, from: number, body: Update<number>): void
  died(rank: number): void
}

/**
 * Peers by the million: one plug-in that decides for each in turn, one state that they share, links between them,
 * and one clock. What the overlay does for a node is done here as messages that take their time; signatures,
 * storage and TLS are left out.
 */
export class Population {
  readonly space: IdSpace
  readonly latency: Latency
  readonly random: Random
  readonly state: SharedState
  readonly machine: ChordMachine<number, number>
  readonly post = new Post()
  readonly roster: Roster
  now = 0 as Instant
  /** Peers that do not pass on what they should, where there are such. */
  liars: Liars | undefined
  events!: PopulationEvents
  readonly #queue = new EventQueue()
  readonly #plannedAt: Float64Array
  readonly #alarms: Alarms

  constructor({ space, latency, random, times, expectedEntries }: PopulationSettings) {
    this.space = space
    this.latency = latency
    this.random = random
    this.state = new SharedState(space.size, expectedEntries)
    this.machine = new ChordMachine(this.state, space, times, random)
    this.roster = new Roster(space.size)
    this.#plannedAt = new Float64Array(space.size).fill(NEVER)
    this.#alarms = new Alarms(space.size)
  }

  get bytes(): number {
    return (
      this.state.bytes +
      this.#queue.bytes +
      this.#plannedAt.byteLength +
      this.roster.bytes +
      this.#alarms.bytes +
      16 * this.space.size
    )
  }

  run(until: Instant): void {
    while (this.#queue.next <= until) {
      this.now = this.#queue.next
      const what = this.#queue.take()
      if (typeof what === "number") this.#expire(what)
      else what()
    }
    this.now = until
  }

  in(milliseconds: number, run: () => void): void {
    this.#queue.plan((this.now + milliseconds) as Instant, run)
  }

  /** A peer whose tables are there already looks after its deadlines from now on. */
  wake(rank: number): void {
    this.state.sit(rank)
    this.#plan(rank)
  }

  give(rank: number, input: Input): void {
    const other = "peer" in input ? input.peer : "from" in input ? input.from : rank
    this.post.note(this.now, EVENT.input + 16 * INPUTS.indexOf(input.kind), rank, other)
    this.state.sit(rank)
    this.#obey(rank, this.machine.handle(input, this.now), input.kind === "unlinked" ? "death" : "other")
    this.#plan(rank)
  }

  // Messages.

  /** One message over the link from one to the other; `lost` where the other is dead. */
  hop(from: number, to: number, arrived: () => void, lost: () => void): void {
    const way = this.latency.between(from, to) + this.latency.extra(this.random)
    this.in(way, () => {
      this.post.note(this.now, EVENT.hop, from, to)
      if (this.roster.isUp(to)) return arrived()
      this.in(missedAfter(this.random) - way, () => this.#fellSilent(from, to))
      lost()
    })
  }

  /** How long a message and its answer take. */
  roundTrip(a: number, b: number): number {
    return 2 * this.latency.between(a, b)
  }

  #send(from: number, to: number, body: Update<number>): void {
    if (this.post.isSample("update", 1)) this.post.sample(this.space.nodeId(to), this.#encodable(body))
    this.in(this.latency.between(from, to), () => this.#deliver(from, to, body))
  }

  #deliver(from: number, to: number, body: Update<number>): void {
    if (!this.roster.isUp(to)) return this.in(missedAfter(this.random), () => this.#fellSilent(from, to))
    this.state.sit(to)
    if (!this.state.isLinked(from)) return
    this.post.sent.update++ // its answer
    this.give(to, { kind: "received", from, body })
    this.events.updated(to, from, body)
  }

  #encodable({ uptime, content }: Update<number>) {
    const ids = (ranks: readonly number[]) => ranks.map((rank) => this.space.nodeId(rank))
    if (content.kind === "peer-ready") return { kind: "update-req", uptime, content } as const
    const near = { predecessors: ids(content.predecessors), successors: ids(content.successors) }
    if (content.kind === "neighbors")
      return { kind: "update-req", uptime, content: { kind: "neighbors", ...near } } as const
    const full = { kind: "full", ...near, fingers: ids(content.fingers) } as const
    return { kind: "update-req", uptime, content: full } as const
  }

  // Links.

  /** `opener` has connected to the other. It says where it takes connections, and asks for an Update. */
  linkUp(opener: number, other: number): void {
    if (!this.roster.isUp(opener) || !this.roster.isUp(other)) return
    for (const [rank, peer] of [
      [opener, other],
      [other, opener],
    ] as const) {
      this.state.sit(rank)
      if (!this.state.isLinked(peer)) this.give(rank, { kind: "linked", peer })
    }
    const attach = () => ({ kind: "ping-req", padding: new Uint8Array() }) as const
    this.post.send("attach", 2, () => this.space.nodeId(other), attach)
  }

  /** One end has closed the link; the other hears of it, and does not miss what it did not need. */
  #release(rank: number, peer: number): void {
    this.give(rank, { kind: "unlinked", peer })
    this.in(this.latency.between(rank, peer), () => this.noticed(peer, rank))
  }

  /** The link to the other is down in the eyes of `rank`, if it still was up. */
  noticed(rank: number, other: number): void {
    if (!this.roster.isUp(rank)) return
    this.state.sit(rank)
    if (this.state.isLinked(other)) this.give(rank, { kind: "unlinked", peer: other })
  }

  /** The same where the other does not answer any more; that it is not the first asks all others that are quiet. */
  #fellSilent(rank: number, other: number): void {
    this.state.sit(rank)
    if (!this.roster.isUp(rank) || !this.state.isLinked(other)) return
    const asked = this.#alarms.fellSilent(rank, this.now) ? this.state.linked() : []
    this.give(rank, { kind: "unlinked", peer: other })
    for (const peer of asked)
      if (!this.roster.isUp(peer)) this.in(missedAfter(this.random), () => this.#fellSilent(rank, peer))
  }

  // Lives.

  /** A node is there; it has no link yet. */
  appear(rank: number): void {
    invariant(!this.roster.isUp(rank), "a node appears once")
    this.post.note(this.now, EVENT.up, rank, rank)
    this.state.sit(rank)
    this.state.clear()
    this.roster.appear(rank)
  }

  /** Its process, and with `silent` its host, stops. */
  crash(rank: number, how: "reset" | "silent"): void {
    this.post.note(this.now, EVENT.down, rank, rank)
    this.state.sit(rank)
    const { predecessors, successors } = this.machine.neighbors()
    const watched = new Set([...predecessors.slice(0, WATCHED), ...successors.slice(0, WATCHED)])
    for (const other of this.state.linked()) {
      this.state.sit(other)
      const isWatched = watched.has(other) || this.state.linked().length <= FEW_LINKS
      if (how === "reset") this.in(this.latency.between(rank, other), () => this.noticed(other, rank))
      else this.in(detectionTime(isWatched, this.random), () => this.#fellSilent(other, rank))
    }
    this.vanish(rank)
    this.events.died(rank)
  }

  /** It is gone, and whoever should know has been told. */
  vanish(rank: number): void {
    this.roster.vanish(rank)
    this.state.sit(rank)
    this.state.clear()
    this.#plannedAt[rank] = NEVER
  }

  // The plug-in.

  #expire(rank: number): void {
    if (this.#plannedAt[rank] !== this.now) return
    this.#plannedAt[rank] = NEVER
    if (!this.roster.isUp(rank)) return
    this.state.sit(rank)
    if (this.machine.deadline <= this.now) {
      this.post.note(this.now, EVENT.expire, rank, rank)
      this.#obey(rank, this.machine.expire(this.now), "other")
    }
    this.#plan(rank)
  }

  #plan(rank: number): void {
    this.state.sit(rank)
    const { deadline } = this.machine
    if (deadline >= this.#plannedAt[rank]!) return
    this.#plannedAt[rank] = Math.max(deadline, this.now)
    this.#queue.plan(Math.max(deadline, this.now) as Instant, rank)
  }

  #obey(rank: number, effects: Effects, cause: "death" | "other"): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "send":
          this.#send(rank, effect.to, effect.body)
          break
        case "link":
          this.events.wanted(rank, effect.peer, effect.via)
          break
        case "seek":
          this.events.sought(rank, effect.target)
          break
        case "release":
          this.#release(rank, effect.peer)
          break
        case "share-changed":
          this.events.shareChanged(rank, cause)
          break
        case "peer-up":
        case "peer-down":
          break
      }
    }
  }
}
