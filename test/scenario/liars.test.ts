import assert from "node:assert/strict"
import { test } from "node:test"
import { SeededRandom } from "../../src/core/kit/random.ts"
import { seconds } from "../../src/core/kit/time.ts"
import { openSslHashes } from "../../src/sim/hashes.ts"
import { LIES, type Lie, liarThat } from "../../src/sim/peers/liars.ts"
import { ringAmiss } from "../../src/sim/peers/peer-checkers.ts"
import { textIn } from "../../src/sim/peers/peer-host.ts"
import { PeerWorld } from "../../src/sim/peers/peer-world.ts"

// A ring with tables alone, in which some peers do not pass on what they should as they should.

const PEERS = 40
const LIARS = 4
const NAMES = Array.from({ length: 30 }, (_, index) => `name${index}`)
/** A read is put to other peers after a second; nobody waits longer than 15. */
const [AT_ONCE, IN_THE_END] = [seconds(1), seconds(16)]

function ring(seed: number): PeerWorld {
  const world = new PeerWorld(seed, { peers: PEERS }, openSslHashes)
  world.runUntil(() => world.happened % 2_000 === 0 && ringAmiss(world) === undefined, seconds(60))
  assert.equal(ringAmiss(world), undefined)
  let stored = 0
  for (const name of NAMES)
    world.pick(world.alive).store(name, `text of ${name}`, ({ kind }) => {
      if (kind === "stored") stored++
    })
  world.runUntil(() => stored === NAMES.length, seconds(20))
  assert.equal(stored, NAMES.length)
  return world
}

/** How many reads of honest peers are right after a second and in the end, and what is not. */
function readAll(world: PeerWorld) {
  const honest = world.alive.filter(({ liar }) => liar === undefined)
  const found = new Map<string, ReturnType<typeof textIn>>()
  let asked = 0
  for (const name of NAMES)
    for (const peer of world.shuffle(honest).slice(0, 8)) {
      asked++
      peer.fetch(name, (result) => found.set(`${name} at ${peer.host}`, textIn(result)))
    }
  const isRight = ([question, text]: readonly [string, ReturnType<typeof textIn>]) =>
    text === `text of ${question.split(" ")[0]}`
  world.run(AT_ONCE)
  const atOnce = [...found].filter(isRight).length
  world.run(IN_THE_END)
  const wrong = [...found].filter((each) => !isRight(each) && !(each[1] instanceof Error))
  return { asked, atOnce, right: [...found].filter(isRight).length, wrong }
}

const CASES: readonly (readonly [string, readonly Lie[]])[] = [
  ["drop or misroute messages", ["drop", "misroute"]],
  ["forge messages, repeat them, or answer for others", ["forge", "replay", "usurp"]],
]

for (const [what, lies] of CASES) {
  test(`where one peer in ten may ${what}, reads go round it, and none is deceived`, (t) => {
    const world = ring(5)
    for (const [index, peer] of world.shuffle(world.alive).slice(0, LIARS).entries())
      peer.liar = liarThat(lies[index % lies.length]!, new SeededRandom(index))
    const { asked, atOnce, right, wrong } = readAll(world)
    t.diagnostic(`${asked} reads: ${atOnce} right by the first way, ${right} in the end`)
    assert.deepEqual(wrong, [])
    assert.ok(atOnce < asked, "some reads meet a liar")
    // A peer before a place that lies leaves only the copies further on, two of which must be found.
    assert.ok(right >= 0.95 * asked, `${right} of ${asked}`)
  })
}

test("every lie has its case", () => {
  assert.deepEqual(CASES.flatMap(([, lies]) => lies).toSorted(), LIES.toSorted())
})
