import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { Few } from "./few.ts"

test("whatever is set and deleted, it has what a Map has, in the same order", () => {
  const step = fc.record({
    key: fc.constantFrom("", "a", "b", "c"),
    value: fc.nat(9),
    isSet: fc.constantFrom(true, true, false),
  })
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const few = new Few<string, number>()
      const map = new Map<string, number>()
      for (const { key, value, isSet } of steps) {
        if (isSet) {
          few.set(key, value)
          map.set(key, value)
        } else {
          few.delete(key)
          map.delete(key)
        }
        assert.equal(few.size, map.size)
        assert.deepEqual(few.keys(), [...map.keys()])
        assert.deepEqual(few.values(), [...map.values()])
        for (const each of ["", "a", "b", "c"]) assert.equal(few.get(each), map.get(each))
      }
    }),
  )
})
