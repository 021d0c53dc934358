import assert from "node:assert/strict"
import { test } from "node:test"
import { SeededRandom } from "../core/kit/random.ts"
import { type Instant, NEVER } from "../core/kit/time.ts"
import { Agenda } from "./agenda.ts"
import { Weather } from "./conditions.ts"
import { Network, type Station } from "./network.ts"

/** Two machines, and the losses of streams that they were told of. */
function pair({ loss = 0, seed = 1 } = {}) {
  const agenda = new Agenda()
  let now = 0 as Instant
  const network = new Network(agenda, new Weather(new SeededRandom(seed), { loss }), () => now)
  const run = () => {
    while (agenda.next !== NEVER) {
      now = agenda.next
      agenda.runNext()
    }
    return now
  }
  const lost: string[] = []
  const station = (host: string) => {
    const made: Station & { powered: boolean } = {
      host,
      alive: true,
      powered: true,
      receive: () => {},
      lost: (_, reason) => lost.push(`${host}: ${reason}`),
    }
    network.settle(made)
    return made
  }
  const [a, b] = [station("a"), station("b")]
  return { network, run, lost, a, b, open: () => network.stream(a, b) }
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

test("a stream loses nothing and keeps its order each way, in weather that makes pieces late", () => {
  const { open, run, a, b } = pair({ loss: 0.5, seed: 3 })
  const stream = open()
  const [toA, toB]: [number[], number[]] = [[], []]
  for (const i of upTo(100)) {
    stream.send(a, () => toB.push(i))
    stream.send(b, () => toA.push(i))
  }
  assert.ok(run() >= 200, "a lost segment costs a retransmission time-out")
  assert.deepEqual(toA, upTo(100))
  assert.deepEqual(toB, upTo(100))
})

test("streams do not hold up one another", () => {
  const { open, run, a } = pair({ loss: 0.5, seed: 3 })
  const order: number[] = []
  for (const i of upTo(50)) open().send(a, () => order.push(i))
  run()
  assert.equal(order.length, 50)
  assert.notDeepEqual(order, upTo(50))
})

test("what was sent before the close arrives before it; what comes to the closed end does not", () => {
  const { open, run, lost, a, b } = pair()
  const stream = open()
  const arrived: string[] = []
  stream.send(a, () => arrived.push("last words"))
  stream.send(b, () => arrived.push("too late"))
  stream.close(a, "goodbye")
  run()
  assert.deepEqual(arrived, ["last words"])
  assert.deepEqual(lost, ["b: goodbye"])
  assert.equal(stream.isOpenAt(b), false)
})

test("a machine without power is silent, and one that has come back resets what it does not know", () => {
  const { open, run, lost, a, b } = pair()
  const stream = open()
  stream.vanish(b)
  b.powered = false
  stream.send(a, () => assert.fail("nobody is there"))
  run()
  assert.deepEqual(lost, [])
  b.powered = true
  stream.send(a, () => assert.fail("nobody knows this stream"))
  run()
  assert.deepEqual(lost, ["a: connection reset"])
})

test("what meets a cut waits, and arrives in order when the cut heals", () => {
  const { network, open, run, lost, a, b } = pair()
  const stream = open()
  const arrived: number[] = []
  network.cut([["a"], ["b"]])
  for (const i of upTo(10)) stream.send(a, () => arrived.push(i))
  run()
  assert.equal(arrived.length, 0)
  stream.send(a, () => arrived.push(10))
  network.heal()
  stream.send(a, () => arrived.push(11))
  run()
  assert.deepEqual(arrived, upTo(12))
  network.cut([["a"], ["b"]])
  stream.close(b, "no answer")
  run()
  assert.deepEqual(lost, [])
  network.heal()
  run()
  assert.deepEqual(lost, ["a: no answer"])
})
