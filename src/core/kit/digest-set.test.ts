import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { DigestSet } from "./digest-set.ts"

/** Few, and some of the same first bytes. */
const digest = fc
  .tuple(fc.nat(3), fc.nat(30))
  .map(([first, last]) =>
    Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 85 * first : at === 31 ? last : 9)),
  )

test("whatever is added, it holds the newest, as many as it may, as a Set in its order would", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(1, 3, 20, 100),
      fc.array(digest, { maxLength: 200, size: "max" }),
      (limit, all) => {
        const set = new DigestSet(limit)
        const model = new Set<string>()
        for (const each of all) {
          const text = each.join()
          assert.equal(set.has(each), model.has(text))
          if (!model.has(text) && model.size === limit) model.delete(model.values().next().value!)
          model.add(text)
          set.add(each)
        }
        for (const each of all) assert.equal(set.has(each), model.has(each.join()))
      },
    ),
  )
})
