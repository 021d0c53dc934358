import assert from "node:assert/strict"
import { domainOf } from "../../src/core/identity/roles.ts"
import { after, milliseconds, minutes, seconds } from "../../src/core/kit/time.ts"
import { holdersOf, valuesOn } from "../../src/sim/checkers.ts"
import { Ledger } from "../../src/sim/peers/ledger.ts"
import { answersComplaint, copiesMissing, ringAmiss } from "../../src/sim/peers/peer-checkers.ts"
import type { PeerHost } from "../../src/sim/peers/peer-host.ts"
import { type PeerWorld, waitUntilWhole } from "../../src/sim/peers/peer-world.ts"
import { peerScenario } from "../../src/sim/scenario.ts"

// Rings of peers without SIP: with tables alone, which is what CHORD-RELOAD is, and once more with a link from each to
// every other. `SCALE=full` tells of 64 peers and of ten minutes, as the nightly run does.

for (const [mesh, fullMeshLimit] of [
  ["tables alone", 4],
  ["a full mesh", 256],
] as const) {
  const conditions = { fullMeshLimit, seeds: 2 }

  peerScenario(
    `a quarter of a ring killed at once is one ring again in 60 s: ${mesh}`,
    conditions,
    (world, { peers }) => {
      world.run(seconds(world.below(20)))
      world.cutPower(world.shuffle(world.alive).slice(0, peers / 4))
      waitUntilWhole(world, seconds(60))
    },
  )

  peerScenario(
    `halves that were parted and written to are merged in 30 s, and the newest of each entry counts: ${mesh}`,
    { ...conditions, seeds: 1 },
    (world, { isFull }) => {
      const ledger = new Ledger(world)
      for (const place of PLACES) write(world, ledger, world.alive, place)
      world.run(seconds(5))
      const [here, there] = halvesOf(world)
      world.part(here, there)
      const end = after(world.now, isFull ? minutes(10) : minutes(1))
      world.calmly(end, (until) => {
        world.run(milliseconds(Math.min(2_000 + world.below(isFull ? 8_000 : 1_000), until - world.now)))
        write(world, ledger, world.pick([here, there]), world.pick(PLACES))
      })
      // What was just written has found all its holders, or has failed, when the rings meet.
      world.run(seconds(5))
      const healed = after(world.now, seconds(30))
      world.network.heal()
      const isWhole = () => ringAmiss(world) === undefined && copiesMissing(world) === undefined
      while (world.now < healed && !isWhole()) world.run(milliseconds(500))
      assert.equal(ringAmiss(world), undefined)
      // What is right when the rings have met is still right when they have stood for a while.
      assert.equal(ledger.disagreement(world.shuffle(world.alive)), undefined)
      world.rest(healed)
      for (let i = 0; i < 3; i++) assert.equal(ledger.disagreement(world.shuffle(world.alive)), undefined)
      assert.equal(answersComplaint(world), undefined)
    },
  )

  peerScenario(
    `two of three holders of a complete record die at one instant, and nothing complete is lost: ${mesh}`,
    conditions,
    (world, _, context) => {
      const ledger = new Ledger(world)
      for (const place of PLACES) write(world, ledger, world.alive, place)
      world.run(seconds(3))
      settle(world)
      // Some are being written when it happens.
      for (const place of world.shuffle(PLACES).slice(0, 4)) write(world, ledger, world.alive, place)
      world.run(milliseconds(world.below(60) / 10))
      const holders = holdersOf(world.alive, world.alive[0]!.resource(nameIn(world.pick(PLACES))))
      const victims = world.shuffle(holders).slice(0, 2)
      const short = shortRecords(world)
      world.cutPower(victims)
      const lost = [...short].filter((resource) => !isOnADisk(world, resource))
      context.diagnostic(`figure: short records when two holders died: ${short.size}`)
      context.diagnostic(`figure: of them lost: ${lost.length}`)
      waitUntilWhole(world, seconds(60))
      settle(world)
      assert.equal(ledger.disagreement(world.shuffle(world.alive)), undefined)
    },
  )
}

for (const [placed, fullMeshLimit, sitesBy] of [
  ["Node-IDs of a site anywhere, tables alone", 4, "turn"],
  ["Node-IDs of a site anywhere, a full mesh", 256, "turn"],
  ["each site an arc of the ring, a full mesh", 256, "arc"],
] as const) {
  peerScenario(
    `a site of three dies, and nothing is lost that was in two, which is all that the mesh sees: ${placed}`,
    { fullMeshLimit, sitesBy, sites: 3, seeds: 2 },
    (world, _, context) => {
      const ledger = new Ledger(world)
      for (const place of MANY_PLACES) write(world, ledger, world.alive, place)
      world.run(seconds(3))
      settle(world)
      const site = `site${world.below(3)}`
      const doomed = world.alive.filter(({ identity }) => domainOf(identity.certificate).site === site)
      const rest = world.alive.filter((peer) => !doomed.includes(peer))
      const [all, kept] = [recordsOn(world, world.alive), recordsOn(world, rest)]
      context.diagnostic(`figure: records when a site died: ${all.size}`)
      context.diagnostic(`figure: of them in that site alone: ${all.size - kept.size}`)
      context.diagnostic(`figure: of them with an extra copy: ${extraCopies(world)}`)
      assert.ok(all.size - kept.size <= (fullMeshLimit > 4 ? 0 : all.size / 10), "records span sites")
      world.cutPower(doomed)
      for (const place of MANY_PLACES)
        if (!kept.has(rest[0]!.resource(nameIn(place)))) ledger.model.giveUp(place, world.now)
      waitUntilWhole(world, seconds(60))
      settle(world)
      assert.equal(ledger.disagreement(world.shuffle(world.alive)), undefined)
      assert.equal(unwantedComplaint(world), undefined)
    },
  )
}

/** Eight records of one text and eight of three entries. */
const PLACES = Array.from({ length: 16 }, (_, index) => `n${index}`).flatMap((name, index) =>
  index < 8 ? [name] : ["a", "b", "c"].map((key) => `${name}/${key}`),
)

/** As many of one text as it takes for some to have all three holders in one site. */
const MANY_PLACES = Array.from({ length: 60 }, (_, index) => `m${index}`)

const nameIn = (place: string) => place.split("/")[0]!

/** One write in five removes. */
function write(world: PeerWorld, ledger: Ledger, peers: readonly PeerHost[], place: string): void {
  ledger.write(world.pick(peers), place, world.below(5) === 0)
}

/** Halves of any shape: arcs of the ring, every second peer, or as chance has it. */
function halvesOf(world: PeerWorld): readonly [readonly PeerHost[], readonly PeerHost[]] {
  const shape = world.pick(["arcs", "teeth", "chance"] as const)
  const order = shape === "chance" ? world.shuffle(world.alive) : world.alive
  const isHere = (index: number) => (shape === "teeth" ? index % 2 === 0 : index < order.length / 2)
  return [order.filter((_, index) => isHere(index)), order.filter((_, index) => !isHere(index))]
}

/** Until every record is where it ought to be. */
function settle(world: PeerWorld): void {
  const end = after(world.now, seconds(60))
  while (copiesMissing(world) !== undefined && world.now < end) world.run(milliseconds(500))
  assert.equal(copiesMissing(world), undefined)
}

/** The records that some of their three holders do not have, as it is on their disks. */
function shortRecords(world: PeerWorld): ReadonlySet<string> {
  const all = world.alive
  const disks = new Map(all.map((peer) => [peer, valuesOn(peer, world.now)]))
  const short = new Set<string>()
  for (const disk of disks.values())
    for (const [place, { put, data }] of disk)
      for (const holder of holdersOf(all, put.resource))
        if ((disks.get(holder)!.get(place)?.data.storageTime ?? 0) < data.storageTime) short.add(put.resource)
  return short
}

/** The records on the disks of these. */
const recordsOn = (world: PeerWorld, peers: readonly PeerHost[]): ReadonlySet<string> =>
  new Set(peers.flatMap((peer) => [...valuesOn(peer, world.now).values()].map(({ put }) => put.resource)))

const extraCopies = (world: PeerWorld) =>
  world.alive.reduce((sum, { overlay }) => sum + overlay.status.records.extra, 0)

/** Nobody holds what has its place elsewhere, when the ring has been at rest for a while. */
function unwantedComplaint(world: PeerWorld): string | undefined {
  const odd = () =>
    world.alive.find(({ overlay }) => overlay.status.records.held !== overlay.status.records.due)
  world.runUntil(() => world.happened % 500 === 0 && odd() === undefined, seconds(60))
  const { held, due } = odd()?.overlay.status.records ?? {}
  return held === undefined
    ? undefined
    : `${odd()!.host} holds ${held} records, of which ${due} are due there`
}

const isOnADisk = (world: PeerWorld, resource: string) =>
  world.alive.some((peer) =>
    [...valuesOn(peer, world.now).values()].some(({ put }) => put.resource === resource),
  )
