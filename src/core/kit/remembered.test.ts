import assert from "node:assert/strict"
import { test } from "node:test"
import { Remembered } from "./remembered.ts"

test("the latest are remembered, and no more than two generations of them", () => {
  const remembered = new Remembered<number>(3)
  for (let number = 0; number < 8; number++) remembered.set(`${number}`, number)
  const kept = Array.from({ length: 8 }, (_, number) => remembered.get(`${number}`))
  assert.deepEqual(kept, [undefined, undefined, undefined, 3, 4, 5, 6, 7])
})
