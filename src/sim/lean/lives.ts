import { responsible } from "../../core/topology/chord/rules.ts"
import type { Population } from "./population.ts"
import type { LeanRecords } from "./records.ts"
import type { LeanAttaching } from "./travel.ts"

// The times of `overlay/membership.ts` and `overlay/admission.ts`, in milliseconds.
const STEP = 50
const MEETING_AT_LEAST = 100
const SETTLED_AFTER = 4_000
const STALLED = 5_000
const TRY_AGAIN = 100
const SEEK_AGAIN = 1_000
/** A welcomed node may take so long to announce itself. */
const ADMITTED_FOR = 5_000
const LINGER = 500
/** A node that finds no peer where it was sent tries another. */
const LOOKS_ELSEWHERE = 4_000

interface Joiner {
  stage: "starting" | "meeting" | "joining"
  since: number
  through: number
  soughtAt: number
}

/** How nodes become peers, and leave in order: by messages, as the overlay has it. RFC 6940 §10.5, §10.9. */
export class Lives {
  joins = 0
  leaves = 0
  crashes = 0
  joinTime = 0
  /** A node has become a peer. */
  joined: (rank: number) => void = () => undefined
  readonly #population: Population
  readonly #attaching: LeanAttaching
  readonly #records: LeanRecords
  readonly #joiners = new Map<number, Joiner>()
  /** Whom a peer admits at the moment: one at a time. */
  readonly #admitted = new Map<number, number>()
  readonly #leaving = new Set<number>()

  constructor(population: Population, attaching: LeanAttaching, records: LeanRecords) {
    this.#population = population
    this.#attaching = attaching
    this.#records = records
  }

  get joining(): number {
    return this.#joiners.size
  }

  begin(rank: number): void {
    this.#population.appear(rank)
    this.#dial(rank)
    this.#joiners.set(rank, {
      stage: "starting",
      since: this.#population.now,
      through: rank,
      soughtAt: -SEEK_AGAIN,
    })
    const begun = this.#population.now
    const step = () => {
      if (!this.#population.roster.isUp(rank)) return void this.#joiners.delete(rank)
      if (this.#population.roster.isPeer(rank)) {
        this.joinTime += this.#population.now - begun
        return void this.#joiners.delete(rank)
      }
      this.#step(rank, this.#joiners.get(rank)!)
      this.#population.in(STEP, step)
    }
    this.#population.in(STEP, step)
  }

  /** The first of all. */
  found(rank: number): void {
    this.#population.appear(rank)
    this.#becomePeer(rank)
  }

  crash(rank: number, how: "reset" | "silent"): void {
    this.crashes++
    this.#admitted.delete(rank)
    this.#attaching.forget(rank)
    this.#population.crash(rank, how)
  }

  updated(rank: number, from: number): void {
    for (const [through, joiner] of [[rank, from]] as const)
      if (this.#admitted.get(through) === joiner) this.#admitted.delete(through)
  }

  leave(rank: number): void {
    const { roster } = this.#population
    if (!roster.isPeer(rank) || this.#leaving.has(rank)) return
    this.#leaving.add(rank)
    this.leaves++
    const wait = this.#records.handOver(rank)
    this.#population.in(wait, () => this.#sayGoodbye(rank))
  }

  #dial(rank: number): void {
    const { roster, random, latency } = this.#population
    const bootstrap = roster.peer(Math.floor(roster.count * random.next()))
    const wait = 3 * latency.between(rank, bootstrap)
    this.#population.in(wait, () => this.#population.linkUp(rank, bootstrap))
  }

  #step(rank: number, joiner: Joiner): void {
    const { state, machine, now } = this.#population
    state.sit(rank)
    const through = machine.neighbors().successors[0]
    const waited = now - joiner.since
    if (joiner.stage === "starting") {
      if (through !== undefined) this.#enter(joiner, "meeting")
      else if (waited > LOOKS_ELSEWHERE) {
        joiner.since = now
        this.#dial(rank)
      }
      return
    }
    if (through === undefined) return this.#enter(joiner, "starting")
    if (joiner.stage === "joining") {
      if (waited >= STALLED || through !== joiner.through) this.#enter(joiner, "meeting")
      return
    }
    if (joiner.soughtAt + SEEK_AGAIN <= now) {
      joiner.soughtAt = now
      // Our successor: nobody may have named it.
      return this.#attaching.seek(rank, rank + 0.5, through)
    }
    if (waited < MEETING_AT_LEAST || (!machine.settled && waited < SETTLED_AFTER)) return
    this.#enter(joiner, "joining")
    joiner.through = through
    this.#askToJoin(rank, through, joiner)
  }

  #enter(joiner: Joiner, stage: Joiner["stage"]): void {
    joiner.stage = stage
    joiner.since = this.#population.now
  }

  #askToJoin(rank: number, through: number, joiner: Joiner): void {
    const { post, space, state, machine, roster } = this.#population
    const body = () =>
      ({ kind: "join-req", joiningPeer: space.nodeId(rank), overlaySpecific: new Uint8Array() }) as const
    post.send("join", 2, () => space.nodeId(through), body)
    const refused = () => {
      if (joiner.stage === "joining") joiner.since = this.#population.now - STALLED + TRY_AGAIN
    }
    const asked = () => {
      const other = this.#admitted.get(through)
      if (!roster.isPeer(through) || (other !== undefined && other !== rank)) return refused()
      state.sit(through)
      if (responsible(machine.view, rank) !== through) return refused()
      this.#admitted.set(through, rank)
      this.#population.in(this.#records.transfer(through, rank), () => this.#welcome(through, rank, joiner))
    }
    this.#population.hop(rank, through, asked, () => undefined)
  }

  #welcome(through: number, rank: number, joiner: Joiner): void {
    const { state, machine, roster, now, latency } = this.#population
    if (!roster.isPeer(through)) return
    this.#population.in(ADMITTED_FOR, () => this.updated(through, rank))
    state.sit(through)
    const body = machine.welcome(rank, now)
    this.#population.post.sent.update += 2
    this.#population.in(latency.between(through, rank), () => {
      if (!roster.isUp(rank) || roster.isPeer(rank)) return
      this.#population.give(rank, { kind: "received", from: through, body })
      if (joiner.stage !== "joining" || joiner.through !== through) return
      state.sit(rank)
      // Another peer has come between us: what is written now goes there.
      if (machine.neighbors().successors[0] === through) this.#becomePeer(rank)
      else this.#enter(joiner, "meeting")
    })
  }

  #becomePeer(rank: number): void {
    this.joins++
    this.#population.roster.becomePeer(rank)
    this.#population.give(rank, { kind: "joined" })
    this.joined(rank)
  }

  #sayGoodbye(rank: number): void {
    const { roster, state, machine, post, space, latency } = this.#population
    this.#leaving.delete(rank)
    if (!roster.isPeer(rank)) return
    state.sit(rank)
    const { predecessors, successors } = machine.neighbors()
    const linked = state.linked()
    const isPredecessor = new Set(predecessors)
    roster.stepDown(rank)
    this.#population.give(rank, { kind: "left" })
    let longest = 0
    for (const peer of linked) {
      const named = isPredecessor.has(peer) ? successors : predecessors
      const body = {
        kind: "leave-req",
        leavingPeer: space.nodeId(rank),
        overlaySpecific: new Uint8Array(),
      } as const
      post.send(
        "leave",
        2,
        () => space.nodeId(peer),
        () => body,
      )
      const way = latency.between(rank, peer)
      longest = Math.max(longest, way)
      this.#population.in(way, () => {
        if (roster.isUp(peer)) this.#population.give(peer, { kind: "gone", peer: rank, named })
      })
    }
    this.#population.in(2 * longest + LINGER, () => {
      if (!roster.isUp(rank)) return
      state.sit(rank)
      for (const peer of state.linked())
        this.#population.in(latency.between(rank, peer), () => this.#population.noticed(peer, rank))
      this.#records.died(rank)
      this.#attaching.forget(rank)
      this.#population.vanish(rank)
    })
  }
}
