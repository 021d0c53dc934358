import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { LATEST, readTime, TIME_BYTES, writeTime } from "./row-times.ts"
import { type Instant, NEVER } from "./time.ts"

const view = new DataView(new ArrayBuffer(3 * TIME_BYTES))

test("an instant is read as it was, to the millisecond, and touches nothing beside it", () => {
  const time = fc.oneof(
    fc.constantFrom<number>(NEVER, LATEST),
    fc.double({ min: 0, max: LATEST, noNaN: true }),
  )
  fc.assert(
    fc.property(time, time, time, (first, second, third) => {
      const times = [first, third, second]
      for (const [index, at] of [0, 2, 1].entries()) writeTime(view, at * TIME_BYTES, times[index] as Instant)
      for (const [index, at] of [0, 2, 1].entries())
        assert.equal(readTime(view, at * TIME_BYTES), Math.floor(times[index]!))
    }),
  )
})

test("six bytes, the highest first", () => {
  writeTime(view, 0, 1_700_000_000_000.9 as Instant)
  assert.deepEqual(
    new Uint8Array(view.buffer, 0, TIME_BYTES),
    Uint8Array.of(0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00),
  )
})
