import type { Random } from "../../core/kit/random.ts"
import type { Instant } from "../../core/kit/time.ts"
import type { ChordTimes } from "../../core/topology/chord/machine.ts"
import { needed, type View } from "../../core/topology/chord/rules.ts"
import type { IdSpace } from "./id-space.ts"
import type { SharedState } from "./shared-state.ts"

/**
 * Gives each peer of the ring, in ascending order, the tables that the protocol would come to in the end: the
 * plug-in is asked which of all peers it would keep, and each is linked to those and to those that keep it.
 */
export function* layTables(
  state: SharedState,
  space: IdSpace,
  ring: Uint32Array,
  times: ChordTimes,
  random: Random,
): Generator<number> {
  for (let place = 0; place < ring.length; place++) {
    const self = ring[place]!
    for (const peer of needed(viewOfAll(space, ring, place))) link(state, self, peer)
    state.sit(self)
    state.joined = true
    state.startedAt = 0 as Instant
    state.searchedAt = 0 as Instant
    state.updateAt = (times.updateInterval * random.next()) as Instant
    state.refreshAt = (times.pingInterval * random.next()) as Instant
    state.searchAt = state.refreshAt
    if ((place & 1_023) === 0) yield place
  }
}

/** `self` keeps `peer`, and says so. */
function link(state: SharedState, self: number, peer: number): void {
  state.sit(self)
  state.link(peer)
  state.addPeer(peer)
  state.setDismissed(peer, false)
  state.sit(peer)
  state.link(self)
  if (state.addPeer(self)) state.setDismissed(self, true)
  state.setNeedsUs(self, true)
}

/** What one peer would know if it knew everyone. */
export const viewOfAll = (ring: IdSpace, ranks: Uint32Array, place: number): View<number, number> => ({
  ring,
  self: ranks[place]!,
  joined: true,
  peers: {
    size: ranks.length - 1,
    id: (index) => ranks[index < place ? index : index + 1]!,
  },
})
