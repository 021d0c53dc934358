import assert from "node:assert/strict"
import { test } from "node:test"
import { generate } from "./generate.ts"
import { shrink } from "./shrink.ts"
import type { Story } from "./story.ts"

test("of a story that fails because of two steps those two are left, and as few peers as it takes", () => {
  const story: Story = {
    seed: 1,
    peers: 14,
    fullMeshLimit: 4,
    steps: [
      { do: "join" },
      { do: "crash", who: [1, 2, 3], how: "silent", torn: 0 },
      { do: "wait", seconds: 2.7 },
      { do: "leave", who: 5 },
      { do: "read", who: 3, name: "n1" },
      { do: "join" },
    ],
  }
  const fails = ({ steps, peers }: Story) =>
    peers >= 3 &&
    steps.some((step) => step.do === "crash" && step.who.includes(2)) &&
    steps.some((step) => step.do === "leave")
  assert.deepEqual(shrink(story, fails), {
    ...story,
    peers: 3,
    steps: [
      { do: "crash", who: [2], how: "silent", torn: 0 },
      { do: "leave", who: 5 },
    ],
  })
})

test("a seed is always the same story, and another seed another one", () => {
  assert.deepEqual(generate(7), generate(7))
  assert.notDeepEqual(generate(7), generate(8))
})
