import assert from "node:assert/strict"
import { test } from "node:test"
import { SeededRandom } from "../core/kit/random.ts"
import { type Instant, milliseconds, NEVER } from "../core/kit/time.ts"
import type { Flow } from "../core/sip/transport.ts"
import { Agenda } from "./agenda.ts"
import { type Conditions, Weather } from "./conditions.ts"
import { Network, type Station } from "./network.ts"

const HERE = { host: "10.0.0.1", port: 5060 }
const THERE = { host: "10.0.0.2", port: 5061 }

function worldOf(seed: number, conditions: Omit<Conditions, "nodes"> = {}) {
  const agenda = new Agenda()
  let now = 0 as Instant
  const weather = new Weather(new SeededRandom(seed), conditions)
  const network = new Network(agenda, weather, () => now)
  const run = () => {
    while (agenda.next !== NEVER) {
      now = agenda.next
      agenda.runNext()
    }
  }
  return { agenda, network, run, now: () => now }
}

function stationAt(host: string, alive = true) {
  const received: { readonly flow: Flow; readonly bytes: Uint8Array }[] = []
  const station: Station & { alive: boolean } = {
    host,
    alive,
    powered: true,
    receive: (flow, bytes) => {
      received.push({ flow, bytes })
    },
    lost: () => {},
  }
  return { station, received }
}

/** Which of a hundred datagrams arrive, in the order in which they do. */
function arrivals(seed: number, loss: number): readonly number[] {
  const { network, run } = worldOf(seed, { loss })
  const { station, received } = stationAt(THERE.host)
  network.settle(station)
  for (let i = 0; i < 100; i++) network.datagram(HERE, THERE, Uint8Array.of(i))
  run()
  return received.map(({ bytes }) => bytes[0]!)
}

test("a datagram arrives with the addresses as its receiver sees them, after a delay of the weather's", () => {
  const delay = { least: milliseconds(5), most: milliseconds(7) }
  const { network, run, now } = worldOf(1, { delay })
  const { station, received } = stationAt(THERE.host)
  network.settle(station)
  network.datagram(HERE, THERE, Uint8Array.of(1))
  run()
  const flow = { transport: "UDP", local: THERE, remote: HERE, connection: undefined, node: undefined }
  assert.deepEqual(received, [{ flow, bytes: Uint8Array.of(1) }])
  assert.ok(now() >= 5 && now() < 7)
})

test("datagrams overtake each other, and none is lost where the weather loses none", () => {
  const all = arrivals(1, 0)
  const sorted = [...all].sort((a, b) => a - b)
  assert.deepEqual(
    sorted,
    Array.from({ length: 100 }, (_, i) => i),
  )
  assert.notDeepEqual(all, sorted)
})

test("datagrams are lost by the seed: the same ones in every run of it, about the share asked for", () => {
  const lossy = arrivals(7, 0.3)
  assert.deepEqual(arrivals(7, 0.3), lossy)
  assert.notDeepEqual(arrivals(8, 0.3), lossy)
  assert.ok(lossy.length > 55 && lossy.length < 85)
  assert.equal(arrivals(7, 1).length, 0)
})

test("what is sent to nobody, or to somebody dead by then, meets silence", () => {
  const { network, run } = worldOf(1)
  const { station, received } = stationAt(THERE.host)
  network.datagram(HERE, THERE, Uint8Array.of(1))
  run()
  network.settle(station)
  network.datagram(HERE, THERE, Uint8Array.of(2))
  station.alive = false
  run()
  assert.deepEqual(received, [])
  assert.equal(network.stationAt(THERE.host), undefined)
})

test("nothing passes a cut, and what is on neither side reaches both", () => {
  const { network, run } = worldOf(1)
  const [there, other] = [stationAt(THERE.host), stationAt("10.0.0.3")]
  for (const { station } of [there, other]) network.settle(station)
  network.cut([[HERE.host], [THERE.host]])
  network.datagram(HERE, THERE, Uint8Array.of(1))
  network.datagram(HERE, { host: "10.0.0.3", port: 5060 }, Uint8Array.of(2))
  run()
  network.heal()
  network.datagram(HERE, THERE, Uint8Array.of(3))
  run()
  const bytesOf = ({ received }: typeof there) => received.map(({ bytes }) => bytes[0])
  assert.deepEqual([bytesOf(there), bytesOf(other)], [[3], [2]])
})

test("a connection is refused where nobody listens, and runs into time where nothing answers at all", () => {
  const { network, run, now } = worldOf(1)
  const { station } = stationAt(THERE.host, false)
  network.settle(station)
  const failures: { readonly at: number; readonly reason: string }[] = []
  const knock = (host: string) => {
    const start = now()
    network.connect(
      HERE.host,
      { host, port: 6084 },
      () => undefined,
      () => assert.fail("nobody is there"),
      (reason) => failures.push({ at: now() - start, reason }),
    )
    run()
  }
  knock(THERE.host)
  knock("10.0.0.9")
  assert.match(failures[0]!.reason, /nobody listens at 10\.0\.0\.2:6084/)
  assert.ok(failures[0]!.at < 10)
  assert.match(failures[1]!.reason, /10\.0\.0\.9:6084 did not answer/)
  assert.ok(failures[1]!.at >= 4_000)
})
