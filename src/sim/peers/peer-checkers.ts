import type { ResourceId } from "../../core/reload/header.ts"
import { copiesAmiss, holdersOf } from "../checkers.ts"
import type { PeerHost } from "./peer-host.ts"
import type { PeerWorld } from "./peer-world.ts"

// They look on from outside, and say what is amiss, or undefined.

/**
 * The invariants that Zave showed to make Chord correct (How to make Chord correct, 2017), of the peers that
 * have joined: at least one ring, at most one, ordered, and everybody else leads to it. The successor that
 * counts is the first living one in a peer's list.
 */
export function chordComplaint(world: PeerWorld): string | undefined {
  const joined = new Map(world.alive.filter(({ hasJoined }) => hasJoined).map((peer) => [peer.nodeId, peer]))
  if (joined.size < 2) return undefined
  const successor = new Map<PeerHost, PeerHost>()
  for (const peer of joined.values()) {
    const [next] = successorsOf(peer).flatMap((id) => joined.get(id as typeof peer.nodeId) ?? [])
    if (next === undefined) return `${peer.host} knows no living successor`
    successor.set(peer, next)
  }
  const ring = cycleFrom([...joined.values()][0]!, successor)
  if (!isOrdered(ring)) return `the ring of ${ring.length} peers is not in the order of Node-IDs`
  const onRing = new Set(ring)
  for (const peer of joined.values()) {
    if (onRing.has(peer)) continue
    const other = cycleFrom(peer, successor)
    if (!onRing.has(other[0]!)) return `there are two rings, of ${ring.length} and of ${other.length} peers`
  }
  return undefined
}

/** Every living peer has joined, the ring is right and whole: each one's successor is the next living Node-ID. */
export function ringAmiss(world: PeerWorld): string | undefined {
  const all = world.alive
  for (const [index, peer] of all.entries()) {
    if (!peer.hasJoined) return `${peer.host} is ${peer.overlay.status.state}`
    const next = all[(index + 1) % all.length]!
    const [known] = successorsOf(peer)
    if (all.length > 1 && known !== next.nodeId)
      return `${peer.host} (${peer.nodeId.slice(0, 6)}) takes ${known?.slice(0, 6)} for its successor, not ${next.nodeId.slice(0, 6)}`
  }
  return undefined
}

/** For these, the peers that think themselves responsible are those that a look at all Node-IDs names. */
export function shareComplaint(world: PeerWorld, resources: readonly ResourceId[]): string | undefined {
  const all = world.alive
  for (const resource of resources) {
    const [expected] = holdersOf(all, resource)
    for (const peer of all) {
      const isOwner = peer.overlay.holders(resource)[0] === peer.nodeId
      if (isOwner !== (peer === expected))
        return `${peer.host} thinks itself ${isOwner ? "" : "not "}responsible for ${resource.slice(0, 6)}`
    }
  }
  return undefined
}

/** Every record is on the disks of those who ought to hold it, in its newest version. */
export const copiesMissing = (world: PeerWorld): string | undefined => copiesAmiss(world.alive, world.now)

/** At rest nobody keeps what others hold, nor more links than a table has room for. */
export function burdenComplaint(world: PeerWorld, links: number): string | undefined {
  const all = world.alive
  for (const peer of all) {
    const foreign = peer.disk
      .contents()
      .find((change) => change.kind === "put" && !holdersOf(all, change.resource).includes(peer))
    if (foreign?.kind === "put") return `${peer.host} still keeps ${foreign.resource.slice(0, 6)}`
    const { peers } = peer.overlay.status
    if (peers.length > links) return `${peer.host} has ${peers.length} links`
  }
  return undefined
}

/** Every answer had its question. */
export function answersComplaint(world: PeerWorld): string | undefined {
  const odd = world.peers.find(({ unasked }) => unasked > 0)
  return odd && `${odd.host} gave ${odd.unasked} answers that nobody had asked for`
}

/** The successor list of a peer, from its own table: those behind its Node-ID, itself left out. */
function successorsOf(peer: PeerHost): readonly string[] {
  const behind = ((BigInt(`0x${peer.nodeId}`) + 1n) % 2n ** 128n).toString(16).padStart(32, "0")
  return peer.overlay.holders(behind as ResourceId).filter((id) => id !== peer.nodeId)
}

/** The cycle that following successors from there ends in. */
function cycleFrom(start: PeerHost, successor: ReadonlyMap<PeerHost, PeerHost>): readonly PeerHost[] {
  const seen = new Set<PeerHost>()
  let at = start
  while (!seen.has(at)) {
    seen.add(at)
    at = successor.get(at)!
  }
  const path = [...seen]
  return path.slice(path.indexOf(at))
}

/** Going round once, the Node-IDs fall back to a smaller one exactly once. */
function isOrdered(ring: readonly PeerHost[]): boolean {
  const falls = ring.filter((peer, index) => ring[(index + 1) % ring.length]!.nodeId <= peer.nodeId)
  return falls.length === 1
}
