import type { NodeId } from "../identity/node-id.ts"
import type { Machine } from "../kit/machine.ts"
import type { ResourceId } from "../reload/header.ts"

/** What the overlay tells a topology. `Body` is what topologies of two peers say to each other. */
export type TopologyInput<Body> =
  | { readonly kind: "linked"; readonly peer: NodeId }
  | { readonly kind: "unlinked"; readonly peer: NodeId }
  /** An Update that `from` signed. It means that `from` is a peer, ready to route and store. */
  | { readonly kind: "received"; readonly from: NodeId; readonly body: Body }
  /** `from` takes its leave, or is found dead. */
  | { readonly kind: "gone"; readonly peer: NodeId }
  /** We have joined: from now on we announce ourselves. */
  | { readonly kind: "joined" }

/** What a topology wants of the overlay. */
export type TopologyEffect<Body> =
  /** Attach to that peer (source-routed through `via` where it was named by it). */
  | { readonly kind: "link"; readonly peer: NodeId; readonly via: NodeId | undefined }
  | { readonly kind: "unlink"; readonly peer: NodeId }
  | { readonly kind: "send"; readonly to: NodeId; readonly body: Body }
  /** Our share of the ring or our replica set has changed: move what we store, and the copies of it. */
  | { readonly kind: "share-changed" }

/**
 * One peer's view of the shape of the overlay. RFC 6940 §6.4.
 *
 * The questions are answered at once, from what the peer knows now; only `handle` and `expire`
 * change it. No two peers need agree: routing forgives, storage heals.
 */
export interface Topology<Body> extends Machine<TopologyInput<Body>, TopologyEffect<Body>> {
  /** The peer to pass a message for `target` to, or undefined where it has arrived. */
  nextHop(target: NodeId | ResourceId): NodeId | undefined
  /** The peer known as responsible for `target`: exact in a full mesh. Ourselves included. */
  responsible(target: ResourceId): NodeId
  /** The `count` peers from the responsible one on, clockwise: those that hold the copies. */
  holders(target: ResourceId, count: number): readonly NodeId[]
  neighbors(): { readonly predecessors: readonly NodeId[]; readonly successors: readonly NodeId[] }
  /** Every peer of the routing table. */
  peers(): readonly NodeId[]
}
