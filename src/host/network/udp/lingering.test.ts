import assert from "node:assert/strict"
import { test } from "node:test"
import { LINGER, Lingering } from "./lingering.ts"

/** How many of that many wake-ups were followed by another look. */
function tries(lingering: Lingering, wakes: number, isInTime: boolean): number {
  let tried = 0
  for (let wake = 0; wake < wakes; wake++) {
    const start = 1_000 * wake
    if (!lingering.mayLookAgain(start)) continue
    tried++
    if (isInTime) lingering.found()
    else while (lingering.mayLookAgain(start + 2 * LINGER)) assert.fail("it looks on after its time")
  }
  return tried
}

test("where the next datagram comes in time, nobody sleeps", () => {
  assert.equal(tries(new Lingering(), 1_000, true), 1_000)
})

test("it looks until its time is over", () => {
  const lingering = new Lingering()
  assert.equal(lingering.mayLookAgain(5), true)
  assert.equal(lingering.mayLookAgain(5 + 0.9 * LINGER), true)
  assert.equal(lingering.mayLookAgain(5 + 1.1 * LINGER), false)
})

test("where nothing comes in time, few of the wake-ups wait for it, and some always do", () => {
  const lingering = new Lingering()
  const early = tries(lingering, 100, false)
  const later = tries(lingering, 3_300, false)
  assert.ok(early <= 8, `${early} of 100`)
  assert.equal(later, 100)
})

test("what comes in time again is soon waited for each time", () => {
  const lingering = new Lingering()
  tries(lingering, 1_000, false)
  tries(lingering, 100, true)
  assert.equal(tries(lingering, 100, true), 100)
})
