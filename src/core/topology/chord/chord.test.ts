import assert from "node:assert/strict"
import { test } from "node:test"
import { type NodeId, parseNodeId } from "../../identity/node-id.ts"
import { SeededRandom } from "../../kit/random.ts"
import { type Instant, seconds } from "../../kit/time.ts"
import { parseResourceId, type ResourceId } from "../../reload/header.ts"
import type { ChordUpdate } from "../../reload/overlay-methods.ts"
import type { TopologyEffect } from "../topology.ts"
import { Chord } from "./chord.ts"
import { fingerIndex, fingerStart } from "./circle.ts"

const id = (digits: string): NodeId => parseNodeId(digits.padEnd(32, "0"))
const point = (digits: string): ResourceId => parseResourceId(digits.padEnd(32, "0"))
const NOW = 1_000_000 as Instant

const chordOf = (self: NodeId, fullMeshLimit = 256) =>
  new Chord({
    self,
    random: new SeededRandom(1),
    fullMeshLimit,
    updateInterval: seconds(600),
    pingInterval: seconds(3_600),
    reactive: true,
  })

const READY: ChordUpdate = { uptime: 0, content: { kind: "peer-ready" } }

/** A peer at 8… that has joined and knows these others. */
function peerAmong(...others: readonly string[]): Chord {
  const chord = chordOf(id("8"))
  for (const other of others) meet(chord, id(other))
  chord.handle({ kind: "joined" }, NOW)
  return chord
}

function meet(chord: Chord, peer: NodeId): readonly TopologyEffect<ChordUpdate>[] {
  return [
    ...chord.handle({ kind: "linked", peer }, NOW),
    ...chord.handle({ kind: "received", from: peer, body: READY }, NOW),
  ]
}

test("a peer is responsible from behind its predecessor up to itself, around zero too", () => {
  const chord = peerAmong("2", "c")
  assert.equal(chord.responsible(point("8")), id("8"))
  assert.equal(chord.responsible(point("2000000000000000000000000000000" + "1")), id("8"))
  assert.equal(chord.responsible(point("81")), id("c"))
  assert.equal(chord.responsible(point("ff")), id("2"))
  assert.equal(chord.responsible(point("0")), id("2"))
  assert.deepEqual(chord.holders(point("d"), 3), [id("2"), id("8"), id("c")])
  assert.deepEqual(chord.holders(point("d"), 3, id("8")), [id("2"), id("c")])
  assert.equal(chord.nextHop(point("5")), undefined)
  assert.equal(chord.nextHop(point("8")), undefined, "its own place is its own")
  assert.equal(chord.nextHop(point("2")), id("2"))
  assert.equal(chord.nextHop(point("9")), id("c"))
})

test("a link alone makes no peer; an Update does, and a lost link ends it", () => {
  const chord = peerAmong()
  chord.handle({ kind: "linked", peer: id("c") }, NOW)
  assert.equal(chord.responsible(point("9")), id("8"))
  assert.deepEqual(
    chord
      .handle({ kind: "received", from: id("c"), body: READY }, NOW)
      .map(({ kind }) => kind)
      .slice(0, 2),
    ["peer-up", "share-changed"],
  )
  assert.equal(chord.responsible(point("9")), id("c"))
  const effects = chord.handle({ kind: "unlinked", peer: id("c") }, NOW)
  assert.deepEqual(effects.map(({ kind }) => kind).slice(0, 2), ["peer-down", "share-changed"])
})

test("whoever is named in an Update is linked to, through the peer that named it", () => {
  const chord = peerAmong("c")
  const content = {
    kind: "full",
    predecessors: [id("8")],
    successors: [id("1")],
    fingers: [id("5")],
  } as const
  const effects = chord.handle({ kind: "received", from: id("c"), body: { uptime: 0, content } }, NOW)
  assert.deepEqual(
    effects.filter(({ kind }) => kind === "link"),
    [
      { kind: "link", peer: id("1"), via: id("c") },
      { kind: "link", peer: id("5"), via: id("c") },
    ],
  )
  assert.equal(chord.settled, false)
})

test("a joining node that is linked hears of every new peer, so that none joins without the other", () => {
  const chord = peerAmong("2")
  chord.handle({ kind: "linked", peer: id("5") }, NOW)
  const told = meet(chord, id("c")).filter((effect) => effect.kind === "send" && effect.to === id("5"))
  assert.equal(told.length, 1)
})

/** A peer at 80… of a wide ring, linked to 32 others that lie evenly and do not have it in their tables. */
function peerOfWideRing(): {
  readonly chord: Chord
  readonly joining: readonly TopologyEffect<ChordUpdate>[]
} {
  const chord = chordOf(id("80"), 0)
  const content = { kind: "full", predecessors: [], successors: [], fingers: [] } as const
  for (let i = 0; i < 256; i += 8) {
    const peer = id(i.toString(16).padStart(2, "0"))
    if (peer === id("80")) continue
    chord.handle({ kind: "linked", peer }, NOW)
    chord.handle({ kind: "received", from: peer, body: { uptime: 0, content } }, NOW)
  }
  return { chord, joining: chord.handle({ kind: "joined" }, NOW) }
}

const LATER = (NOW + 10_000) as Instant

test("in a wide ring a peer tells those it has no use for, and lets go of them", () => {
  const { chord, joining } = peerOfWideRing()
  const effects = [...joining, ...chord.expire(LATER)]
  const released = effects.flatMap((effect) => (effect.kind === "release" ? [effect.peer] : []))
  // 32 peers: five neighbors each way; the fingers begin at 00, c0, a0, 90 and 88.
  const kept = ["58", "60", "68", "70", "78", "88", "90", "98", "a0", "a8", "c0", "00"].map(id)
  assert.equal(released.length, 31 - kept.length)
  for (const peer of kept) assert.ok(!released.includes(peer), peer)
  for (const peer of released) {
    const told = effects.findIndex((effect) => effect.kind === "send" && effect.to === peer)
    const gone = effects.findIndex((effect) => effect.kind === "release" && effect.peer === peer)
    assert.ok(told >= 0 && told < gone, `${peer} is told before`)
  }
})

test("a peer that has us in its tables is kept, and its loss matters", () => {
  const { chord } = peerOfWideRing()
  const content = { kind: "full", predecessors: [], successors: [], fingers: [id("80")] } as const
  chord.handle({ kind: "received", from: id("30"), body: { uptime: 0, content } }, NOW)
  const effects = chord.expire(LATER)
  assert.ok(!effects.some((effect) => effect.kind === "release" && effect.peer === id("30")))
  assert.equal(chord.isNeeded(id("30")), true)
  assert.equal(chord.isNeeded(id("38")), false)
  assert.equal(chord.isNeeded(id("78")), true)
})

test("a peer that counts us among its neighbors is kept", () => {
  for (const neighbors of [
    { predecessors: [id("80")], successors: [] },
    { predecessors: [], successors: [id("80")] },
  ]) {
    const { chord } = peerOfWideRing()
    const content = { kind: "neighbors", ...neighbors } as const
    chord.handle({ kind: "received", from: id("30"), body: { uptime: 0, content } }, NOW)
    assert.equal(chord.isNeeded(id("30")), true)
    const effects = chord.expire(LATER)
    assert.ok(!effects.some((effect) => effect.kind === "release" && effect.peer === id("30")))
  }
})

test("a farm keeps every link", () => {
  const chord = peerAmong("1", "2", "3", "4", "5", "6", "7", "9", "a", "b", "c", "d", "e", "f")
  assert.ok(!chord.expire(LATER).some(({ kind }) => kind === "release"))
  assert.equal(chord.isNeeded(id("1")), true)
})

test("of an interval the first peer is the finger, also where the interval passes zero", () => {
  const chord = chordOf(id("c"), 0)
  for (const other of ["1", "3", "f", "e"]) meet(chord, id(other))
  chord.handle({ kind: "joined" }, NOW)
  // c's second finger begins at 0, its first at 4, its third at e.
  const update = chord.welcome(id("b"), NOW)
  assert.ok(update.content.kind === "full")
  assert.deepEqual(update.content.fingers, [id("1"), id("e")])
})

test("the first finger lies half the ring away", () => {
  assert.equal(fingerStart(id("0"), 1), point("8"))
  assert.equal(fingerStart(id("c"), 1), point("4"))
  assert.equal(fingerStart(id("0"), 2), point("4"))
  assert.equal(fingerIndex(id("0"), id("8")), 1)
  assert.equal(fingerIndex(id("0"), id("7")), 2)
})

test("with tables alone, routes take about half the logarithm of the size, and never go astray", () => {
  const random = new SeededRandom(7)
  const hexadecimal = () => Math.floor(16 * random.next()).toString(16)
  const ids = Array.from({ length: 300 }, () =>
    parseNodeId(Array.from({ length: 32 }, hexadecimal).join("")),
  ).sort()
  const chords = ringOf(ids)
  let hops = 0
  let longest = 0
  for (let i = 0; i < 1_000; i++) {
    const target = parseResourceId(Array.from({ length: 32 }, hexadecimal).join(""))
    let at = ids[Math.floor(ids.length * random.next())]!
    let count = 0
    for (let next = chords.get(at)!.nextHop(target); next; next = chords.get(at)!.nextHop(target)) {
      at = next
      assert.ok(++count < 30, "it arrives")
    }
    assert.equal(at, ids.find((each) => (each as string) >= target) ?? ids[0])
    hops += count
    longest = Math.max(longest, count)
  }
  assert.ok(hops / 1_000 <= Math.log2(300) / 2 + 1, `mean ${hops / 1_000}`)
  assert.ok(longest <= Math.log2(300) + 2, `longest ${longest}`)
})

/** Peers that are linked to neighbors and fingers: what stabilisation comes to. */
function ringOf(ids: readonly NodeId[]): ReadonlyMap<NodeId, Chord> {
  const chords = new Map(ids.map((each) => [each, chordOf(each, 0)]))
  const link = (a: NodeId, b: NodeId) => {
    if (a === b) return
    meet(chords.get(a)!, b)
    meet(chords.get(b)!, a)
  }
  for (const [index, each] of ids.entries()) {
    for (let step = 1; step <= 3; step++) link(each, ids[(index + step) % ids.length]!)
    for (let finger = 1; finger <= 12; finger++) {
      const start = fingerStart(each, finger)
      const found = ids.find((other) => (other as string) >= start) ?? ids[0]!
      if (fingerIndex(each, found) === finger) link(each, found)
    }
  }
  for (const chord of chords.values()) chord.handle({ kind: "joined" }, NOW)
  return chords
}
