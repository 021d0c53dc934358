import type { NodeId } from "../../identity/node-id.ts"
import { type Instant, NEVER } from "../../kit/time.ts"
import { Circle } from "./circle.ts"
import type { ChordState, Wanted } from "./state.ts"

/** With a limit of none, one peer that is let go must not make a mesh of those that are left. */
const SPARE = 16

/** What a node that runs on its own remembers. */
export class OwnState implements ChordState<NodeId> {
  readonly self: NodeId
  readonly peers = new Circle()
  readonly wanted = new Map<NodeId, Wanted<NodeId>>()
  joined = false
  startedAt = NEVER
  updateAt = NEVER
  searchAt = NEVER
  searchedAt = 0 as Instant
  refreshAt = 0 as Instant
  tidyAt = NEVER
  readonly #fullMeshLimit: number
  readonly #linked = new Set<NodeId>()
  readonly #needUs = new Set<NodeId>()
  readonly #dismissed = new Set<NodeId>()
  readonly #correctedAt = new Map<NodeId, Instant>()
  /** Everyone heard of, well above the limit: so a death or two do not make a mesh of a wide ring. */
  readonly #heardOf = new Set<NodeId>()

  constructor(self: NodeId, fullMeshLimit: number) {
    this.self = self
    this.#fullMeshLimit = fullMeshLimit
  }

  get isMesh(): boolean {
    return this.#heardOf.size <= this.#fullMeshLimit
  }

  heard(id: NodeId): void {
    if (this.#heardOf.size <= 2 * this.#fullMeshLimit + SPARE) this.#heardOf.add(id)
  }

  unheard(id: NodeId): void {
    this.#heardOf.delete(id)
  }

  isLinked(id: NodeId): boolean {
    return this.#linked.has(id)
  }

  link(id: NodeId): void {
    this.#linked.add(id)
  }

  unlink(id: NodeId): void {
    this.#linked.delete(id)
    this.#correctedAt.delete(id)
  }

  linked(): Iterable<NodeId> {
    return this.#linked
  }

  isPeer(id: NodeId): boolean {
    return this.peers.has(id)
  }

  addPeer(id: NodeId): boolean {
    return this.peers.add(id)
  }

  deletePeer(id: NodeId): boolean {
    this.#needUs.delete(id)
    this.#dismissed.delete(id)
    return this.peers.delete(id)
  }

  needsUs(id: NodeId): boolean {
    return this.#needUs.has(id)
  }

  setNeedsUs(id: NodeId, needs: boolean): void {
    if (needs) this.#needUs.add(id)
    else this.#needUs.delete(id)
  }

  isDismissed(id: NodeId): boolean {
    return this.#dismissed.has(id)
  }

  setDismissed(id: NodeId, dismissed: boolean): void {
    if (dismissed) this.#dismissed.add(id)
    else this.#dismissed.delete(id)
  }

  want(id: NodeId, wanted: Wanted<NodeId>): void {
    this.wanted.set(id, wanted)
  }

  unwant(id: NodeId): void {
    this.wanted.delete(id)
  }

  correctedAt(id: NodeId): Instant {
    return this.#correctedAt.get(id) ?? (0 as Instant)
  }

  setCorrectedAt(id: NodeId, at: Instant): void {
    this.#correctedAt.set(id, at)
  }
}
