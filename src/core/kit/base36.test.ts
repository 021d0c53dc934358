import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { eightDigits, FOUR_DIGITS, fourDigits, sevenDigits } from "./base36.ts"

const padded = (value: number, digits: number) => value.toString(36).padStart(digits, "0")

test("numbers are written as the platform writes them, with zeros before", () => {
  const check = (write: (value: number) => string, digits: number, most: number) => {
    for (const value of [0, 1, 35, 36, 1_295, 1_296, 46_655, 46_656, most - 1].filter((each) => each < most))
      assert.equal(write(value), padded(value, digits))
    fc.assert(
      fc.property(fc.integer({ min: 0, max: most - 1 }), (value) =>
        assert.equal(write(value), padded(value, digits)),
      ),
    )
  }
  check(fourDigits, 4, FOUR_DIGITS)
  check(sevenDigits, 7, 2 ** 32)
  check(eightDigits, 8, 36 ** 8)
})
