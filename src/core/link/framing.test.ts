import assert from "node:assert/strict"
import { test } from "node:test"
import { concat } from "../kit/bytes.ts"
import { fromHex, toHex } from "../kit/hex.ts"
import type { Instant } from "../kit/time.ts"
import { FRAME_HEADER, Framing, type FramingEvent } from "./framing.ts"

const at = (time: number) => time as Instant
const message = fromHex("d2454c4f0102")

const kinds = (events: readonly FramingEvent[]) => events.map(({ kind }) => kind)

test("a message travels behind 0x80, its sequence number and its length in 24 bits", () => {
  const framing = new Framing(5_000)
  assert.equal(toHex(framing.frame(message, at(0))), `80${"00000000"}${"000006"}d2454c4f0102`)
  assert.equal(toHex(framing.frame(message, at(0))), `80${"00000001"}${"000006"}d2454c4f0102`)
  const inPlace = concat(new Uint8Array(FRAME_HEADER), message)
  framing.frameInPlace(inPlace, at(0))
  assert.equal(toHex(inPlace), `80${"00000002"}${"000006"}d2454c4f0102`)
})

test("however the stream is cut, the same messages come out, each with its acknowledgement", () => {
  const sender = new Framing(5_000)
  const stream = concat(...[1, 2, 3].map(() => sender.frame(message, at(0))))
  for (let size = 1; size <= stream.length; size++) {
    const receiver = new Framing(5_000)
    const events: FramingEvent[] = []
    for (let i = 0; i < stream.length; i += size)
      events.push(...receiver.receive(stream.subarray(i, i + size), at(0)))
    assert.deepEqual(
      events.map((event) => event.kind === "message" && toHex(event.acknowledgement)),
      // The bits tell of the frames before, the lowest of the last but one.
      ["810000000000000000", "810000000100000001", "810000000200000003"],
    )
  }
})

test("acknowledgements measure the round trip, and one that never comes is remembered", () => {
  const framing = new Framing(5_000)
  framing.frame(message, at(100))
  framing.frame(message, at(200))
  assert.equal(framing.waitingSince, 100)
  framing.receive(fromHex("810000000000000000"), at(140))
  assert.equal(framing.roundTrip, 40)
  assert.equal(framing.waitingSince, 200)
  framing.receive(fromHex("810000000100000001"), at(240))
  assert.equal(framing.waitingSince, Infinity)
})

test("a message above the limit is named by its header, and nothing after it is heard", () => {
  const framing = new Framing(100)
  const header = concat(fromHex("d2454c4f"), new Uint8Array(34))
  const frame = concat(fromHex("8000000000000200"), header, new Uint8Array(474))
  const [event, ...others] = framing.receive(frame, at(0))
  assert.ok(event?.kind === "too-large")
  assert.equal(event.head.length, 38)
  assert.equal(event.length, 512)
  assert.deepEqual(others, [])
  assert.deepEqual(framing.receive(new Framing(100).frame(message, at(0)), at(0)), [])
})

test("bytes that are not RELOAD end the link with a reason", () => {
  assert.deepEqual(kinds(new Framing(100).receive(fromHex("474554202f"), at(0))), ["broken"])
  assert.deepEqual(kinds(new Framing(100).receive(fromHex("8000000000000006474554"), at(0))), ["broken"])
  const hugeHeader = concat(fromHex("8000000000000400d2454c4f"), new Uint8Array(28), fromHex("ffffffffffff"))
  assert.deepEqual(kinds(new Framing(100).receive(hugeHeader, at(0))), ["broken"])
})

test("tells the slowest acknowledgement of the last seconds, and forgets it after them", () => {
  const [one, other] = [new Framing(1_000), new Framing(1_000)]
  const message = Uint8Array.of(0xd2, 0x45, 0x4c, 0x4f)
  const roundTrip = (sentAt: number, took: number) => {
    const [event] = other.receive(one.frame(message, sentAt as Instant), sentAt as Instant)
    assert.ok(event?.kind === "message")
    one.receive(event.acknowledgement, (sentAt + took) as Instant)
  }
  roundTrip(0, 900)
  roundTrip(1_000, 20)
  assert.equal(one.slowest(2_000 as Instant), 900)
  roundTrip(9_000, 30)
  assert.equal(one.slowest(12_000 as Instant), 900)
  roundTrip(13_000, 40)
  assert.equal(one.slowest(22_500 as Instant), 40)
  assert.equal(one.slowest(45_000 as Instant), 0)
})
