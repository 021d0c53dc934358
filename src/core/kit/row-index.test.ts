import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { hashOfBytes, hashOfText, mixed, RowIndex } from "./row-index.ts"

function rowsOf(index: RowIndex, hash: number): readonly number[] {
  const rows: number[] = []
  for (let slot = index.first(hash); slot >= 0; slot = index.next(slot)) rows.push(index.row(slot))
  return rows.sort((a, b) => a - b)
}

/** Many rows of one hash, and hashes that begin at the same slot, at the last one, and wrap around. */
const hash = fc.oneof(fc.constantFrom(0, 1, -1, -2, 0x7fff_ffff, 0x4000_0000), fc.integer())
const step = fc.record({ hash, row: fc.nat(5_000), isAdded: fc.constantFrom(true, true, true, false) })

test("whatever is added and deleted, it finds the rows of a hash that a Map of sets would", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: "max" }), (steps) => {
      const index = new RowIndex()
      const model = new Map<number, Set<number>>()
      let size = 0
      for (const { hash, row, isAdded } of steps) {
        const rows = model.get(hash) ?? new Set()
        model.set(hash, rows)
        if (isAdded && !rows.has(row)) {
          index.add(hash, row)
          rows.add(row)
          size++
        } else if (!isAdded) {
          index.delete(hash, row)
          if (rows.delete(row)) size--
        }
        assert.equal(index.size, size)
      }
      for (const [hash, rows] of model)
        assert.deepEqual(
          rowsOf(index, hash),
          [...rows].sort((a, b) => a - b),
        )
    }),
  )
})

test("texts and bytes of the same codes have one hash, of which all digits tell keys apart", () => {
  const text = "alice@example.org"
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0))
  assert.equal(hashOfText(text), hashOfBytes(bytes, 0, bytes.length))
  const first = new Set(Array.from({ length: 4_096 }, (_, number) => mixed(hashOfText(`u${number}`)) >>> 20))
  assert.ok(first.size > 2_300, `4096 names have ${first.size} of 4096 first twelve bits`)
})
