import assert from "node:assert/strict"
import { test } from "node:test"
import { after, milliseconds, seconds } from "../../src/core/kit/time.ts"
import { openSslHashes } from "../../src/sim/hashes.ts"
import { linksAtRest } from "../../src/sim/peers/laid-ring.ts"
import { ringAmiss, shareComplaint } from "../../src/sim/peers/peer-checkers.ts"
import { CALM, PeerWorld } from "../../src/sim/peers/peer-world.ts"

// Stories of 64 peers begin with rings that were laid and not grown. A ring that grows by the protocol alone comes to rest
// with the same links, and one that is laid stays as it was.

const PEERS = 24
const OFTEN = { updateInterval: seconds(20), pingInterval: seconds(20), reactive: true } as const

/** Who has other links than the rules name, of all that live. */
function otherwise(world: PeerWorld, fullMeshLimit: number): readonly string[] {
  const expected = linksAtRest(
    world.alive.map(({ nodeId }) => nodeId),
    fullMeshLimit,
  )
  return world.alive
    .filter(({ nodeId, overlay }) => {
      const links = new Set(overlay.status.peers.map(({ node }) => node))
      return links.symmetricDifference(expected.get(nodeId)!).size > 0
    })
    .map(({ host }) => host)
}

for (const [mesh, fullMeshLimit] of [
  ["tables alone", 4],
  ["a full mesh", 256],
] as const) {
  test(`a ring that grows comes to rest with the links with which one is laid: ${mesh}`, () => {
    const world = new PeerWorld(31, { peers: 0, fullMeshLimit, chord: OFTEN, watching: CALM }, openSslHashes)
    world.grow(PEERS)
    const end = after(world.now, seconds(200))
    while (otherwise(world, fullMeshLimit).length > 0 && world.now < end) world.run(seconds(5))
    assert.deepEqual(otherwise(world, fullMeshLimit), [])
  })

  test(`a ring that is laid is whole at once, and comes to rest as it was: ${mesh}`, () => {
    const world = new PeerWorld(32, { peers: 0, fullMeshLimit }, openSslHashes)
    const laidAt = world.now
    world.lay(PEERS)
    assert.ok(world.now <= after(laidAt, seconds(1)), `${world.now - laidAt} ms`)
    assert.deepEqual(otherwise(world, fullMeshLimit), [])
    // It has looked for fingers that there are none of, and let go of whom it met on the way.
    world.run(seconds(40))
    assert.deepEqual(otherwise(world, fullMeshLimit), [])
    assert.equal(ringAmiss(world), undefined)
    const resources = Array.from({ length: 50 }, (_, index) => world.alive[0]!.resource(`n${index}`))
    assert.equal(shareComplaint(world, resources), undefined)
  })

  test(`a ring that is laid is whole also where one of it does not come: ${mesh}`, () => {
    const world = new PeerWorld(33, { peers: 0, fullMeshLimit }, openSslHashes)
    world.plan(milliseconds(0), () => world.peers[5]!.crash("silent"))
    world.lay(PEERS)
    assert.equal(world.alive.length, PEERS - 1)
    assert.equal(ringAmiss(world), undefined)
  })
}
