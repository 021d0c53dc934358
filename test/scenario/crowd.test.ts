import assert from "node:assert/strict"
import { test } from "node:test"
import { seconds } from "../../src/core/kit/time.ts"
import { openSslHashes } from "../../src/sim/hashes.ts"
import { ringAmiss } from "../../src/sim/peers/peer-checkers.ts"
import { PeerWorld } from "../../src/sim/peers/peer-world.ts"

test("of many that come at once none is left outside, though its question for its place went astray", () => {
  // With seed 31 one asked while all the ring was changing, was never told its successor, and asked those far away for ever.
  const world = new PeerWorld(31, { peers: 48 }, openSslHashes)
  world.runUntil(() => world.happened % 500 === 0 && ringAmiss(world) === undefined, seconds(20))
  assert.equal(ringAmiss(world), undefined)
})
