import assert from "node:assert/strict"
import { test } from "node:test"
import { briefMemory } from "./brief-memory.ts"

test("what is cut from one piece after the other never overlaps, and is as long as it was asked for", () => {
  const all = Array.from({ length: 2_000 }, (_, index) => briefMemory((index * 37) % 900).fill(index % 251))
  for (const [index, bytes] of all.entries()) {
    assert.equal(bytes.length, (index * 37) % 900)
    assert.ok(bytes.every((byte) => byte === index % 251))
  }
})

test("what is large gets memory of its own, of which nothing else is cut", () => {
  const large = briefMemory(20_000)
  assert.equal(large.length, 20_000)
  assert.equal(large.buffer.byteLength, 20_000)
})
