import assert from "node:assert/strict"
import { test } from "node:test"
import { domainOf } from "../../src/core/identity/roles.ts"
import { seconds } from "../../src/core/kit/time.ts"
import { openSslHashes } from "../../src/sim/hashes.ts"
import { copiesMissing } from "../../src/sim/peers/peer-checkers.ts"
import { textIn } from "../../src/sim/peers/peer-host.ts"
import { PeerWorld } from "../../src/sim/peers/peer-world.ts"

// A third of a full mesh of 64 falls silent at one instant, and it is an arc of the ring: whoever asks for what was held
// there meets 21 dead peers in a row, whom it has not spoken to for a while.

const NAMES = Array.from({ length: 40 }, (_, index) => `m${index}`)

test("where a whole arc falls silent, what is asked at once is answered before the question ends", (context) => {
  const world = new PeerWorld(6, { peers: 0, fullMeshLimit: 256, sites: 3, sitesBy: "arc" }, openSslHashes)
  world.lay(64)
  for (const name of NAMES) world.pick(world.alive).store(name, name, () => undefined)
  world.run(seconds(3))
  const isComplete = () => world.happened % 1_000 === 0 && copiesMissing(world) === undefined
  assert.ok(world.runUntil(isComplete, seconds(60)), "three copies of everything, and one elsewhere")
  world.cutPower(world.alive.filter(({ identity }) => domainOf(identity.certificate).site === "site1"))
  const asked = world.now
  let [open, longest] = [0, 0]
  const failed: string[] = []
  for (const [index, peer] of world.alive.entries()) {
    const name = NAMES[index % NAMES.length]!
    open++
    peer.fetch(name, (result) => {
      open--
      longest = Math.max(longest, world.now - asked)
      if (textIn(result) !== name) failed.push(`${peer.host} reads ${textIn(result)} for ${name}`)
    })
  }
  world.runUntil(() => open === 0, seconds(30))
  context.diagnostic(`the longest wait was ${(longest / 1_000).toFixed(1)} s`)
  assert.equal(open, 0)
  assert.deepEqual(failed, [])
})
