import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { parseNodeId } from "../identity/node-id.ts"
import { parseResourceId } from "../reload/header.ts"
import type { Fabric } from "./fabric.ts"
import type { Placement } from "./placement.ts"
import { Records } from "./records.ts"

const node = (digit: string) => parseNodeId(digit.repeat(32))
const resource = (digit: string) => parseResourceId(digit.repeat(32))

test("records are told apart by how many are known to hold them", () => {
  const [one, two] = [node("1"), node("2")]
  const [whole, single, pair, another] = [resource("a"), resource("b"), resource("c"), resource("d")]
  const records = new Records({ now: 0, self: node("f") } as Fabric, {} as Placement)
  for (const each of [whole, single, pair, another]) records.changed(each)
  records.confirm(whole, one)
  records.confirm(whole, two)
  records.confirm(pair, two)
  assert.deepEqual(records.byCopies(), [[single, another], [pair], [whole]])
  records.doubtNode(two)
  assert.deepEqual(records.byCopies(), [[single, pair, another], [whole], []])
})

test("who vouches for the holders of a record may name us: we are no other copy", () => {
  const [self, record] = [node("f"), resource("a")]
  const records = new Records({ now: 0, self } as Fabric, {} as Placement)
  records.changed(record)
  records.confirm(record, self)
  assert.equal(records.copiesOf(record), 1)
  assert.deepEqual(records.byCopies(), [[record], [], []])
})

test("whatever changes, is confirmed, doubted and forgotten, they know what a Map of Sets would", () => {
  const [resources, nodes] = [[..."0123456789abcdef"].map(resource), [..."1234"].map(node)]
  const acts = [
    "changed",
    "changedBy",
    "diverged",
    "confirm",
    "confirm",
    "doubt",
    "doubtNode",
    "forget",
  ] as const
  const step = fc.record({
    act: fc.constantFrom(...acts),
    which: fc.constantFrom(...resources),
    who: fc.constantFrom(...nodes),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
      const records = new Records({ now: 7.5, self: node("f") } as Fabric, {} as Placement)
      const model = new Map<string, { version: number; readonly confirmed: Set<string> }>()
      for (const { act, which, who } of steps) {
        if (act === "doubtNode") records.doubtNode(who)
        else records[act](which, who)
        const known = model.get(which)
        if (act === "forget") model.delete(which)
        if (act === "confirm") known?.confirmed.add(who)
        if (act === "doubt") known?.confirmed.delete(who)
        if (act === "doubtNode") for (const { confirmed } of model.values()) confirmed.delete(who)
        if (act !== "changed" && act !== "changedBy" && act !== "diverged") continue
        const present = known ?? { version: 0, confirmed: new Set<string>() }
        model.set(which, present)
        present.version++
        const isKept = (each: string) => act === "changed" || (act === "changedBy" && each === who)
        for (const each of [...present.confirmed]) if (!isKept(each)) present.confirmed.delete(each)
      }
      assert.equal(records.size, model.size)
      assert.deepEqual(new Set(records.all()), new Set(model.keys()))
      for (const each of resources) {
        const known = model.get(each)
        assert.equal(records.has(each), known !== undefined)
        assert.equal(records.versionOf(each), known?.version ?? 0)
        assert.equal(records.heldSince(each), known && 8)
        assert.deepEqual(
          nodes.filter((who) => records.isConfirmed(each, who)),
          nodes.filter((who) => known?.confirmed.has(who)),
        )
        assert.equal(records.copiesOf(each), Math.min(3, 1 + (known?.confirmed.size ?? 0)))
      }
    }),
    { numRuns: 50 },
  )
})
