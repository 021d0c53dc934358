import assert from "node:assert/strict"
import { test } from "node:test"
import { parseNodeId } from "../identity/node-id.ts"
import { type Duration, type Instant, seconds } from "../kit/time.ts"
import { parseResourceId } from "../reload/header.ts"
import { Newcomers } from "./newcomers.ts"

const node = (digit: string) => parseNodeId(digit.repeat(32))
const resource = parseResourceId(`1${"0".repeat(31)}`)
const [one, two, three, four, five, six] = ["1", "2", "3", "4", "5", "6"].map(node) as [
  ReturnType<typeof node>,
  ...ReturnType<typeof node>[],
]

/** Six is us; the record has its place at one, two and three. */
function ringSeenBySix(others = [one, two!, three!, four!, five!]) {
  const parts = { self: six!, now: 0 as Instant, isPeer: false, topology: { peers: () => peers } }
  let peers = others
  const newcomers = new Newcomers(parts)
  for (const each of others) newcomers.came(each)
  parts.isPeer = true
  return {
    holders: () => newcomers.oldHolders(resource),
    wait: (span: Duration) => {
      parts.now = (parts.now + span) as Instant
    },
    comes: (id: typeof one) => {
      peers = [...peers, id]
      newcomers.came(id)
    },
    dies: (...ids: readonly (typeof one)[]) => {
      peers = peers.filter((each) => !ids.includes(each))
      for (const id of ids) newcomers.went(id)
    },
  }
}

/** All have been there for long. */
function oldRing() {
  const ring = ringSeenBySix()
  ring.wait(seconds(31))
  return ring
}

test("the first three of those who have been there for long are the old holders", () => {
  const ring = oldRing()
  assert.deepEqual(ring.holders(), [one, two, three])
})

test("who has only just come is none, until copies have been made", () => {
  const ring = oldRing()
  const newcomer = parseNodeId(`2${"0".repeat(31)}`)
  ring.comes(newcomer)
  assert.deepEqual(ring.holders(), [one, two, three])
  ring.wait(seconds(31))
  assert.deepEqual(ring.holders(), [one, newcomer, two])
})

test("where all three die at once, nobody who lives is an old holder for a minute", () => {
  const ring = oldRing()
  ring.dies(one, two!)
  assert.deepEqual(ring.holders(), [three])
  ring.wait(seconds(2))
  ring.dies(three!)
  assert.deepEqual(ring.holders(), [])
  ring.wait(seconds(57))
  assert.deepEqual(ring.holders(), [])
  ring.wait(seconds(4))
  assert.deepEqual(ring.holders(), [four, five, six])
})

test("who has died alone is missed until its copies have been made elsewhere", () => {
  const ring = oldRing()
  ring.dies(one)
  ring.wait(seconds(4))
  ring.dies(two!)
  ring.wait(seconds(4))
  ring.dies(three!)
  assert.deepEqual(ring.holders(), [])
  ring.wait(seconds(2.5))
  assert.deepEqual(ring.holders(), [four])
})

test("who comes and dies alone is not missed at all, and with others it is", () => {
  const newcomers = ["00", "01", "02"].map((end) => parseNodeId(`1${"0".repeat(29)}${end}`))
  const lonely = oldRing()
  for (const each of newcomers) lonely.comes(each)
  for (const each of newcomers) {
    lonely.wait(seconds(4))
    lonely.dies(each)
  }
  assert.deepEqual(lonely.holders(), [one, two, three])
  const together = oldRing()
  for (const each of newcomers) together.comes(each)
  together.wait(seconds(4))
  together.dies(...newcomers)
  assert.deepEqual(together.holders(), [])
})

test("whom we found there when we came ourselves may have been there for long", () => {
  const ring = ringSeenBySix()
  ring.dies(one)
  ring.wait(seconds(4))
  ring.dies(two!)
  ring.wait(seconds(4))
  ring.dies(three!)
  assert.deepEqual(ring.holders(), [])
})
