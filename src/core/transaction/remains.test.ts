import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { toLatin1, toUtf8 } from "../kit/bytes.ts"
import { SeededRandom } from "../kit/random.ts"
import { type Instant, milliseconds, NEVER } from "../kit/time.ts"
import { KeyHash } from "./key-hash.ts"
import { Remains } from "./remains.ts"

const LIFETIME = milliseconds(100)
const hash = new KeyHash(new SeededRandom(1))
const at = (count: number) => count as Instant

type Step =
  | { readonly kind: "add"; readonly key: string; readonly length: number }
  | { readonly kind: "drop"; readonly key: string }
  | { readonly kind: "wait"; readonly time: number }
  | { readonly kind: "expire" }

const key = fc.oneof(
  fc.integer({ min: 0, max: 8 }).map(String),
  fc.constantFrom("\xe4\xff", "", "x".repeat(300)),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("add" as const), key, length: fc.constantFrom(0, 1, 500, 40_000, 70_000) }),
  fc.record({ kind: fc.constant("drop" as const), key }),
  fc.record({ kind: fc.constant("wait" as const), time: fc.constantFrom(1, 30, 99, 100, 2_000) }),
  fc.record({ kind: fc.constant("expire" as const) }),
)

test("it holds what a list of entries, each with its time, would hold", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const remains = new Remains(LIFETIME)
      const model: { key: string; text: string; number: number; until: number; entry: number }[] = []
      const about = {}
      let now = 0
      for (const [index, each] of steps.entries()) {
        if (each.kind === "wait") now += each.time
        else if (each.kind === "expire") remains.expire(at(now))
        else if (each.kind === "add") {
          const text = `${index}`.padEnd(each.length, "-").slice(0, each.length)
          const left = { key: each.key, bytes: toUtf8(text), about, number: index }
          model.push({
            key: each.key,
            text,
            number: index,
            until: now + 100,
            entry: remains.add(left, hash.of(each.key), at(now)),
          })
        } else {
          const found = model.findLast((entry) => entry.key === each.key && entry.until > now)
          if (found === undefined) continue
          remains.drop(found.entry)
          model.splice(model.indexOf(found), 1)
        }
        for (const { key } of model) {
          const wanted = model.findLast((entry) => entry.key === key && entry.until > now)
          const entry = remains.find(key, hash.of(key), at(now))
          assert.equal(entry, wanted?.entry)
          if (entry === undefined || wanted === undefined) continue
          assert.equal(remains.keyOf(entry), key)
          assert.equal(toLatin1(remains.bytesOf(entry)), wanted.text)
          assert.equal(remains.numberOf(entry), wanted.number)
          assert.equal(remains.aboutOf(entry), about)
        }
        for (const { entry, until } of model) assert.equal(remains.has(entry, at(now)), until > now)
        assert.equal(remains.find("nobody", hash.of("nobody"), at(now)), undefined)
      }
      remains.expire(at(now + 100))
      assert.equal(remains.size, 0)
      assert.equal(remains.deadline, NEVER)
    }),
  )
})

test("a hundred thousand entries come and go in their order, and their room with them", () => {
  const remains = new Remains(LIFETIME)
  const entries: number[] = []
  for (let number = 0; number < 100_000; number++)
    entries.push(remains.add({ key: `key ${number}`, number }, hash.of(`key ${number}`), at(number / 1_000)))
  assert.equal(remains.size, 100_000)
  for (const number of [0, 1, 50_000, 99_999])
    assert.equal(remains.find(`key ${number}`, hash.of(`key ${number}`), at(99.9)), entries[number])
  assert.equal(remains.find("key 0", hash.of("key 0"), at(100)), undefined, "over, to the moment")
  remains.expire(at(150))
  assert.equal(remains.size, 49_999)
  assert.equal(remains.find("key 50000", hash.of("key 50000"), at(150)), undefined)
  assert.equal(remains.find("key 50001", hash.of("key 50001"), at(150)), entries[50_001])
  assert.ok(remains.deadline <= 150 + 1_001, "what is left goes within a second of its time")
})
