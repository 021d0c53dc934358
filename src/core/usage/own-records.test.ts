import assert from "node:assert/strict"
import { test } from "node:test"
import { FabricRecords, NOW, verified } from "../../../test/support/fabric-records.ts"
import { type HeldValue, holdValue } from "../storage/held-value.ts"
import { SUBSCRIBER } from "../storage/kinds.ts"
import { OwnRecords } from "./own-records.ts"

const ALICE = "alice@example.org"

const held = (bytes: readonly number[]): HeldValue =>
  holdValue(verified({ model: "single", exists: true, value: Uint8Array.from(bytes) }).data, "signer", NOW)

/** `hear`: undefined where what is said is not to be remembered. */
function setUp(hear: (bytes: readonly number[]) => string | undefined = String) {
  const records = new FabricRecords()
  const read: string[] = []
  const own = new OwnRecords(records, SUBSCRIBER, (name, values) => {
    const bytes = values.flatMap(({ value }) => [...value.value])
    read.push(`${name} ${bytes}`)
    return hear(bytes)
  })
  const hold = (...values: readonly HeldValue[]) =>
    records.held.set(`${SUBSCRIBER.id} ${records.resourceId(ALICE)}`, values)
  return { records, read, own, hold }
}

test("a record for which others have to be asked is not read here", () => {
  const { own, read } = setUp()
  assert.equal(own.find(ALICE, NOW), undefined)
  assert.deepEqual(read, [])
})

test("a record of ours is read once, as long as nothing in it changes", () => {
  const { own, read, hold } = setUp()
  const value = held([1, 2])
  hold(value)
  assert.equal(own.find(ALICE, NOW), "1,2")
  hold(value)
  assert.equal(own.find(ALICE, NOW), "1,2")
  assert.deepEqual(read, [`${ALICE} 1,2`])
})

test("a value that is replaced, added or gone is read anew, though it were the same", () => {
  const { own, read, hold } = setUp()
  const first = held([1])
  for (const values of [[first], [held([1])], [first, held([2])], [first], []]) {
    hold(...values)
    own.find(ALICE, NOW)
  }
  assert.deepEqual(
    read,
    ["1", "1", "1,2", "1", ""].map((bytes) => `${ALICE} ${bytes}`),
  )
})

test("what this node ceases to answer for is asked of the fabric at once", () => {
  const { own, records, hold } = setUp()
  hold(held([1]))
  assert.equal(own.find(ALICE, NOW), "1")
  records.held.clear()
  assert.equal(own.find(ALICE, NOW), undefined)
})

test("what cannot be read is left to the general way each time", () => {
  const { own, read, hold } = setUp(() => undefined)
  hold(held([1]))
  assert.equal(own.find(ALICE, NOW), undefined)
  assert.equal(own.find(ALICE, NOW), undefined)
  assert.equal(read.length, 2)
})
