import assert from "node:assert/strict"
import { test } from "node:test"
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import fc from "fast-check"
import { PassingTable, scattered } from "./passing-table.ts"

type Step =
  | { readonly kind: "set"; readonly key: string; readonly value: object }
  | { readonly kind: "delete"; readonly key: string }

const key = fc.string({ minLength: 1, maxLength: 2, unit: fc.constantFrom("a", "b", "c", "d", "e", "f") })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), key, value: fc.object({ maxDepth: 0 }) }),
  fc.record({ kind: fc.constant("delete" as const), key }),
)
const KEYS = ["a", "b", "c", "d", "e", "f"].flatMap((one) => [
  one,
  ...["a", "b", "c", "d", "e", "f"].map((two) => one + two),
])

/** Whose keys crowd few places, also at the end of the table, or all of one, or none. */
const HASHES: readonly ((key: string) => number)[] = [
  (key) => key.charCodeAt(0) * 31 + key.length,
  (key) => key.length - 2,
  () => -1,
  (key) => scattered(KEYS.indexOf(key)),
]

test("it behaves as a map would, however its keys crowd", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 150, size: "max" }),
      fc.constantFrom(...HASHES),
      (steps, hashOf) => {
        const table = new PassingTable<string, object>(hashOf)
        const model = new Map<string, object>()
        for (const step of steps) {
          if (step.kind === "set") {
            table.set(step.key, step.value)
            model.set(step.key, step.value)
          } else assert.equal(table.delete(step.key), model.delete(step.key))
          assert.equal(table.size, model.size)
        }
        for (const key of KEYS) assert.equal(table.get(key), model.get(key))
      },
    ),
  )
})

test("it grows and shrinks with what is in it, and loses nothing", () => {
  const table = new PassingTable<number, { readonly number: number }>(scattered)
  for (let number = 0; number < 10_000; number++) table.set(number, { number })
  for (let number = 0; number < 10_000; number++) if (number % 100 !== 7) table.delete(number)
  assert.equal(table.size, 100)
  for (let number = 0; number < 10_000; number++)
    assert.equal(table.get(number)?.number, number % 100 === 7 ? number : undefined)
})

test("what has passed through a table that is old is not moved among what is old", () => {
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as () => void
  const table = new PassingTable<number, object>(scattered)
  const put = (number: number) => table.set(number, { payload: new Array(20).fill(number) })
  const standing = 1_000
  for (let number = 0; number < standing; number++) put(number)
  collect()
  collect()
  const before = oldBytes()
  let most = 0
  // Some 80 MB, of which a thousandth is there at a time.
  for (let number = standing; number < 400_000; number++) {
    put(number)
    table.delete(number - standing)
    if (number % 1_000 === 0) most = Math.max(most, oldBytes() - before)
  }
  // A `Map` makes it 40 MB.
  assert.ok(most < 4_000_000, `${most} bytes have been moved among the old`)
})

const oldBytes = (): number =>
  getHeapSpaceStatistics()
    .filter(({ space_name }) => space_name === "old_space" || space_name === "large_object_space")
    .reduce((sum, { space_used_size }) => sum + space_used_size, 0)
