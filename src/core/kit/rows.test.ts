import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { Rows } from "./rows.ts"

type Step =
  | { readonly kind: "add"; readonly length: number; readonly byte: number }
  | { readonly kind: "replace"; readonly which: number; readonly length: number; readonly byte: number }
  | { readonly kind: "delete"; readonly which: number }

/** Some are larger than a slab of the test. */
const length = fc.oneof({ weight: 5, arbitrary: fc.nat(60) }, fc.nat(700))
const byte = fc.integer({ min: 1, max: 255 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("add" as const), length, byte }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("replace" as const), which: fc.nat(), length, byte }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("delete" as const), which: fc.nat() }) },
)

const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte)

test("whatever is added, replaced and deleted, each row has the bytes that a Map would have", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 300, size: "max" }), (steps) => {
      const rows = new Rows(512)
      const model = new Map<number, Uint8Array>()
      for (const each of steps) {
        const numbers = [...model.keys()]
        if (each.kind === "add") {
          const row = rows.add(filled(each.length, each.byte))
          assert.ok(!model.has(row), "a number is given to one row at a time")
          model.set(row, filled(each.length, each.byte))
        } else if (numbers.length > 0) {
          const row = numbers[each.which % numbers.length]!
          if (each.kind === "replace") {
            rows.replace(row, filled(each.length, each.byte))
            model.set(row, filled(each.length, each.byte))
          } else {
            rows.delete(row)
            model.delete(row)
          }
        }
        assert.equal(rows.size, model.size)
      }
      assert.deepEqual(
        [...rows.all()],
        [...model.keys()].sort((a, b) => a - b),
      )
      for (const [row, bytes] of model) assert.deepEqual(rows.bytes(row), bytes)
    }),
    { numRuns: 200 },
  )
})

test("what is left of nine tenths deleted, again and again, takes no more memory than a third of it would be", () => {
  const rows = new Rows(4_096)
  for (let round = 0; round < 20; round++) {
    const added = Array.from({ length: 1_000 }, (_, index) => rows.add(filled(100, index % 251)))
    for (const [index, row] of added.entries()) if (index % 10 > 0) rows.delete(row)
  }
  assert.equal(rows.size, 2_000)
  const memory = new Set<ArrayBufferLike>()
  for (const row of rows.all()) {
    rows.seek(row)
    memory.add(rows.memory.buffer)
  }
  const bytes = [...memory].reduce((sum, each) => sum + each.byteLength, 0)
  assert.ok(bytes < 1.4 * 2_000 * 112, `${bytes} bytes for 2000 rows of 112`)
})

test("rows whose length takes more than two bytes are kept like others, also in place of shorter ones", () => {
  const rows = new Rows()
  const lengths = [65_534, 65_535, 65_536, 300_000, 65_533, 65_537, 3]
  const added = lengths.map((length, index) => rows.add(filled(length, index + 1)))
  const check = (row: number, length: number, byte: number) => {
    assert.deepEqual(rows.bytes(row), filled(length, byte))
    rows.seek(row)
    assert.equal(rows.length, length)
  }
  for (const [index, row] of added.entries()) check(row, lengths[index]!, index + 1)
  const others = lengths.slice(1).concat(lengths[0]!)
  for (const [index, row] of added.entries()) rows.replace(row, filled(others[index]!, index + 9))
  for (const [index, row] of added.entries()) check(row, others[index]!, index + 9)
  for (const row of added) rows.delete(row)
  assert.equal(rows.size, 0)
})

test("a row that is gone is not found", () => {
  const rows = new Rows()
  const row = rows.add(filled(3, 1))
  rows.delete(row)
  assert.equal(rows.has(row), false)
  assert.throws(() => rows.seek(row))
  assert.throws(() => rows.delete(row))
})
