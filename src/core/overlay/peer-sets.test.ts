import assert from "node:assert/strict"
import { test } from "node:test"
import { parseNodeId } from "../identity/node-id.ts"
import { NOBODY, PeerSets } from "./peer-sets.ts"

const node = (digit: string) => parseNodeId(digit.repeat(32))
const [one, two, three] = [node("1"), node("2"), node("3")]

test("the same peers are the same set, in whatever order they are named", () => {
  const sets = new PeerSets()
  const both = sets.exchange(NOBODY, [one, two])
  assert.equal(sets.exchange(NOBODY, [two, one]), both)
  assert.deepEqual(new Set(sets.of(both)), new Set([one, two]))
  assert.equal(sets.exchange(NOBODY, []), NOBODY)
  assert.deepEqual(sets.of(NOBODY), [])
})

test("a set is forgotten when the last that named it names another, and its number may be given to the next", () => {
  const sets = new PeerSets()
  const first = sets.exchange(NOBODY, [one])
  assert.equal(sets.exchange(NOBODY, [one]), first)
  const other = sets.exchange(first, [one, two])
  assert.notEqual(other, first)
  assert.deepEqual(sets.of(first), [one])
  sets.release(first)
  assert.equal(sets.exchange(NOBODY, [three]), first)
  assert.deepEqual([sets.of(first), sets.of(other)], [[three], [one, two]])
})

test("who names the set that it named before keeps it", () => {
  const sets = new PeerSets()
  const set = sets.exchange(NOBODY, [one])
  assert.equal(sets.exchange(set, [one]), set)
  assert.deepEqual(sets.of(set), [one])
})
