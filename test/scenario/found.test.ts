import assert from "node:assert/strict"
import { test } from "node:test"
import { openSslHashes } from "../../src/sim/hashes.ts"
import type { Story } from "../../src/sim/hunt/story.ts"
import { play } from "../../src/sim/hunt/tell.ts"

/** Stories that `npm run hunt` has found to go wrong, made small, each by what was amiss. */
const FOUND: readonly (Story & { readonly title: string })[] = [
  {
    title: "a name that nobody has written reads as nothing, and that is right",
    seed: 9,
    peers: 2,
    fullMeshLimit: 2,
    steps: [
      { do: "read", who: 29, name: "n6" },
      { do: "wait", seconds: 1 },
    ],
  },
]

for (const { title, ...story } of FOUND)
  test(`found once: ${title}`, () => assert.equal(play(story, openSslHashes), undefined))
