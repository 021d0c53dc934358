import type { NodeId } from "../../identity/node-id.ts"
import type { Random } from "../../kit/random.ts"
import type { Instant } from "../../kit/time.ts"
import type { ResourceId } from "../../reload/header.ts"
import { ChordLeaveData, type ChordUpdate } from "../../reload/overlay-methods.ts"
import { encode } from "../../wire/codec.ts"
import type { Topology, TopologyEffect, TopologyInput } from "../topology.ts"
import { type Circle, NODE_IDS } from "./circle.ts"
import { beyond, isPlausible, knowsHolders, ways } from "./detours.ts"
import { ChordMachine, type ChordTimes } from "./machine.ts"
import { OwnState } from "./own-state.ts"
import { holders, responsible, wouldOwn } from "./rules.ts"

export interface ChordSettings extends ChordTimes {
  readonly self: NodeId
  readonly random: Random
  /** Up to so many peers, each is linked to every other. */
  readonly fullMeshLimit: number
}

/** CHORD-RELOAD for one node: see `ChordMachine`, which decides. */
export class Chord implements Topology<ChordUpdate> {
  readonly #self: NodeId
  readonly #peers: Circle
  readonly #machine: ChordMachine<NodeId, ResourceId>

  constructor({ self, random, fullMeshLimit, ...times }: ChordSettings) {
    const state = new OwnState(self, fullMeshLimit)
    this.#self = self
    this.#peers = state.peers
    this.#machine = new ChordMachine(state, NODE_IDS, times, random)
  }

  get deadline(): Instant {
    return this.#machine.deadline
  }

  get settled(): boolean {
    return this.#machine.settled
  }

  handle(input: TopologyInput<ChordUpdate>, now: Instant): readonly TopologyEffect<ChordUpdate>[] {
    return this.#machine.handle(input, now)
  }

  expire(now: Instant): readonly TopologyEffect<ChordUpdate>[] {
    return this.#machine.expire(now)
  }

  nextHop(target: NodeId | ResourceId): NodeId | undefined {
    return this.#machine.nextHop(target)
  }

  ways(target: NodeId | ResourceId, count: number): readonly NodeId[] {
    const next = this.nextHop(target)
    if (this.#machine.state.isMesh || next === target) return next === undefined ? [] : [next]
    return ways(this.#machine.view, target, count)
  }

  beyond(target: ResourceId, gaps: number): ResourceId {
    return beyond(this.#machine.view, target, gaps)
  }

  isPlausible(target: ResourceId, peer: NodeId): boolean {
    return this.#machine.state.isMesh || isPlausible(this.#machine.view, target, peer)
  }

  knowsHolders(target: ResourceId, count: number): boolean {
    return this.#machine.state.isMesh || knowsHolders(this.#machine.view, target, this.holders(target, count))
  }

  responsible(target: ResourceId): NodeId {
    return responsible(this.#machine.view, target) ?? this.#self
  }

  holders(target: ResourceId, count: number, without?: NodeId): readonly NodeId[] {
    return holders(this.#machine.view, target, count, without)
  }

  wouldOwn(joiner: NodeId, target: ResourceId): boolean {
    return wouldOwn(this.#machine.view, joiner, target)
  }

  neighbors(): { readonly predecessors: readonly NodeId[]; readonly successors: readonly NodeId[] } {
    return this.#machine.neighbors()
  }

  peers(): readonly NodeId[] {
    return this.#peers.ids
  }

  has(peer: NodeId): boolean {
    return this.#peers.has(peer)
  }

  isNeeded(peer: NodeId): boolean {
    return this.#machine.isNeeded(peer)
  }

  welcome(joiner: NodeId, now: Instant): ChordUpdate {
    return this.#machine.welcome(joiner, now)
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
}
