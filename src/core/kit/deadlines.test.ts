import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { Deadlines } from "./deadlines.ts"
import { type Instant, NEVER } from "./time.ts"

const at = (count: number) => count as Instant

test("what is due comes out earliest first, and what is not due stays", () => {
  const deadlines = new Deadlines<string>()
  deadlines.set("late", at(30))
  deadlines.set("early", at(10))
  deadlines.set("middle", at(20))
  assert.equal(deadlines.next, 10)
  assert.equal(deadlines.takeDue(at(9)), undefined)
  assert.equal(deadlines.takeDue(at(20)), "early")
  assert.equal(deadlines.takeDue(at(20)), "middle")
  assert.equal(deadlines.takeDue(at(20)), undefined)
  assert.equal(deadlines.next, 30)
})

type Step =
  | { readonly kind: "set"; readonly key: number; readonly at: number }
  | { readonly kind: "delete"; readonly key: number }
  | { readonly kind: "take"; readonly now: number }

const key = fc.integer({ min: 0, max: 15 })
const instant = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.constant(NEVER as number))
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("set" as const), key, at: instant }) },
  fc.record({ kind: fc.constant("delete" as const), key }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("take" as const), now: instant }) },
)

test("it behaves as a sorted list of one deadline a key would", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const deadlines = new Deadlines<number>()
      const model = new Map<number, number>()
      const earliest = () => Math.min(NEVER, ...model.values())
      for (const each of steps) {
        if (each.kind === "set") {
          deadlines.set(each.key, at(each.at))
          if (each.at === NEVER) model.delete(each.key)
          else model.set(each.key, each.at)
        } else if (each.kind === "delete") {
          deadlines.delete(each.key)
          model.delete(each.key)
        } else {
          const taken = deadlines.takeDue(at(each.now))
          const due = model.size > 0 && earliest() <= each.now
          assert.equal(taken !== undefined, due)
          if (taken === undefined) continue
          // Which of several at one instant comes first is not promised.
          assert.equal(model.get(taken), earliest())
          model.delete(taken)
        }
        assert.equal(deadlines.next, earliest())
        assert.equal(deadlines.size, model.size)
      }
    }),
  )
})

test("thousands of constant timers, most of them taken back, come out in their order and leave nothing behind", () => {
  const deadlines = new Deadlines<string>()
  const due: string[] = []
  for (let now = 0; now < 5_000; now++) {
    deadlines.set(`short ${now}`, at(now + 10))
    deadlines.set(`long ${now}`, at(now + 1_000))
    if (now % 3 !== 0) deadlines.delete(`short ${now}`)
    if (now >= 500 && now % 7 !== 0) deadlines.delete(`long ${now - 500}`)
    for (let key = deadlines.takeDue(at(now)); key; key = deadlines.takeDue(at(now))) due.push(key)
  }
  const shorts = due.filter((key) => key.startsWith("short"))
  assert.deepEqual(
    shorts,
    Array.from({ length: 1_664 }, (_, number) => `short ${3 * number}`),
  )
  const longs = due.filter((key) => key.startsWith("long"))
  const kept = Array.from({ length: 4_000 }, (_, number) => number).filter(
    (number) => (number + 500) % 7 === 0,
  )
  assert.deepEqual(
    longs,
    kept.map((number) => `long ${number}`),
  )
  assert.equal(deadlines.next, 5_001)
})
