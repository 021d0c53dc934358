import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { formatTime, parseTime } from "./rfc3339.ts"
import type { Instant } from "./time.ts"

const LAST = Date.UTC(9999, 11, 31, 23, 59, 59)

test("times are written and read as the platform's calendar has them", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: LAST / 1_000 }), (seconds) => {
      const text = new Date(seconds * 1_000).toISOString().replace(".000", "")
      assert.equal(formatTime((seconds * 1_000) as Instant), text)
      assert.equal(parseTime(text), seconds * 1_000)
    }),
  )
})

test("the RFC's own examples are read, fractions and leap seconds included", () => {
  assert.equal(parseTime("1985-04-12T23:20:50.52Z"), 482_196_050_520)
  assert.equal(parseTime("1990-12-31T23:59:60Z"), 662_688_000_000)
  assert.equal(parseTime("2002-10-10T07:00:00Z"), 1_034_233_200_000)
  assert.equal(parseTime("2000-02-29T00:00:00+00:00"), 951_782_400_000)
})

test("what is no UTC time is none", () => {
  for (const text of [
    "",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-10T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:00:00",
    "2026-01-01T00:00:00+01:00",
    "2026-01-01",
  ]) {
    assert.equal(parseTime(text), undefined, text)
  }
})
