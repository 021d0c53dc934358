import assert from "node:assert/strict"
import { test } from "node:test"
import type { NodeId } from "../../src/core/identity/node-id.ts"
import { SeededRandom } from "../../src/core/kit/random.ts"
import type { Configuration } from "../../src/core/reload/configuration.ts"
import { parseResourceId } from "../../src/core/reload/header.ts"
import { IdSpace } from "../../src/sim/lean/id-space.ts"
import { LeanWorld } from "../../src/sim/lean/simulate.ts"
import { World, type WorldNode } from "../support/overlay-world.ts"

/** WHOLE_PEERS=1024 compares more. */
const PEERS = Number(process.env["WHOLE_PEERS"] ?? 64)
const LOOKUPS = 100
/** How long the ring may take to come to rest after the last join, in milliseconds. */
const SETTLED = 200_000
const STEP = 5_000

/** Whole overlay peers that joined by the protocol, a few at a time. */
function wholeRing(): { readonly world: World; readonly nodes: readonly WorldNode[] } {
  const world = new World({ seed: 11, fullMeshLimit: 0 })
  const chord = { updateInterval: 20_000, pingInterval: 20_000, reactive: true } as Configuration["chord"]
  world.configuration = { ...world.configuration, chord }
  const nodes: WorldNode[] = [world.add()]
  nodes[0]!.start([])
  const areJoined = () => nodes.every(({ overlay }) => overlay.status.state === "joined")
  while (nodes.length < PEERS) {
    const living = nodes.map(({ address }) => address)
    for (let left = Math.ceil(nodes.length / 6); left > 0 && nodes.length < PEERS; left--) {
      const node = world.add()
      nodes.push(node)
      node.start([living[Math.floor(living.length * world.random.next())]!])
    }
    world.until(areJoined, "joined", 60_000)
  }
  return { world, nodes: nodes.toSorted((a, b) => (a.id < b.id ? -1 : 1)) }
}

/** The same ring of lean peers, with computed tables. */
function leanRing(ids: readonly NodeId[]): LeanWorld {
  const lean = new LeanWorld(11, "lan", 1, IdSpace.of(ids))
  for (const _ of lean.begin(ids.length));
  return lean
}

test(`lean peers have the tables of whole ones, and pass messages on to the same, in a ring of ${PEERS}`, () => {
  const { world, nodes } = wholeRing()
  const { population } = leanRing(nodes.map(({ id }) => id))
  const { state, machine, space } = population
  const linksOf = (rank: number) => {
    state.sit(rank)
    return state
      .linked()
      .map((peer) => space.nodeId(peer))
      .toSorted()
  }
  const isAsComputed = (node: WorldNode, rank: number) =>
    linksOf(rank).join() ===
    node.overlay.status.peers
      .map((peer) => peer.node)
      .toSorted()
      .join()
  const others = () => nodes.filter((node, rank) => !isAsComputed(node, rank)).map(({ id }) => id)
  for (let time = 0; time < SETTLED && others().length > 0; time += STEP) world.run(STEP)
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
      `${resource} from ${nodes[origin]!.id}`,
    )
  }
})

/** The nodes that a question passes, each asked for its own next hop. */
function routeOf(
  world: World,
  nodes: readonly WorldNode[],
  origin: number,
  resource: ReturnType<typeof parseResourceId>,
): readonly NodeId[] {
  const route: NodeId[] = []
  for (let node: WorldNode | undefined = nodes[origin]; node !== undefined; ) {
    route.push(node.id)
    assert.ok(route.length < 40, `${resource} arrives at ${world.now}`)
    const next: NodeId | undefined = node.overlay.nextHop(resource)
    node = next === undefined ? undefined : nodes.find(({ id }) => id === next)
  }
  return route
}
