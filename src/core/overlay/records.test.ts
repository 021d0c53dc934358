import assert from "node:assert/strict"
import { test } from "node:test"
import { parseNodeId } from "../identity/node-id.ts"
import { parseResourceId } from "../reload/header.ts"
import type { Fabric } from "./fabric.ts"
import type { Placement } from "./placement.ts"
import { Records } from "./records.ts"

const node = (digit: string) => parseNodeId(digit.repeat(32))
const resource = (digit: string) => parseResourceId(digit.repeat(32))

test("what we alone are known to hold comes before what one more peer holds, and that before what is complete", () => {
  const [one, two] = [node("1"), node("2")]
  const [whole, single, pair, another] = [resource("a"), resource("b"), resource("c"), resource("d")]
  const records = new Records({ now: 0 } as Fabric, {} as Placement)
  for (const each of [whole, single, pair, another]) records.changed(each)
  records.confirm(whole, one)
  records.confirm(whole, two)
  records.confirm(pair, two)
  assert.deepEqual(records.scarceFirst(), [single, another, pair, whole])
  records.doubtNode(two)
  assert.deepEqual(records.scarceFirst(), [single, pair, another, whole])
})
