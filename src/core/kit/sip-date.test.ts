import assert from "node:assert/strict"
import { test } from "node:test"
import { formatSipDate } from "./sip-date.ts"
import type { Instant } from "./time.ts"

test("dates are those of RFC 3261 §20.17", () => {
  assert.equal(formatSipDate(0 as Instant), "Thu, 01 Jan 1970 00:00:00 GMT")
  assert.equal(formatSipDate(1_289_698_200_999 as Instant), "Sun, 14 Nov 2010 01:30:00 GMT")
})
