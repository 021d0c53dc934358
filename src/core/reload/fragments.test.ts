import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { HEADER } from "../../../test/vectors/reload-messages.ts"
import { LIMITS } from "../kit/limits.ts"
import { after, type Instant, seconds } from "../kit/time.ts"
import { isWhole, Reassembly, splitMessage } from "./fragments.ts"
import { readHeader, writeMessage } from "./message.ts"

const NOW = 0 as Instant
const body = (length: number) => Uint8Array.from({ length }, (_, index) => index % 251)
/** 38 bytes and the lists. */
const HEADER_BYTES = writeMessage(HEADER, new Uint8Array()).length

test("a message that fits stays whole", () => {
  const [only, ...others] = splitMessage(HEADER, body(1_000), 1_000 + HEADER_BYTES + 32)
  assert.equal(others.length, 0)
  assert.ok(isWhole(readHeader(only!).header))
})

test("fragments are of equal size, leave 32 bytes free, and only the last one says so", () => {
  const fragments = splitMessage(HEADER, body(2_000), 1_200)
  assert.deepEqual(
    fragments.map((bytes) => readHeader(bytes).header.fragment),
    [
      { last: false, offset: 0 },
      { last: true, offset: 1_000 },
    ],
  )
  assert.ok(fragments.every((bytes) => bytes.length <= 1_200 - 32))
})

test("a header that leaves no room for 256 bytes is not repeated in fragments", () => {
  assert.equal(splitMessage(HEADER, body(2_000), HEADER_BYTES + 32 + 255).length, 1)
})

test("fragments of fragments make the message again, in any order and repeated", () => {
  const paths = fc.record({ length: fc.integer({ min: 1, max: 5_000 }), seed: fc.infiniteStream(fc.nat()) })
  fc.assert(
    fc.property(paths, ({ length, seed }) => {
      const onTheWay = splitMessage(HEADER, body(length), 1_500).flatMap((bytes) => {
        const { header, payload } = readHeader(bytes)
        return splitMessage(header, payload, 700)
      })
      const arrivals = [...onTheWay, ...splitMessage(HEADER, body(length), 900)]
        .map((bytes) => ({ bytes, order: seed.next().value as number }))
        .sort((a, b) => a.order - b.order)
      const reassembly = new Reassembly()
      const whole = arrivals.flatMap(({ bytes }) => reassembly.accept("alice", readHeader(bytes), NOW) ?? [])
      assert.ok(whole.length >= 1)
      assert.deepEqual(whole[0], { header: HEADER, payload: body(length) })
    }),
    { numRuns: 50 },
  )
})

test("fragments of different senders are never mixed", () => {
  const [first, second] = splitMessage(HEADER, body(2_000), 1_200)
  const reassembly = new Reassembly()
  assert.equal(reassembly.accept("alice", readHeader(first!), NOW), undefined)
  assert.equal(reassembly.accept("mallory", readHeader(second!), NOW), undefined)
  assert.equal(reassembly.waiting, 2)
})

test("what stays incomplete is given up after 15 s", () => {
  const reassembly = new Reassembly()
  reassembly.accept("alice", readHeader(splitMessage(HEADER, body(2_000), 1_200)[0]!), NOW)
  assert.equal(reassembly.deadline, after(NOW, seconds(15)))
  assert.equal(reassembly.expire(after(NOW, seconds(15))), 1)
  assert.equal(reassembly.waiting, 0)
})

test("a flood of first fragments fills a bounded room, which empties again", () => {
  const reassembly = new Reassembly()
  const first = readHeader(splitMessage(HEADER, body(40_000), 33_000)[0]!)
  for (let i = 0; i < 2 * LIMITS.reload.partialMessages; i++) reassembly.accept(`mallory ${i}`, first, NOW)
  assert.ok(reassembly.waiting <= LIMITS.reload.partialBytes / 20_000)
  reassembly.expire(after(NOW, seconds(15)))
  const pieces = splitMessage(HEADER, body(2_000), 1_200).map(readHeader)
  assert.ok(pieces.some((piece) => reassembly.accept("alice", piece, NOW)))
})
