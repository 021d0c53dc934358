import type { NodeId } from "../identity/node-id.ts"
import { after, type Duration, type Instant, seconds } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import type { Fabric } from "./fabric.ts"
import { COPIES } from "./placement.ts"

/** After so long the copies that a change of the ring calls for have been made, hold-down and all. */
const SETTLED = seconds(30)
/** So long it may be ourselves who have lost sight of peers that live, or that come back with what they alone held. */
const GONE = seconds(60)
/** Deaths so close to one another may have one cause, and leave no time to make copies in between. */
const TOGETHER = seconds(3)
/** So long after a single death copies may be missing that it calls for: the hold-down, and as long again. */
const REPAIRED = seconds(10)

/** What it takes to know. */
export interface NewcomersParts {
  readonly self: NodeId
  readonly now: Instant
  /** We are part of the ring. */
  readonly isPeer: boolean
  readonly topology: Pick<Fabric["topology"], "peers">
}

interface Arrival {
  readonly at: Instant
  /** We saw it come, and did not find it there when we came ourselves. */
  readonly isSeen: boolean
}

interface Death {
  readonly at: Instant
  /** It was there for so short a time that whatever it held had other holders, who were there before it. */
  readonly wasNew: boolean
  /** As many as hold a record went within a moment. */
  isOneOfMany: boolean
}

/**
 * Which holders of a record have held it since before the ring last changed. A peer that has come into a place
 * by a death or a join may know nothing of the record yet, or only what was written since.
 *
 * Of the dead, those that went with others count for long: all holders of a record may be among them, or they live and we
 * are cut off. Who went alone has left its records to two others, and is missed only until these have made new copies;
 * where it had only just come, not at all. Otherwise a ring in which nodes come and go all the time would know nothing.
 */
export class Newcomers {
  readonly #fabric: NewcomersParts
  readonly #came = new Map<NodeId, Arrival>()
  readonly #went = new Map<NodeId, Death>()

  constructor(fabric: NewcomersParts) {
    this.#fabric = fabric
  }

  came(node: NodeId): void {
    this.#forget()
    this.#went.delete(node)
    this.#came.set(node, { at: this.#fabric.now, isSeen: this.#fabric.isPeer })
  }

  went(node: NodeId): void {
    this.#forget()
    const wasNew = this.#came.get(node)?.isSeen === true
    this.#came.delete(node)
    this.#went.set(node, { at: this.#fabric.now, wasNew, isOneOfMany: false })
    const atOnce = [...this.#went.values()].filter(({ at }) => !this.#isOver(at, TOGETHER))
    if (atOnce.length >= COPIES) for (const death of atOnce) death.isOneOfMany = true
  }

  /** It has taken its leave: what it held was handed over first, so those that stay know as much as it did. */
  left(node: NodeId): void {
    this.#came.delete(node)
    this.#went.delete(node)
  }

  /** How many died within the last minute, and are not back. */
  get dead(): number {
    this.#forget()
    return this.#went.size
  }

  /** It came within the last half a minute. */
  isNew(node: NodeId): boolean {
    this.#forget()
    return this.#came.has(node)
  }

  /** The holders of old, those that live: at most three, in the order in which they answer for the record. */
  oldHolders(resource: ResourceId): readonly NodeId[] {
    this.#forget()
    const { topology, self } = this.#fabric
    const first: NodeId[] = []
    // Asked for each read of what is not there: all peers are not put in order for the sake of three.
    for (const node of [self, ...topology.peers(), ...this.#missed()])
      if (!this.#came.has(node)) addToFirst(first, node, resource)
    return first.filter((node) => !this.#went.has(node))
  }

  /** The dead without whom we may not know all. */
  *#missed(): Iterable<NodeId> {
    for (const [node, { at, wasNew, isOneOfMany }] of this.#went)
      if (isOneOfMany || !(wasNew || this.#isOver(at, REPAIRED))) yield node
  }

  #forget(): void {
    for (const [node, { at }] of this.#came) if (this.#isOver(at, SETTLED)) this.#came.delete(node)
    for (const [node, { at }] of this.#went) if (this.#isOver(at, GONE)) this.#went.delete(node)
  }

  #isOver(at: Instant, span: Duration): boolean {
    return this.#fabric.now > after(at, span)
  }
}

/** Of the nodes that were added, the first so many at the Resource-ID or behind it on the ring; each once. */
function addToFirst(first: NodeId[], node: NodeId, resource: ResourceId): void {
  const isInFront = (other: NodeId) =>
    node >= (resource as string) === other >= (resource as string)
      ? node < other
      : node >= (resource as string)
  let at = first.length
  while (at > 0 && isInFront(first[at - 1]!)) at--
  if (at === COPIES || first[at - 1] === node) return
  first.splice(at, 0, node)
  if (first.length > COPIES) first.pop()
}
