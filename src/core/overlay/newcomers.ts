import type { NodeId } from "../identity/node-id.ts"
import { after, type Instant, seconds } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import type { Fabric } from "./fabric.ts"
import { COPIES } from "./placement.ts"

/** After so long the copies that a change of the ring calls for have been made, hold-down and all. */
const SETTLED = seconds(30)
/** So long it may be ourselves who have lost sight of a peer that lives. */
const GONE = seconds(60)

/**
 * Which holders of a record have held it since before the ring last changed. A peer that has come into a place
 * by a death or a join may know nothing of the record yet, or only what was written since.
 */
export class Newcomers {
  readonly #fabric: Fabric
  readonly #came = new Map<NodeId, Instant>()
  readonly #went = new Map<NodeId, Instant>()

  constructor(fabric: Fabric) {
    this.#fabric = fabric
  }

  came(node: NodeId): void {
    this.#forget()
    this.#went.delete(node)
    this.#came.set(node, this.#fabric.now)
  }

  went(node: NodeId): void {
    this.#forget()
    this.#came.delete(node)
    this.#went.set(node, this.#fabric.now)
  }

  /** It has taken its leave: what it held was handed over first, so those that stay know as much as it did. */
  left(node: NodeId): void {
    this.#came.delete(node)
    this.#went.delete(node)
  }

  /** The holders of old, those that live: at most three, in the order in which they answer for the record. */
  oldHolders(resource: ResourceId): readonly NodeId[] {
    this.#forget()
    const { topology, self } = this.#fabric
    const old = [self, ...topology.peers(), ...this.#went.keys()].filter((node) => !this.#came.has(node))
    const turn = (node: NodeId) => `${node >= (resource as string) ? 0 : 1}${node}`
    const ring = [...new Set(old)].sort((a, b) => (turn(a) < turn(b) ? -1 : 1))
    return ring.slice(0, COPIES).filter((node) => !this.#went.has(node))
  }

  #forget(): void {
    for (const [times, span] of [
      [this.#came, SETTLED],
      [this.#went, GONE],
    ] as const)
      for (const [node, at] of times) if (this.#fabric.now > after(at, span)) times.delete(node)
  }
}
