// The decisions of CHORD-RELOAD (RFC 6940 §10), as pure functions of what one peer knows. They ask for ids in
// their order and for distances, not for how either is written: a node's are 32 hexadecimal digits, those of a
// population of a million are numbers in one array.

/** §10.7.1: at least three predecessors and three successors. */
export const NEIGHBORS = 3
/** §10.7.4.3. */
const FINGERS = 16
const MOST_FINGERS = 128

/** Ids in ascending order. */
export interface Table<Id> {
  readonly size: number
  id(index: number): Id
}

/** How far apart ids are. `Spot` is any place on the ring; where ids are compared with spots, `<` orders them. */
export interface Ring<Id, Spot> {
  /** Which finger `peer` can be for `self`: 1 for the far half of the ring, 2 for the quarter before it, … */
  fingerIndex(self: Id, peer: Id): number
  /** Where the finger begins, half the ring away for 1. §10.7.4.2. */
  fingerStart(self: Id, index: number): Spot
  /** The way clockwise, as a part of the ring in units of 2⁻⁵³, rounded down. */
  way(from: Id, to: Id): number
  /** The same from any place. */
  wayFrom(from: Spot, to: Id): number
  /** The place so far clockwise from there, in the same units. */
  further(from: Spot, way: number): Spot
}

/** What one peer knows. */
export interface View<Id, Spot> {
  readonly ring: Ring<Id, Spot>
  readonly self: Id
  /** We are part of the ring, and own a share of it. */
  readonly joined: boolean
  /** The other peers that we are linked to. */
  readonly peers: Table<Id>
}

export interface Neighbors<Id> {
  readonly predecessors: readonly Id[]
  readonly successors: readonly Id[]
}

type Key = string | number

/** Whether `point` lies on the way clockwise from `from`, which is left out, to `to`, which is not. */
export function isWithin<Point extends Key>(point: Point, from: Point, to: Point): boolean {
  return from < to ? from < point && point <= to : from < point || point <= to
}

/** Index of the first id at `point` or above it; the size where there is none. */
export function indexAt<Id extends Key>(table: Table<Id>, point: Key): number {
  let low = 0
  let high = table.size
  while (low < high) {
    const middle = (low + high) >> 1
    if ((table.id(middle) as Key) < point) low = middle + 1
    else high = middle
  }
  return low
}

/** The peer `steps` after the first at `from` or above it, or before it, where negative. The table is not empty. */
function around<Id>(table: Table<Id>, from: number, steps: number): Id {
  const index = (from + steps) % table.size
  return table.id(index < 0 ? index + table.size : index)
}

/** ⌈log2⌉ of the size of the ring, as the distance of a few successors tells. RFC 7363 §6.2. */
export function logarithm<Id extends Key, Spot>({ ring, self, peers }: View<Id, Spot>): number {
  const gaps = Math.min(2 * NEIGHBORS, peers.size)
  if (gaps === 0) return 0
  const way = ring.way(self, around(peers, indexAt(peers, self), gaps - 1))
  return Math.ceil(Math.log2(gaps * (2 ** 53 / Math.max(way, 1))))
}

/** Predecessors, and successors, to keep: three, or as many as the logarithm of the size. §10.7.1. */
export const neighborCount = <Id extends Key, Spot>(view: View<Id, Spot>): number =>
  Math.max(NEIGHBORS, logarithm(view))

/** The nearest first. */
export function neighbors<Id extends Key, Spot>(
  { self, peers }: View<Id, Spot>,
  count: number,
): Neighbors<Id> {
  const length = Math.min(count, peers.size)
  const here = indexAt(peers, self)
  const predecessors: Id[] = []
  const successors: Id[] = []
  for (let step = 0; step < length; step++) {
    predecessors.push(around(peers, here, -1 - step))
    successors.push(around(peers, here, step))
  }
  return { predecessors, successors }
}

/** Of each interval of the Finger Table the first peer that is known. In ascending order. §10.7.4.2. */
export function fingers<Id extends Key, Spot extends Key>(view: View<Id, Spot>): readonly Id[] {
  const { self, peers } = view
  const [below, above]: [Id[], Id[]] = [[], []]
  const here = indexAt(peers, self)
  for (let step = 0; step < peers.size; step = intervalEnd(view, here, step)) {
    const peer = around(peers, here, step)
    if (peer < self) below.push(peer)
    else above.push(peer)
  }
  return [...below, ...above]
}

/** How many steps clockwise from `here` the first peer of another interval than that at `step` is. Looks farther and farther, then between. */
function intervalEnd<Id extends Key, Spot>(
  { ring, self, peers }: View<Id, Spot>,
  here: number,
  step: number,
): number {
  const index = ring.fingerIndex(self, around(peers, here, step))
  const isSame = (other: number) => ring.fingerIndex(self, around(peers, here, other)) === index
  let [low, width] = [step, 1]
  while (low + width < peers.size && isSame(low + width)) {
    low += width
    width *= 2
  }
  let high = Math.min(low + width, peers.size)
  while (low + 1 < high) {
    const middle = (low + high) >> 1
    if (isSame(middle)) low = middle
    else high = middle
  }
  return high
}

/** Which finger `peer` is that only a search can replace, since it lies beyond the successors. §10.7.2. */
export function fingerToReplace<Id extends Key, Spot extends Key>(
  view: View<Id, Spot>,
  peer: Id,
): number | undefined {
  const { ring, self, peers } = view
  const index = ring.fingerIndex(self, peer)
  const isFirst = around(peers, indexAt(peers, ring.fingerStart(self, index)), 0) === peer
  return isFirst && index <= lastBeyond(view) ? index : undefined
}

/** The last finger whose interval begins beyond our successors; up to them, no peer is unknown. */
function lastBeyond<Id extends Key, Spot>(view: View<Id, Spot>): number {
  const { ring, self, peers } = view
  const size = logarithm(view)
  const steps = Math.min(Math.max(NEIGHBORS, size), peers.size)
  const farthest = around(peers, indexAt(peers, self), steps - 1)
  return Math.min(MOST_FINGERS, Math.max(FINGERS, size), ring.fingerIndex(self, farthest) - 1)
}

/** The peers that a wide ring needs us to be linked to: the Neighbor Table and the Finger Table. */
export function needed<Id extends Key, Spot extends Key>(view: View<Id, Spot>): ReadonlySet<Id> {
  const { predecessors, successors } = neighbors(view, neighborCount(view))
  return new Set([...predecessors, ...successors, ...fingers(view)])
}

/** Whether that one is among them. */
export function isNeeded<Id extends Key, Spot extends Key>(view: View<Id, Spot>, peer: Id): boolean {
  const { ring, self, peers } = view
  const place = indexAt(peers, peer)
  if (place === peers.size || peers.id(place) !== peer) return false
  const count = neighborCount(view)
  const steps = (place - indexAt(peers, self) + peers.size) % peers.size
  if (steps < count || steps >= peers.size - count) return true
  return ring.fingerIndex(self, around(peers, place, -1)) !== ring.fingerIndex(self, peer)
}

/** How far our neighbors reach: all of the ring where there are too few of them. */
export interface Reach<Id> {
  readonly from: Id
  readonly to: Id
  readonly isAll: boolean
}

export function reach<Id extends Key, Spot>(view: View<Id, Spot>): Reach<Id> {
  const { self, peers } = view
  const count = neighborCount(view)
  if (peers.size < 2 * count) return { from: self, to: self, isAll: true }
  const here = indexAt(peers, self)
  return { from: around(peers, here, -count), to: around(peers, here, count - 1), isAll: false }
}

/**
 * Whether a peer that we hear of belongs into our Neighbor Table. Fingers are searched for instead: each of the many
 * that one hears of may be better than the last, and would be linked to on the way to the best.
 */
export function belongs<Id extends Key>({ from, to, isAll }: Reach<Id>, id: Id): boolean {
  return isAll || isWithin(id, from, to)
}

/**
 * The fingers to look for: those that we have none for, or with `isAll` every one. Where the successors reach, no
 * peer is unknown. §10.7.4.2, §10.7.4.3.
 */
export function fingersToSeek<Id extends Key, Spot>(view: View<Id, Spot>, isAll: boolean): readonly number[] {
  const { ring, self, peers } = view
  if (peers.size === 0) return []
  const filled = new Set<number>()
  if (!isAll) for (let i = 0; i < peers.size; i++) filled.add(ring.fingerIndex(self, peers.id(i)))
  return Array.from({ length: lastBeyond(view) }, (_, index) => index + 1).filter(
    (index) => !filled.has(index),
  )
}

/** Whether `joiner` would be responsible for `target` if it were a peer. */
export function wouldOwn<Id extends Key, Spot extends Key>(
  view: View<Id, Spot>,
  joiner: Id,
  target: Id | Spot,
): boolean {
  const { self, joined, peers } = view
  const before = peers.size === 0 ? undefined : around(peers, indexAt(peers, joiner), -1)
  const predecessor = joined && (before === undefined || isWithin(self, before, joiner)) ? self : before
  return predecessor === undefined || isWithin<Id | Spot>(target, predecessor, joiner)
}

/** Whether we are the responsible peer for `target`. */
export function owns<Id extends Key, Spot extends Key>(view: View<Id, Spot>, target: Id | Spot): boolean {
  const { self, joined, peers } = view
  if (!joined) return false
  return peers.size === 0 || isWithin<Id | Spot>(target, around(peers, indexAt(peers, self), -1), self)
}

/** The peer known as responsible for `target`, ourselves included; undefined where nobody is known. */
export function responsible<Id extends Key, Spot extends Key>(
  view: View<Id, Spot>,
  target: Id | Spot,
): Id | undefined {
  const { self, joined, peers } = view
  if (peers.size === 0) return joined ? self : undefined
  const index = indexAt(peers, target)
  const first = around(peers, index, 0)
  if (!joined) return first
  if (first === target) return first
  return target === self || isWithin<Id | Spot>(self, target, first) ? self : first
}

/** Up to `count` peers from the responsible one on, clockwise, ourselves included, leaving out `without`. */
export function holders<Id extends Key, Spot extends Key>(
  { self, joined, peers }: View<Id, Spot>,
  target: Id | Spot,
  count: number,
  without?: Id,
): readonly Id[] {
  const found: Id[] = []
  const start = indexAt(peers, target)
  const add = (id: Id) => {
    if (id !== without) found.push(id)
  }
  let previous: Id | Spot = target
  let isSelfDue = joined
  for (let step = 0; step < peers.size && found.length < count; step++) {
    const id = around(peers, start, step)
    // A peer that stands at the target itself comes before us, whoever we are.
    if (isSelfDue && id !== target && (self === target || isWithin<Id | Spot>(self, previous, id))) {
      add(self)
      isSelfDue = false
      if (found.length === count) break
    }
    add(id)
    previous = id
  }
  if (isSelfDue && found.length < count) add(self)
  return found
}

/** The peer to pass a message for `target` to; undefined where it has arrived, or nobody is known. §10.3. */
export function nextHop<Id extends Key, Spot extends Key>(
  view: View<Id, Spot>,
  target: Id | Spot,
): Id | undefined {
  if (owns(view, target)) return undefined
  const { self, peers } = view
  if (peers.size === 0) return undefined
  const index = indexAt(peers, target)
  const closest = around(peers, index, -1)
  return isWithin<Id | Spot>(closest, self, target) ? closest : around(peers, index, 0)
}

/**
 * Whether we are to come next to that peer, as its tables are. In a wide ring a node that joins hears of others
 * from these alone, §10.5: what peers elsewhere know would have it link to half the ring on its way.
 */
export function isBeside<Id extends Key>(
  self: Id,
  peer: Id,
  { predecessors, successors }: Neighbors<Id>,
): boolean {
  const [before, after] = [predecessors[0] ?? peer, successors[0] ?? peer]
  return isWithin(self, before, peer) || isWithin(self, peer, after)
}
