import assert from "node:assert/strict"
import { test } from "node:test"
import { type Duration, seconds } from "../../src/core/kit/time.ts"
import { openSslHashes } from "../../src/sim/hashes.ts"
import type { Step } from "../../src/sim/hunt/story.ts"
import { play } from "../../src/sim/hunt/tell.ts"
import { chordComplaint, ringAmiss } from "../../src/sim/peers/peer-checkers.ts"
import { PeerWorld } from "../../src/sim/peers/peer-world.ts"

// Peers without SIP, with tables alone and once more with a link from each to every other.

const seeds = Array.from({ length: Number(process.env["SEEDS"] ?? 2) }, (_, index) => index + 1)
const MESHES = [4, 256]

function waitUntilWhole(world: PeerWorld, patience: Duration): void {
  world.runUntil(() => world.happened % 500 === 0 && ringAmiss(world) === undefined, patience)
  assert.equal(ringAmiss(world), undefined)
  assert.equal(chordComplaint(world), undefined)
}

for (const fullMeshLimit of MESHES) {
  for (const seed of seeds) {
    test(`a quarter of a ring killed at once is one ring again in 60 s (limit ${fullMeshLimit}, seed ${seed})`, () => {
      const world = new PeerWorld(seed, { peers: 16, fullMeshLimit }, openSslHashes)
      waitUntilWhole(world, seconds(60))
      world.cutPower(world.shuffle(world.alive).slice(0, 4))
      waitUntilWhole(world, seconds(60))
    })

    test(`a removal that a dead peer has missed stays a removal when it comes back (limit ${fullMeshLimit}, seed ${seed})`, () => {
      const steps: readonly Step[] = [
        { do: "write", who: 1, name: "n1", text: "a" },
        { do: "wait", seconds: 1 },
        { do: "crash", who: [1], how: "silent", torn: 0 },
        { do: "wait", seconds: 5 },
        { do: "write", who: 1, name: "n1" },
        { do: "wait", seconds: 2 },
        { do: "restart", who: 0, disk: "kept" },
        { do: "wait", seconds: 3 },
        { do: "read", who: 2, name: "n1" },
        { do: "wait", seconds: 1 },
      ]
      assert.equal(play({ seed, peers: 4, fullMeshLimit, steps }, openSslHashes), undefined)
    })
  }
}
