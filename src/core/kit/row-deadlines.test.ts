import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { RowDeadlines } from "./row-deadlines.ts"
import { type Instant, NEVER } from "./time.ts"

type Step =
  | { readonly kind: "set"; readonly row: number; readonly at: number }
  | { readonly kind: "delete"; readonly row: number }
  | { readonly kind: "take"; readonly now: number }

const row = fc.oneof(fc.nat(15), fc.nat(500))
const at = fc.oneof(fc.nat(50), fc.constant(NEVER as number))
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("set" as const), row, at }) },
  fc.record({ kind: fc.constant("delete" as const), row }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("take" as const), now: fc.nat(50) }) },
)

test("it behaves as a sorted list of one deadline a row would", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
      const deadlines = new RowDeadlines()
      const model = new Map<number, number>()
      const earliest = () => Math.min(NEVER, ...model.values())
      for (const each of steps) {
        if (each.kind === "set") {
          deadlines.set(each.row, each.at as Instant)
          if (each.at === NEVER) model.delete(each.row)
          else model.set(each.row, each.at)
        } else if (each.kind === "delete") {
          deadlines.delete(each.row)
          model.delete(each.row)
        } else {
          const taken = deadlines.takeDue(each.now as Instant)
          if (taken === undefined) assert.ok(earliest() > each.now)
          else {
            assert.equal(model.get(taken), earliest())
            assert.ok(earliest() <= each.now)
            model.delete(taken)
          }
        }
        assert.equal(deadlines.next, earliest())
        assert.equal(deadlines.size, model.size)
        for (const [row, at] of model) assert.equal(deadlines.of(row), at)
      }
    }),
  )
})
