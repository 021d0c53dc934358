import type { NodeId } from "../../core/identity/node-id.ts"
import type { ResourceId } from "../../core/reload/header.ts"
import { NODE_IDS } from "../../core/topology/chord/circle.ts"
import { needed, type View } from "../../core/topology/chord/rules.ts"

type Links = ReadonlyMap<NodeId, ReadonlySet<NodeId>>

/**
 * Of each peer of a ring, given in ascending order, those that it has a link to once the ring has come to rest: the peers
 * that CHORD-RELOAD's rules name for its tables, and those for whose tables they name it; in a mesh, all.
 */
export function linksAtRest(ring: readonly NodeId[], fullMeshLimit: number): Links {
  const all: Links = new Map(ring.map((id, place) => [id, new Set(ring.toSpliced(place, 1))]))
  if (ring.length <= fullMeshLimit) return all
  // Who knows fewer may take the ring for smaller, and keep fewer still.
  let links = all
  for (;;) {
    const kept = linksKept(links)
    if (links.keys().every((id) => kept.get(id)!.size === links.get(id)!.size)) return links
    links = kept
  }
}

/** The links that are left where each peer lets go of those that neither end needs. */
function linksKept(links: Links): Links {
  const kept = new Map(links.keys().map((id) => [id, new Set<NodeId>()]))
  for (const [self, known] of links) {
    for (const peer of needed(viewOf(self, [...known].sort()))) {
      kept.get(self)!.add(peer)
      kept.get(peer)!.add(self)
    }
  }
  return kept
}

const viewOf = (self: NodeId, others: readonly NodeId[]): View<NodeId, ResourceId> => ({
  ring: NODE_IDS,
  self,
  joined: true,
  peers: { size: others.length, id: (index) => others[index]! },
})
