import assert from "node:assert/strict"
import { test } from "node:test"
import { parseNodeId } from "../../identity/node-id.ts"
import { parseResourceId } from "../../reload/header.ts"
import { Circle, NODE_IDS } from "./circle.ts"
import { beyond, isPlausible, knowsHolders, ways } from "./detours.ts"

const id = (digits: string) => parseNodeId(digits.padEnd(32, "0"))
const point = (digits: string) => parseResourceId(digits.padEnd(32, "0"))

/** A peer at 00 in a ring of 256 that stand evenly: eight neighbors on each side, and fingers. */
function view() {
  const peers = new Circle()
  const before = ["f8", "f9", "fa", "fb", "fc", "fd", "fe", "ff"]
  const after = ["01", "02", "03", "04", "05", "06", "07", "08"]
  for (const digits of [...before, ...after, "20", "41", "44", "80"]) peers.add(id(digits))
  return { ring: NODE_IDS, self: id("00"), joined: true, peers }
}

test("other ways than the next hop come ever farther before the target, and never past it", () => {
  assert.deepEqual(ways(view(), point("50"), 3), [id("44"), id("41"), id("20")])
  assert.deepEqual(ways(view(), point("43"), 9), [
    id("41"),
    id("20"),
    ...["08", "07", "06", "05", "04", "03", "02"].map(id),
  ])
})

test("whose place it is, is passed on to by one way where nobody stands before it, and by none where it is ours", () => {
  assert.deepEqual(ways(view(), point("008"), 3), [id("01")])
  assert.deepEqual(ways(view(), point("ffff"), 3), [])
  assert.deepEqual(ways(view(), point("00"), 3), [], "its own Node-ID is the end of its share")
})

test("a place further on lies so many mean gaps away", () => {
  assert.equal(beyond(view(), point("10"), 2), point("12"))
  assert.equal(beyond(view(), point("ff"), 2), point("01"))
})

test("whoever stands far from a place does not answer for it, nor who stands before it", () => {
  assert.equal(isPlausible(view(), point("42"), id("44")), true)
  assert.equal(isPlausible(view(), point("42"), id("80")), false)
  assert.equal(isPlausible(view(), point("42"), id("41")), false)
})

test("holders are known where all of them are our neighbors", () => {
  assert.equal(knowsHolders(view(), point("008"), [id("01"), id("02"), id("03")]), true)
  assert.equal(knowsHolders(view(), point("068"), [id("07"), id("08"), id("20")]), false)
  assert.equal(knowsHolders(view(), point("42"), [id("44"), id("80"), id("fd")]), false)
})
