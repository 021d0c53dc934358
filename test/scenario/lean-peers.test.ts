import assert from "node:assert/strict"
import { test } from "node:test"
import type { NodeId } from "../../src/core/identity/node-id.ts"
import { SeededRandom } from "../../src/core/kit/random.ts"
import { seconds } from "../../src/core/kit/time.ts"
import { parseResourceId } from "../../src/core/reload/header.ts"
import { openSslHashes } from "../../src/sim/hashes.ts"
import { IdSpace } from "../../src/sim/lean/id-space.ts"
import { LeanWorld } from "../../src/sim/lean/simulate.ts"
import type { PeerHost } from "../../src/sim/peers/peer-host.ts"
import { CALM, PeerWorld } from "../../src/sim/peers/peer-world.ts"

/** WHOLE_PEERS=1024 compares more. */
const PEERS = Number(process.env["WHOLE_PEERS"] ?? 64)
const LOOKUPS = 100
/** How long the ring may take to come to rest after the last join. */
const SETTLED = seconds(200)
const STEP = seconds(5)
const OFTEN = { updateInterval: seconds(20), pingInterval: seconds(20), reactive: true } as const

/** Whole overlay peers that joined by the protocol, a few at a time. */
function wholeRing(): PeerWorld {
  const world = new PeerWorld(
    11,
    { peers: 0, fullMeshLimit: 0, chord: OFTEN, watching: CALM, isHashed: false },
    openSslHashes,
  )
  world.grow(PEERS)
  return world
}

/** The same ring of lean peers, with computed tables. */
function leanRing(ids: readonly NodeId[]): LeanWorld {
  const lean = new LeanWorld(11, "lan", 1, IdSpace.of(ids))
  for (const _ of lean.begin(ids.length));
  return lean
}

test(`lean peers have the tables of whole ones, and pass messages on to the same, in a ring of ${PEERS}`, () => {
  const world = wholeRing()
  const nodes = world.alive
  const { population } = leanRing(nodes.map(({ nodeId }) => nodeId))
  const { state, machine, space } = population
  const linksOf = (rank: number) => {
    state.sit(rank)
    return state
      .linked()
      .map((peer) => space.nodeId(peer))
      .toSorted()
  }
  const isAsComputed = (node: PeerHost, rank: number) =>
    linksOf(rank).join() ===
    node.overlay.status.peers
      .map((peer) => peer.node)
      .toSorted()
      .join()
  const others = () => nodes.filter((node, rank) => !isAsComputed(node, rank)).map(({ nodeId }) => nodeId)
  const end = world.now + SETTLED
  while (world.now < end && others().length > 0) world.run(STEP)
  assert.deepEqual(others(), [], "whole peers with other links than the lean ones")
  const random = new SeededRandom(12)
  const digit = () => Math.floor(16 * random.next()).toString(16)
  for (let i = 0; i < LOOKUPS; i++) {
    const resource = parseResourceId(Array.from({ length: 32 }, digit).join(""))
    const origin = Math.floor(PEERS * random.next())
    const path = [origin]
    for (let at: number | undefined = origin; at !== undefined; ) {
      state.sit(at)
      at = machine.nextHop(space.spotOf(resource))
      if (at !== undefined) path.push(at)
    }
    assert.deepEqual(
      routeOf(world, nodes, origin, resource),
      path.map((rank) => space.nodeId(rank)),
      `${resource} from ${nodes[origin]!.nodeId}`,
    )
  }
})

/** The nodes that a question passes, each asked for its own next hop. */
function routeOf(
  world: PeerWorld,
  nodes: readonly PeerHost[],
  origin: number,
  resource: ReturnType<typeof parseResourceId>,
): readonly NodeId[] {
  const route: NodeId[] = []
  for (let node: PeerHost | undefined = nodes[origin]; node !== undefined; ) {
    route.push(node.nodeId)
    assert.ok(route.length < 40, `${resource} arrives at ${world.now}`)
    const next: NodeId | undefined = node.overlay.nextHop(resource)
    node = next === undefined ? undefined : nodes.find(({ nodeId }) => nodeId === next)
  }
  return route
}
