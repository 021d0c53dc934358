import type { NodeId } from "../identity/node-id.ts"
import type { Machine } from "../kit/machine.ts"
import type { Instant } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"

/** What the overlay tells a topology. `Body` is what topologies of two peers say to each other. */
export type TopologyInput<Body, Id = NodeId> =
  | { readonly kind: "linked"; readonly peer: Id }
  | { readonly kind: "unlinked"; readonly peer: Id }
  /** A link that was asked for could not be had. */
  | { readonly kind: "unreachable"; readonly peer: Id }
  /** An Update that `from` signed. It means that `from` is a peer, ready to route and store. */
  | { readonly kind: "received"; readonly from: Id; readonly body: Body }
  /** `peer` takes its leave, or begins anew: it is linked perhaps, but no peer. It names those it knew. */
  | { readonly kind: "gone"; readonly peer: Id; readonly named: readonly Id[] }
  /** Before we join: the ring has stood for long, and these were our peers; links to them come up. */
  | { readonly kind: "resumed"; readonly peers: readonly Id[] }
  /** We have joined: from now on we announce ourselves. */
  | { readonly kind: "joined" }
  /** We are no peer any more. */
  | { readonly kind: "left" }

/** What a topology wants of the overlay. */
export type TopologyEffect<Body, Id = NodeId, Spot = ResourceId> =
  /** Attach to that peer (source-routed through `via` where it was named by it). */
  | { readonly kind: "link"; readonly peer: Id; readonly via: Id | undefined }
  /** Attach to whoever is responsible there. */
  | { readonly kind: "seek"; readonly target: Spot }
  | { readonly kind: "send"; readonly to: Id; readonly body: Body }
  /** Neither we nor that peer need the link between us any more, and it has been told: close it. */
  | { readonly kind: "release"; readonly peer: Id }
  | { readonly kind: "peer-up"; readonly peer: Id }
  | { readonly kind: "peer-down"; readonly peer: Id }
  /** Our share of the ring or a replica set has changed: move what we store, and the copies of it. */
  | { readonly kind: "share-changed" }

/**
 * One peer's view of the shape of the overlay. RFC 6940 §6.4.
 *
 * The questions are answered at once, from what the peer knows now; only `handle` and `expire`
 * change it. No two peers need agree: routing forgives, storage heals.
 */
export interface Topology<Body> extends Machine<TopologyInput<Body>, TopologyEffect<Body>> {
  /** The peer to pass a message for `target` to, or undefined where it has arrived, or cannot go on. */
  nextHop(target: NodeId | ResourceId): NodeId | undefined
  /**
   * The next hop first, then other peers that a message for `target` may be passed to where that way brings no answer. In a
   * full mesh there is one way.
   */
  ways(target: NodeId | ResourceId, count: number): readonly NodeId[]
  /** A place so many mean gaps between peers further: one of the next holders is likely to be responsible for it. */
  beyond(target: ResourceId, gaps: number): ResourceId
  /** Whether `peer` stands near enough to answer for `target`, as far as can be told from here. RFC 6940 §6.3.4, §13.6. */
  isPlausible(target: ResourceId, peer: NodeId): boolean
  /** Whether `holders` names those that the whole ring would name: where the target lies among our neighbors, or in a mesh. */
  knowsHolders(target: ResourceId, count: number): boolean
  /** The peer known as responsible for `target`: exact in a full mesh. Ourselves included. */
  responsible(target: ResourceId): NodeId
  /**
   * The `count` peers from the responsible one on, clockwise: those that hold the copies. With
   * `without`, those that would hold them if that peer were gone.
   */
  holders(target: ResourceId, count: number, without?: NodeId): readonly NodeId[]
  /** Whether `joiner` would be responsible for `target` if it were a peer. */
  wouldOwn(joiner: NodeId, target: ResourceId): boolean
  neighbors(): { readonly predecessors: readonly NodeId[]; readonly successors: readonly NodeId[] }
  /** Every peer of the routing table, ourselves left out, in order of their Node-IDs. */
  peers(): readonly NodeId[]
  has(peer: NodeId): boolean
  /** Whether the peer, or its loss, matters: not where neither of us needs the link between us. */
  isNeeded(peer: NodeId): boolean
  /** All peers that are known of are linked and have said that they are ready, or cannot be reached. */
  readonly settled: boolean
  /** What tells a joining node that it is our predecessor now. RFC 6940 §10.5, step 7. */
  welcome(joiner: NodeId, now: Instant): Body
  /** Whether it says that we are the sender's predecessor. */
  welcomes(body: Body): boolean
  /** `overlay_specific_data` of a Leave to that peer. RFC 6940 §10.9. */
  leaveData(to: NodeId): Uint8Array
}
