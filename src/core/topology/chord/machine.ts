import type { Random } from "../../kit/random.ts"
import { after, type Duration, earliest, type Instant, NEVER, seconds } from "../../kit/time.ts"
import type { TopologyEffect, TopologyInput } from "../topology.ts"
import {
  belongs,
  fingers,
  fingersToSeek,
  fingerToReplace,
  isBeside,
  isNeeded,
  NEIGHBORS,
  type Neighbors,
  needed,
  neighborCount,
  neighbors,
  nextHop,
  type Reach,
  type Ring,
  reach,
  responsible,
  type View,
} from "./rules.ts"
import { type ChordState, viewOf } from "./state.ts"

/** A peer that could not be reached is tried again, so often. */
const TRIES = 4
const FIRST_RETRY = seconds(2)
/** A peer whose table lacks what we know is told at most so often. */
const BETWEEN_CORRECTIONS = seconds(1)
/** Empty fingers are looked for at most so often, where joins and deaths give cause. */
const BETWEEN_SEARCHES = seconds(5)
/** A link that nobody seems to need is kept for so long: what is said of tables may cross on the way. */
const RELEASED_AFTER = seconds(10)

export interface ChordTimes {
  readonly updateInterval: Duration
  readonly pingInterval: Duration
  readonly reactive: boolean
}

/** ChordUpdate, RFC 6940 §10.7, whatever the ids are. */
export interface Update<Id> {
  readonly uptime: number
  readonly content:
    | { readonly kind: "peer-ready" }
    | ({ readonly kind: "neighbors" } & Neighbors<Id>)
    | ({ readonly kind: "full"; readonly fingers: readonly Id[] } & Neighbors<Id>)
}

type FullContent<Id> = Extract<Update<Id>["content"], { kind: "full" }>

type Key = string | number

/**
 * CHORD-RELOAD, RFC 6940 §10, with one addition that no peer need know of: where a mesh is possible, a peer links
 * to all that it hears of, and lists them all as fingers. So in a farm every peer knows who is responsible for
 * what. In a wide ring it keeps its neighbors and fingers alone (`rules.ts`), and those that keep it: other
 * links are released.
 *
 * Decides for the peer whose state it is given; who drives many peers gives it one state that changes seats.
 */
export class ChordMachine<Id extends Key, Spot extends Key> {
  readonly state: ChordState<Id>
  readonly view: View<Id, Spot>
  readonly #ring: Ring<Id, Spot>
  readonly #times: ChordTimes
  readonly #random: Random
  #effects: TopologyEffect<Update<Id>, Id, Spot>[] = []
  /** Our tables as an Update has them, as long as one input is worked on and they stay the same. */
  #full: FullContent<Id> | undefined

  constructor(state: ChordState<Id>, ring: Ring<Id, Spot>, times: ChordTimes, random: Random) {
    this.state = state
    this.#ring = ring
    this.#times = times
    this.#random = random
    this.view = viewOf(state, ring)
  }

  get deadline(): Instant {
    const { updateAt, searchAt, tidyAt, wanted } = this.state
    let next = earliest(updateAt, searchAt, tidyAt)
    if (wanted.size > 0) for (const { retryAt } of wanted.values()) next = earliest(next, retryAt)
    return next
  }

  get settled(): boolean {
    return this.state.wanted.values().every(({ tries }) => tries > 1)
  }

  handle(
    input: TopologyInput<Update<Id>, Id>,
    now: Instant,
  ): readonly TopologyEffect<Update<Id>, Id, Spot>[] {
    const { state } = this
    if (state.startedAt === NEVER) state.startedAt = now
    this.#effects = []
    this.#full = undefined
    switch (input.kind) {
      case "linked":
        state.link(input.peer)
        if (state.joined) this.#sendFull(input.peer, now)
        break
      case "unlinked":
        state.unlink(input.peer)
        this.#forget(input.peer, "lost", now)
        break
      case "unreachable":
        this.#unreachable(input.peer, now)
        break
      case "received":
        this.#received(input.from, input.body, now)
        break
      case "gone":
        this.#forget(input.peer, "gone", now)
        for (const named of input.named) this.#hearOf(named, input.peer, undefined)
        break
      case "resumed":
        for (const peer of input.peers) state.heard(peer)
        for (const peer of input.peers) state.addPeer(peer)
        state.searchedAt = now
        break
      case "joined":
        this.#join(now)
        break
      case "left":
        state.joined = false
        state.updateAt = NEVER
        state.searchAt = NEVER
        state.tidyAt = NEVER
        this.#effects.push({ kind: "share-changed" })
        break
    }
    return this.#effects
  }

  expire(now: Instant): readonly TopologyEffect<Update<Id>, Id, Spot>[] {
    const { state } = this
    this.#effects = []
    this.#full = undefined
    for (const [peer, wanted] of state.wanted) {
      if (wanted.retryAt > now) continue
      state.want(peer, { ...wanted, retryAt: NEVER })
      this.#effects.push({ kind: "link", peer, via: wanted.via })
    }
    if (state.updateAt <= now) {
      for (const peer of this.#neighborTable()) this.#sendFull(peer, now)
      this.#planUpdate(now)
    }
    if (state.searchAt <= now) this.#search(now)
    if (state.tidyAt <= now) this.#tidy(now)
    return this.#effects
  }

  nextHop(target: Id | Spot): Id | undefined {
    const { state, view } = this
    if (state.isLinked(target as Id)) return target as Id
    if (!state.isMesh) return nextHop(view, target)
    const owner = responsible(view, target)
    return owner === state.self ? undefined : owner
  }

  neighbors(): Neighbors<Id> {
    return neighbors(this.view, this.#neighborCount)
  }

  /** All peers in a full mesh. */
  fingers(): readonly Id[] {
    return this.state.isMesh ? this.#allPeers() : fingers(this.view)
  }

  isNeeded(peer: Id): boolean {
    return this.state.isMesh || this.state.needsUs(peer) || isNeeded(this.view, peer)
  }

  /** What tells a joining node that it is our predecessor now. §10.5, step 7. */
  welcome(joiner: Id, now: Instant): Update<Id> {
    const { predecessors, successors } = this.neighbors()
    const first = [joiner, ...predecessors.filter((id) => id !== joiner)].slice(0, this.#neighborCount)
    return this.#update(now, { kind: "full", predecessors: first, successors, fingers: this.fingers() })
  }

  #update(now: Instant, content: Update<Id>["content"]): Update<Id> {
    const { startedAt } = this.state
    return { uptime: startedAt === NEVER ? 0 : uptime(startedAt, now), content }
  }

  // What changes it.

  #join(now: Instant): void {
    const { state } = this
    state.joined = true
    for (const peer of state.linked()) this.#sendFull(peer, now)
    this.#effects.push({ kind: "share-changed" })
    state.refreshAt = now
    this.#planUpdate(now)
    this.#planSearch(now)
    this.#planTidy(now)
  }

  #received(from: Id, { content }: Update<Id>, now: Instant): void {
    const { state } = this
    if (!state.isLinked(from)) return this.#hearOf(from, undefined, undefined)
    state.unwant(from)
    if (!state.isPeer(from)) this.#add(from, now)
    if (content.kind === "peer-ready") return state.setNeedsUs(from, true)
    this.#noteNeed(from, content, now)
    if (!state.isMesh && !state.joined && !isBeside(state.self, from, content)) return
    const bounds = state.isMesh ? undefined : reach(this.view)
    for (const named of content.predecessors) this.#hearOf(named, from, bounds)
    for (const named of content.successors) this.#hearOf(named, from, bounds)
    if (content.kind !== "full") return
    for (const named of content.fingers) this.#hearOf(named, from, bounds)
    if (state.joined && state.isMesh) this.#correct(from, new Set(content.fingers), now)
  }

  #add(peer: Id, now: Instant): void {
    const { state } = this
    const before = this.neighbors()
    state.addPeer(peer)
    this.#full = undefined
    // Our Update went out when the link came up, and did not name it.
    state.setDismissed(peer, state.joined)
    state.heard(peer)
    this.#effects.push({ kind: "peer-up", peer })
    this.#changed(before, "came", now)
    if (!state.joined) return
    // It has no use for us, perhaps, and must not let go of us before it hears that we have for it.
    if (!state.isMesh && state.isDismissed(peer) && isNeeded(this.view, peer)) this.#sendFull(peer, now)
    // Nodes that have a link but are no peers yet must hear of new ones, or they would join without them.
    for (const node of state.linked()) if (!state.isPeer(node)) this.#sendFull(node, now)
  }

  /** Whether the sender has us in its tables; one that tells its neighbors alone may have us as a finger. */
  #noteNeed(from: Id, content: Exclude<Update<Id>["content"], { kind: "peer-ready" }>, now: Instant): void {
    const { state } = this
    const { self } = state
    const isNeighbor = content.predecessors.includes(self) || content.successors.includes(self)
    if (isNeighbor) state.setNeedsUs(from, true)
    else if (content.kind === "full") {
      const isFinger = content.fingers.includes(self)
      if (!isFinger && state.needsUs(from)) this.#planTidy(now)
      state.setNeedsUs(from, isFinger)
    }
  }

  /** A peer that does not know all that we know hears of them from us, so that any two meet. */
  #correct(peer: Id, known: ReadonlySet<Id>, now: Instant): void {
    if (this.#allPeers().every((id) => id === peer || known.has(id))) return
    if (now < after(this.state.correctedAt(peer), BETWEEN_CORRECTIONS)) return
    this.state.setCorrectedAt(peer, now)
    this.#sendFull(peer, now)
  }

  #forget(peer: Id, how: "lost" | "gone", now: Instant): void {
    const { state } = this
    state.unwant(peer)
    state.unheard(peer)
    if (!state.isPeer(peer)) return
    const before = this.neighbors()
    const finger = state.isMesh ? undefined : fingerToReplace(this.view, peer)
    state.deletePeer(peer)
    this.#full = undefined
    this.#effects.push({ kind: "peer-down", peer })
    this.#changed(before, how, now)
    if (finger === undefined || !state.joined) return
    // §10.7.2: at once, and again where that finds nobody.
    this.#effects.push({ kind: "seek", target: this.#ring.fingerStart(state.self, finger) })
    this.#planSearch(after(now, BETWEEN_SEARCHES))
  }

  #changed(before: Neighbors<Id>, how: "came" | "lost" | "gone", now: Instant): void {
    const { state } = this
    if (!state.joined) return
    this.#effects.push({ kind: "share-changed" })
    this.#planTidy(now)
    if (!this.#times.reactive) return
    const table = this.neighbors()
    if (isSame(before.predecessors, table.predecessors) && isSame(before.successors, table.successors)) return
    const update = this.#update(now, { kind: "neighbors", ...table })
    const near = new Set([...table.predecessors, ...table.successors])
    for (const peer of near) state.setDismissed(peer, false)
    // A new neighbor is told to everyone linked, §10.7.3, and so is a new share of ours; a loss to neighbors,
    // §10.7.1. Where everyone is linked, everyone hears the joiner itself.
    const isForAll = how === "came" || before.predecessors[0] !== table.predecessors[0]
    for (const peer of state.isMesh || !isForAll ? near : state.linked()) this.#send(peer, update)
  }

  /** Some peer says that `id` is one: link to it where it is nearer than our neighbors. §10.7.3. Most are elsewhere. */
  #hearOf(id: Id, via: Id | undefined, bounds: Reach<Id> | undefined): void {
    const { state } = this
    if (bounds !== undefined && !belongs(bounds, id)) return state.heard(id)
    if (id === state.self || state.isPeer(id) || state.wanted.has(id)) return
    state.heard(id)
    if (!state.isMesh && bounds === undefined && !belongs(reach(this.view), id)) return
    state.want(id, { via, tries: 0, retryAt: NEVER })
    this.#effects.push({ kind: "link", peer: id, via })
  }

  #unreachable(peer: Id, now: Instant): void {
    const { state } = this
    const wanted = state.wanted.get(peer)
    if (wanted === undefined) return
    const tries = wanted.tries + 1
    if (tries < TRIES) {
      const wait = (FIRST_RETRY * 2 ** wanted.tries) as Duration
      state.want(peer, { via: wanted.via, tries, retryAt: after(now, wait) })
    } else {
      state.unwant(peer)
      state.unheard(peer)
    }
  }

  // Tables.

  get #neighborCount(): number {
    return this.state.isMesh ? NEIGHBORS : neighborCount(this.view)
  }

  #neighborTable(): ReadonlySet<Id> {
    const { predecessors, successors } = this.neighbors()
    return new Set([...predecessors, ...successors])
  }

  #allPeers(): readonly Id[] {
    const { peers } = this.state
    return Array.from({ length: peers.size }, (_, index) => peers.id(index))
  }

  #planSearch(now: Instant): void {
    const { state } = this
    if (!state.joined) return
    state.searchAt = earliest(
      state.searchAt,
      Math.max(now, after(state.searchedAt, BETWEEN_SEARCHES)) as Instant,
    )
  }

  /** Looks for fingers: for those that are missing, now and then for all, since better ones may have come. */
  #search(now: Instant): void {
    const { state } = this
    state.searchedAt = now
    const isAll = state.refreshAt <= now
    if (isAll) state.refreshAt = this.#about(this.#times.pingInterval, now)
    state.searchAt = state.refreshAt
    // Nobody to look for now; the mesh may become a wide ring.
    if (state.isMesh) return
    for (const index of fingersToSeek(this.view, isAll))
      this.#effects.push({ kind: "seek", target: this.#ring.fingerStart(state.self, index) })
  }

  #planTidy(now: Instant): void {
    const { state } = this
    if (state.isMesh || !state.joined) return
    if (state.tidyAt === NEVER) state.tidyAt = after(now, RELEASED_AFTER)
  }

  /** Tells peers whether we need them, where they think otherwise; lets go of those that do not need us either. */
  #tidy(now: Instant): void {
    const { state } = this
    state.tidyAt = NEVER
    if (state.isMesh) return
    const kept = needed(this.view)
    for (const peer of this.#allPeers()) {
      const isKept = kept.has(peer)
      if (isKept === state.isDismissed(peer)) this.#sendFull(peer, now)
      if (!isKept && !state.needsUs(peer)) this.#effects.push({ kind: "release", peer })
    }
  }

  // Updates.

  #planUpdate(now: Instant): void {
    this.state.updateAt = this.#about(this.#times.updateInterval, now)
  }

  #about(interval: Duration, now: Instant): Instant {
    return after(now, (interval * (0.75 + 0.5 * this.#random.next())) as Duration)
  }

  #sendFull(to: Id, now: Instant): void {
    this.#full ??= { kind: "full", ...this.neighbors(), fingers: this.fingers() }
    const { predecessors, successors, fingers } = this.#full
    const isListed = predecessors.includes(to) || successors.includes(to) || fingers.includes(to)
    if (this.state.isPeer(to)) this.state.setDismissed(to, !isListed)
    this.#send(to, this.#update(now, this.#full))
  }

  #send(to: Id, body: Update<Id>): void {
    this.#effects.push({ kind: "send", to, body })
  }
}

/** Whole seconds; none where the clock has been set back behind the start, since there are no negative ones on the wire. */
export const uptime = (startedAt: Instant, now: Instant): number =>
  Math.max(0, Math.floor((now - startedAt) / 1_000))

const isSame = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a.length === b.length && a.every((each, index) => each === b[index])
