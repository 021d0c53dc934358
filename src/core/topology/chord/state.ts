import type { Instant } from "../../kit/time.ts"
import type { Ring, Table, View } from "./rules.ts"

/** A peer that is to be linked: asked for now, or again at `retryAt`. */
export interface Wanted<Id> {
  readonly via: Id | undefined
  readonly tries: number
  readonly retryAt: Instant
}

/**
 * What one peer of CHORD-RELOAD remembers. How it is kept is not the algorithm's business: a node has sets of
 * its own, a population of a million peers shares a few arrays.
 */
export interface ChordState<Id> {
  readonly self: Id
  joined: boolean
  /** NEVER before the first input. */
  startedAt: Instant
  updateAt: Instant
  searchAt: Instant
  searchedAt: Instant
  /** When every finger is looked for again. */
  refreshAt: Instant
  /** When links that nobody needs are looked for. */
  tidyAt: Instant
  /** So few nodes have been heard of that each is linked to every other. */
  readonly isMesh: boolean
  /** That a node exists; or does no more. */
  heard(id: Id): void
  unheard(id: Id): void

  /** The Connection Table: nodes with a link, peers or not. */
  isLinked(id: Id): boolean
  link(id: Id): void
  unlink(id: Id): void
  linked(): Iterable<Id>

  /** The Routing Table: linked, and ready. */
  readonly peers: Table<Id>
  isPeer(id: Id): boolean
  /** Whether it was not there before. */
  addPeer(id: Id): boolean
  /** Whether it was there. */
  deletePeer(id: Id): boolean

  /** Of a peer: whether it has us in its tables, as it said last. */
  needsUs(id: Id): boolean
  setNeedsUs(id: Id, needs: boolean): void
  /** Of a peer: whether we have said to it that we do not have it in ours. */
  isDismissed(id: Id): boolean
  setDismissed(id: Id, dismissed: boolean): void

  /** Who is to be linked. */
  readonly wanted: ReadonlyMap<Id, Wanted<Id>>
  want(id: Id, wanted: Wanted<Id>): void
  unwant(id: Id): void
  /** In a full mesh: when a peer was last told whom it lacks. */
  correctedAt(id: Id): Instant
  setCorrectedAt(id: Id, at: Instant): void
}

/** What the rules see of it: whatever it is at the moment. */
export function viewOf<Id, Spot>(state: ChordState<Id>, ring: Ring<Id, Spot>): View<Id, Spot> {
  return {
    ring,
    peers: state.peers,
    get self() {
      return state.self
    },
    get joined() {
      return state.joined
    },
  }
}
