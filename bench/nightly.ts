// `npm run nightly`: tells every story of test/scenario for many seeds, as many at once as there are processors, and
// prints how many seeds of each passed. A seed that fails is told how to be told again, and kept in its story's file.
//
//   npm run nightly -- [--seeds 1000] [--only crashes,power]

import { spawn } from "node:child_process"
import { globSync } from "node:fs"
import { availableParallelism } from "node:os"
import { basename } from "node:path"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: { seeds: { type: "string", default: "1000" }, only: { type: "string" } },
})
const seeds = Number(values.seeds)
const only = values.only?.split(",")
const nameOf = (file: string) => basename(file, ".test.ts")
const files = globSync("test/scenario/*.test.ts")
  .filter((file) => only === undefined || only.includes(nameOf(file)))
  .sort()
if (!Number.isInteger(seeds) || seeds < 1 || files.length === 0) {
  console.error(`--seeds needs a whole number from 1, --only names of test/scenario without .test.ts`)
  process.exit(2)
}

interface Told {
  passed: number
  readonly failed: string[]
}

/** By story: its title without the seed. */
const stories = new Map<string, Told>()

/** One file with all its seeds; false where it ended otherwise than by its tests. */
function tell(file: string): Promise<boolean> {
  const child = spawn(process.execPath, ["--test", "--test-reporter=tap", file], {
    env: { ...process.env, SEEDS: String(seeds) },
    stdio: ["ignore", "pipe", "inherit"],
  })
  let rest = ""
  let count = 0
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop()!
    for (const line of lines) if (note(file, line)) count++
  })
  return new Promise((resolve) => child.on("close", () => resolve(count > 0)))
}

function note(file: string, line: string): boolean {
  const [, failure, title, seed] = /^ *(not )?ok \d+ - (.*) \(seed (\d+)\)$/.exec(line) ?? []
  if (title === undefined) return false
  const story = `${nameOf(file)}: ${title}`
  const told = stories.get(story) ?? { passed: 0, failed: [] }
  stories.set(story, told)
  if (failure === undefined) told.passed++
  else {
    told.failed.push(seed!)
    console.error(`failed: SEED=${seed} node_modules/.bin/node --test ${file}     # ${title}`)
  }
  return true
}

const waiting = [...files]
const untold: string[] = []
async function work(): Promise<void> {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift())
    if (!(await tell(file))) untold.push(file)
}
await Promise.all(Array.from({ length: availableParallelism() }, work))

for (const [story, { passed, failed }] of [...stories].sort(([a], [b]) => (a < b ? -1 : 1)))
  console.log(`${String(passed).padStart(5)} of ${String(passed + failed.length).padEnd(5)} ${story}`)
for (const file of untold) console.log(`${file} told no story with a seed`)
const isAllWell = [...stories.values()].every(({ failed }) => failed.length === 0)
process.exitCode = isAllWell && untold.length === 0 ? 0 : 1
