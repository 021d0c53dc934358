import assert from "node:assert/strict"
import { test } from "node:test"
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
