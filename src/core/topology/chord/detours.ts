import { indexAt, isWithin, NEIGHBORS, neighborCount, nextHop, reach, type View } from "./rules.ts"

// What a peer does where the ordinary way does not lead to an answer: somebody on it is slow, or does not pass on what it
// should, or answers for what is not its own. RFC 6940 §13.6.4 leaves open what; a wide ring has other ways to a place, and
// other peers that hold a copy.

type Key = string | number

/** Nobody that answers for a place is farther from it than so many mean gaps: three holders hardly ever span as many. */
const FARTHEST = 32

/** The farthest, in mean gaps: three holders hardly ever span more, even where gaps are estimated at half of what they are. */
const EXCURSION = 8
const STEPS = 3

/** How many mean gaps further a copy is asked for, the so-manyth time: first in whole steps, then between them. */
export const gapsOfExcursion = (count: number): number =>
  1 + (count % EXCURSION) - (Math.floor(count / EXCURSION) % STEPS) / STEPS

/**
 * The peers that a message for `target` may be passed to, the next hop first, then others that come ever farther before
 * the target: up to `count`. None where it has arrived.
 */
export function ways<Id extends Key, Spot extends Key>(
  view: View<Id, Spot>,
  target: Id | Spot,
  count: number,
): readonly Id[] {
  const { self, peers } = view
  const next = nextHop(view, target)
  if (next === undefined) return []
  const found = [next]
  const index = indexAt(peers, target)
  for (let step = 1; step <= peers.size && found.length < count; step++) {
    const peer = peers.id((index - step + peers.size) % peers.size)
    if (!isWithin<Id | Spot>(peer, self, target)) break
    if (peer !== next) found.push(peer)
  }
  return found
}

/** A place so many mean gaps further: where the peer that is responsible for `target` does not answer, one of the next holds a copy. */
export function beyond<Id extends Key, Spot extends Key>(
  view: View<Id, Spot>,
  target: Spot,
  gaps: number,
): Spot {
  return view.ring.further(target, gaps * meanGap(view))
}

/** Whether `peer` is near enough to be responsible for `target`, or to hold a copy, as far as our own surroundings tell. */
export function isPlausible<Id extends Key, Spot extends Key>(
  view: View<Id, Spot>,
  target: Spot,
  peer: Id,
): boolean {
  if (view.peers.size < 2 * NEIGHBORS) return true
  return view.ring.wayFrom(target, peer) <= FARTHEST * meanGap(view)
}

/** Whether `count` holders of a place are among those that we know without a gap: our neighbors. */
export function knowsHolders<Id extends Key, Spot extends Key>(
  view: View<Id, Spot>,
  target: Spot,
  holders: readonly Id[],
): boolean {
  const { from, to, isAll } = reach(view)
  return isAll || [target, ...holders].every((place) => isWithin<Id | Spot>(place, from, to))
}

/** How far apart peers are, as the distances of our neighbors tell. */
function meanGap<Id extends Key, Spot>(view: View<Id, Spot>): number {
  const { ring, self, peers } = view
  if (peers.size === 0) return 0
  const count = Math.min(neighborCount(view), Math.floor(peers.size / 2))
  const here = indexAt(peers, self)
  const first = peers.id((here - count + peers.size) % peers.size)
  const last = peers.id((here + Math.max(count, 1) - 1) % peers.size)
  const span = ring.way(count === 0 ? self : first, self) + ring.way(self, last)
  return span / Math.max(1, 2 * count)
}
