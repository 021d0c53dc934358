// Looks for stories that go wrong, of peers and of whole nodes with phones in turn:
//
//   npm run hunt -- --minutes 10 [--from SEED] [--seeds COUNT] [--level peers|nodes|both]

import { parseArgs } from "node:util"
import { openSslHashes } from "../src/sim/hashes.ts"
import { generate } from "../src/sim/hunt/generate.ts"
import { shrink } from "../src/sim/hunt/shrink.ts"
import { entryOf, play } from "../src/sim/hunt/tell.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    from: { type: "string", default: String(Date.now() % 1_000_000_000) },
    seeds: { type: "string", default: "Infinity" },
    level: { type: "string", default: "both" },
  },
})
const end = Date.now() + 60_000 * Number(values.minutes)
/** A failing story is made smaller for so long at most. */
const SHRINKING = 180_000

if (!["peers", "nodes", "both"].includes(values.level)) {
  console.error(`--level ${values.level} has to be peers, nodes or both`)
  process.exit(2)
}
const first = Number(values.from)
let played = 0
let failed = 0
for (let seed = first; Date.now() < end && played < Number(values.seeds); seed++) {
  const isOfNodes = values.level === "nodes" || (values.level === "both" && seed % 2 === 0)
  const story = isOfNodes ? generate(seed, "nodes") : generate(seed)
  const complaint = play(story, openSslHashes)
  played++
  if (complaint === undefined) continue
  failed++
  console.log(
    `\nseed ${seed}, ${story.peers} ${story.level ?? "peers"}, ${story.steps.length} steps: ${complaint}`,
  )
  const until = Date.now() + SHRINKING
  const kind = kindOf(complaint)
  const smallest = shrink(
    story,
    (each) => kindOf(play(each, openSslHashes) ?? "") === kind,
    () => Date.now() < until,
  )
  console.log(`the smallest story that goes wrong so, for the table in test/scenario/found.test.ts:\n`)
  console.log(entryOf(play(smallest, openSslHashes) ?? "", smallest))
}
console.log(`${played} stories from seed ${first} on, ${failed} went wrong`)
process.exitCode = failed === 0 ? 0 : 1

/** Complaints are the same but for names and numbers: what is made smaller stays the same fault. */
function kindOf(complaint: string): string {
  return complaint
    .replaceAll(/[0-9a-f]{6,}|\d+/g, "#")
    .replace(/^step # \(.*?\): /, "")
    .replaceAll(/ w#| nothing/g, " @")
    .slice(0, 60)
}
