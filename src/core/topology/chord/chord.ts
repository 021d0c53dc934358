import type { NodeId } from "../../identity/node-id.ts"
import type { Random } from "../../kit/random.ts"
import { after, type Duration, earliest, type Instant, NEVER, seconds } from "../../kit/time.ts"
import type { ResourceId } from "../../reload/header.ts"
import { ChordLeaveData, type ChordUpdate } from "../../reload/overlay-methods.ts"
import { encode } from "../../wire/codec.ts"
import type { Topology, TopologyEffect, TopologyInput } from "../topology.ts"
import { Circle, estimateSize, fingerIndex, fingerStart, isWithin, type Point } from "./circle.ts"

/** RFC 6940 §10.7.1: at least three predecessors and three successors. */
const NEIGHBORS = 3
/** §10.7.4.3. */
const FINGERS = 16
/** A peer that could not be reached is tried again, so often. */
const TRIES = 4
const FIRST_RETRY = seconds(2)
/** A peer whose table lacks what we know is told at most so often. */
const BETWEEN_CORRECTIONS = seconds(1)
/** Empty fingers are looked for at most so often, where joins and deaths give cause. */
const BETWEEN_SEARCHES = seconds(5)

export interface ChordSettings {
  readonly self: NodeId
  readonly random: Random
  /** Up to so many peers, each is linked to every other. */
  readonly fullMeshLimit: number
  readonly updateInterval: Duration
  readonly pingInterval: Duration
  readonly reactive: boolean
}

/** A peer that is to be linked: asked for now, or again at `retryAt`. */
interface Wanted {
  readonly via: NodeId | undefined
  readonly tries: number
  readonly retryAt: Instant
}

type Effect = TopologyEffect<ChordUpdate>

/**
 * CHORD-RELOAD, RFC 6940 §10, with one addition that no peer need know of: up to `fullMeshLimit`
 * peers, a peer links to all that it hears of, and lists them all as fingers. So in a farm every
 * peer knows who is responsible for what. Beyond, neighbors and fingers alone are kept.
 */
export class Chord implements Topology<ChordUpdate> {
  readonly #settings: ChordSettings
  readonly #self: NodeId
  /** Nodes with a link, peers or not: the Connection Table. */
  readonly #linked = new Set<NodeId>()
  /** Linked, and ready: the Routing Table. */
  readonly #peers = new Circle()
  /** The same, and ourselves once we have joined. */
  readonly #members = new Circle()
  readonly #wanted = new Map<NodeId, Wanted>()
  /** Everyone heard of, up to one above the limit: whether a full mesh is possible. */
  readonly #heardOf = new Set<NodeId>()
  readonly #correctedAt = new Map<NodeId, Instant>()
  #joined = false
  #startedAt: Instant | undefined
  #updateAt = NEVER
  #searchAt = NEVER
  #searchedAt: Instant | undefined
  #effects: Effect[] = []

  constructor(settings: ChordSettings) {
    this.#settings = settings
    this.#self = settings.self
  }

  get deadline(): Instant {
    let next = earliest(this.#updateAt, this.#searchAt)
    for (const { retryAt } of this.#wanted.values()) next = earliest(next, retryAt)
    return next
  }

  get settled(): boolean {
    return this.#wanted.values().every(({ tries }) => tries > 1)
  }

  handle(input: TopologyInput<ChordUpdate>, now: Instant): readonly Effect[] {
    this.#startedAt ??= now
    this.#effects = []
    switch (input.kind) {
      case "linked":
        this.#linked.add(input.peer)
        if (this.#joined) this.#send(input.peer, this.#full(now))
        break
      case "unlinked":
        this.#linked.delete(input.peer)
        this.#correctedAt.delete(input.peer)
        this.#forget(input.peer, now)
        break
      case "unreachable":
        this.#unreachable(input.peer, now)
        break
      case "received":
        this.#received(input.from, input.body, now)
        break
      case "gone":
        this.#forget(input.peer, now)
        for (const named of input.named) this.#hearOf(named, input.peer)
        break
      case "joined":
        this.#join(now)
        break
      case "left":
        this.#joined = false
        this.#members.delete(this.#self)
        this.#updateAt = NEVER
        this.#searchAt = NEVER
        this.#effects.push({ kind: "share-changed" })
        break
    }
    return this.#effects
  }

  expire(now: Instant): readonly Effect[] {
    this.#effects = []
    for (const [peer, wanted] of this.#wanted) {
      if (wanted.retryAt > now) continue
      this.#wanted.set(peer, { ...wanted, retryAt: NEVER })
      this.#effects.push({ kind: "link", peer, via: wanted.via })
    }
    if (this.#updateAt <= now) {
      for (const peer of this.#neighborTable()) this.#send(peer, this.#full(now))
      this.#planUpdate(now)
    }
    if (this.#searchAt <= now) this.#search(now)
    return this.#effects
  }

  // What the overlay asks.

  nextHop(target: NodeId | ResourceId): NodeId | undefined {
    if (this.#linked.has(target as NodeId)) return target as NodeId
    if (this.#isMesh) {
      const responsible = this.#members.at(target)
      return responsible === this.#self ? undefined : responsible
    }
    if (this.#owns(target)) return undefined
    const [closest] = this.#peers.before(target, 1)
    if (closest === undefined) return undefined
    return isWithin(closest, this.#self, target) ? closest : this.#peers.at(target)
  }

  responsible(target: ResourceId): NodeId {
    return this.#members.at(target) ?? this.#self
  }

  holders(target: ResourceId, count: number, without?: NodeId): readonly NodeId[] {
    return this.#members.from(target, count, without)
  }

  wouldOwn(joiner: NodeId, target: ResourceId): boolean {
    const [predecessor] = this.#members.before(joiner, 1)
    return predecessor === undefined || isWithin(target, predecessor, joiner)
  }

  neighbors(): { readonly predecessors: readonly NodeId[]; readonly successors: readonly NodeId[] } {
    const count = this.#neighborCount
    return {
      predecessors: this.#peers.before(this.#self, count),
      successors: this.#peers.from(this.#self, count),
    }
  }

  peers(): readonly NodeId[] {
    return this.#peers.ids
  }

  has(peer: NodeId): boolean {
    return this.#peers.has(peer)
  }

  welcome(joiner: NodeId, now: Instant): ChordUpdate {
    const { predecessors, successors } = this.neighbors()
    return this.#update(now, {
      kind: "full",
      predecessors: [joiner, ...predecessors.filter((id) => id !== joiner)].slice(0, this.#neighborCount),
      successors,
      fingers: this.#fingers(),
    })
  }

  welcomes({ content }: ChordUpdate): boolean {
    return content.kind !== "peer-ready" && content.predecessors[0] === this.#self
  }

  leaveData(to: NodeId): Uint8Array {
    const { predecessors, successors } = this.neighbors()
    return encode(
      ChordLeaveData,
      predecessors.includes(to)
        ? { kind: "from-successor", successors }
        : { kind: "from-predecessor", predecessors },
    )
  }

  // What changes it.

  #join(now: Instant): void {
    this.#joined = true
    this.#members.add(this.#self)
    for (const peer of this.#linked) this.#send(peer, this.#full(now))
    this.#effects.push({ kind: "share-changed" })
    this.#planUpdate(now)
    this.#planSearch(now)
  }

  #received(from: NodeId, { content }: ChordUpdate, now: Instant): void {
    if (!this.#linked.has(from)) return this.#hearOf(from, undefined)
    this.#wanted.delete(from)
    const before = this.#neighborTable()
    if (this.#peers.add(from)) {
      this.#members.add(from)
      this.#heard(from)
      this.#effects.push({ kind: "peer-up", peer: from })
      this.#changed(before, now)
      if (this.#joined) this.#tellJoiners(now)
    }
    if (content.kind === "peer-ready") return
    for (const named of [...content.predecessors, ...content.successors]) this.#hearOf(named, from)
    if (content.kind !== "full") return
    for (const named of content.fingers) this.#hearOf(named, from)
    if (this.#joined && this.#isMesh) this.#correct(from, new Set(content.fingers), now)
  }

  /** A peer that does not know all that we know hears of them from us, so that any two meet. */
  #correct(peer: NodeId, known: ReadonlySet<NodeId>, now: Instant): void {
    if (this.#peers.ids.every((id) => id === peer || known.has(id))) return
    if (now < after(this.#correctedAt.get(peer) ?? (0 as Instant), BETWEEN_CORRECTIONS)) return
    this.#correctedAt.set(peer, now)
    this.#send(peer, this.#full(now))
  }

  /** Nodes that have a link but are no peers yet must hear of new ones, or they would join without them. */
  #tellJoiners(now: Instant): void {
    for (const node of this.#linked) if (!this.#peers.has(node)) this.#send(node, this.#full(now))
  }

  #forget(peer: NodeId, now: Instant): void {
    this.#wanted.delete(peer)
    this.#heardOf.delete(peer)
    const before = this.#neighborTable()
    if (!this.#peers.delete(peer)) return
    this.#members.delete(peer)
    this.#effects.push({ kind: "peer-down", peer })
    this.#changed(before, now)
  }

  #changed(before: ReadonlySet<NodeId>, now: Instant): void {
    if (!this.#joined) return
    this.#effects.push({ kind: "share-changed" })
    this.#planSearch(now)
    if (!this.#settings.reactive) return
    const neighbors = this.#neighborTable()
    if (before.size === neighbors.size && neighbors.values().every((id) => before.has(id))) return
    const update = this.#update(now, { kind: "neighbors", ...this.neighbors() })
    // Everyone hears the joiner itself where everyone is linked; in a wide ring §10.7.3 holds.
    for (const peer of this.#isMesh ? neighbors : this.#linked) this.#send(peer, update)
  }

  /** Some peer says that `id` is one: link to it where it belongs into our tables. §10.7.3. */
  #hearOf(id: NodeId, via: NodeId | undefined): void {
    if (id === this.#self || this.#peers.has(id) || this.#wanted.has(id)) return
    this.#heard(id)
    if (!this.#isMesh && !this.#belongs(id)) return
    this.#wanted.set(id, { via, tries: 0, retryAt: NEVER })
    this.#effects.push({ kind: "link", peer: id, via })
  }

  #heard(id: NodeId): void {
    if (this.#heardOf.size <= this.#settings.fullMeshLimit) this.#heardOf.add(id)
  }

  #unreachable(peer: NodeId, now: Instant): void {
    const wanted = this.#wanted.get(peer)
    if (wanted === undefined) return
    const tries = wanted.tries + 1
    if (tries < TRIES) {
      const wait = (FIRST_RETRY * 2 ** wanted.tries) as Duration
      this.#wanted.set(peer, { via: wanted.via, tries, retryAt: after(now, wait) })
    } else {
      this.#wanted.delete(peer)
      this.#heardOf.delete(peer)
    }
  }

  // Tables.

  get #isMesh(): boolean {
    return this.#heardOf.size <= this.#settings.fullMeshLimit
  }

  #owns(target: Point): boolean {
    if (!this.#joined) return false
    const [predecessor] = this.#peers.before(this.#self, 1)
    return predecessor === undefined || isWithin(target, predecessor, this.#self)
  }

  /** Three each way, or as many as the logarithm of the estimated size. §10.7.1. */
  get #neighborCount(): number {
    return this.#isMesh ? NEIGHBORS : Math.max(NEIGHBORS, this.#logarithm())
  }

  #logarithm(): number {
    const successors = this.#peers.from(this.#self, 2 * NEIGHBORS)
    const last = successors.at(-1)
    return last === undefined ? 0 : Math.ceil(Math.log2(estimateSize(this.#self, last, successors.length)))
  }

  #neighborTable(): ReadonlySet<NodeId> {
    const { predecessors, successors } = this.neighbors()
    return new Set([...predecessors, ...successors])
  }

  /** All peers in a full mesh; otherwise one of each interval of the Finger Table that has one. */
  #fingers(): readonly NodeId[] {
    if (this.#isMesh) return this.#peers.ids
    const fingers = new Map<number, NodeId>()
    for (const peer of this.#peers.ids) {
      const index = fingerIndex(this.#self, peer)
      if (!fingers.has(index)) fingers.set(index, peer)
    }
    return [...fingers.values()].sort()
  }

  /** Nearer than a neighbor that we have, or in an interval of the Finger Table that has none. */
  #belongs(id: NodeId): boolean {
    const count = this.#neighborCount
    const { predecessors, successors } = this.neighbors()
    const index = fingerIndex(this.#self, id)
    return (
      successors.length < count ||
      isWithin(id, this.#self, successors.at(-1)!) ||
      isWithin(id, predecessors.at(-1)!, this.#self) ||
      !this.#peers.ids.some((peer) => fingerIndex(this.#self, peer) === index)
    )
  }

  #planSearch(now: Instant): void {
    if (this.#isMesh || !this.#joined) return
    const at = this.#searchedAt === undefined ? now : after(this.#searchedAt, BETWEEN_SEARCHES)
    this.#searchAt = earliest(this.#searchAt, at)
  }

  /** Looks for a peer in each interval that has none and lies beyond the successors. §10.7.4.2. */
  #search(now: Instant): void {
    this.#searchedAt = now
    this.#searchAt = NEVER
    if (this.#isMesh) return
    this.#searchAt = after(now, this.#settings.pingInterval)
    const filled = new Set(this.#peers.ids.map((peer) => fingerIndex(this.#self, peer)))
    const last = Math.min(128, Math.max(FINGERS, this.#logarithm()))
    for (let i = 1; i <= last; i++) {
      if (!filled.has(i)) this.#effects.push({ kind: "seek", target: fingerStart(this.#self, i) })
    }
  }

  // Updates.

  #planUpdate(now: Instant): void {
    const interval = this.#settings.updateInterval * (0.75 + 0.5 * this.#settings.random.next())
    this.#updateAt = after(now, interval as Duration)
  }

  #full(now: Instant): ChordUpdate {
    return this.#update(now, { kind: "full", ...this.neighbors(), fingers: this.#fingers() })
  }

  #update(now: Instant, content: ChordUpdate["content"]): ChordUpdate {
    return { uptime: Math.floor((now - (this.#startedAt ?? now)) / 1_000), content }
  }

  #send(to: NodeId, body: ChordUpdate): void {
    this.#effects.push({ kind: "send", to, body })
  }
}
