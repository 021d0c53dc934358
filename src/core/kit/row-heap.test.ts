import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { RowHeap } from "./row-heap.ts"
import { type Instant, NEVER } from "./time.ts"

test("whatever times rows come to have, they are taken out when these are due, the earliest first", () => {
  const step = fc.record({ row: fc.nat(200), at: fc.nat(50), isGone: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: "max" }), fc.nat(60), (steps, now) => {
      const times = new Map<number, Instant>()
      const heap = new RowHeap((row) => times.get(row)!)
      for (const { row, at, isGone } of steps) {
        if (isGone) {
          heap.delete(row)
          times.delete(row)
        } else {
          times.set(row, at as Instant)
          heap.settle(row)
        }
      }
      assert.equal(heap.size, times.size)
      assert.equal(heap.next, Math.min(NEVER, ...times.values()))
      const taken: number[] = []
      for (let row = heap.takeDue(now as Instant); row !== undefined; row = heap.takeDue(now as Instant))
        taken.push(row)
      const due = [...times].filter(([, at]) => at <= now)
      assert.deepEqual(new Set(taken), new Set(due.map(([row]) => row)))
      assert.deepEqual(
        taken.map((row) => times.get(row)),
        due.map(([, at]) => at).sort((a, b) => a - b),
      )
      for (const row of times.keys()) assert.equal(heap.has(row), !taken.includes(row))
    }),
  )
})
