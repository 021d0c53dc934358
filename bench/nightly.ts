// `npm run nightly`: tells every story of test/scenario for many seeds and in full size, as many at once as there are
// processors, and prints how many seeds of each passed, with what was counted on the way. A seed that fails is told how to
// be told again, and kept in its story's file.
//
//   npm run nightly -- [--seeds 1000] [--from 1] [--only crashes,power] [--story "quarter of a ring"]

import { spawn } from "node:child_process"
import { globSync, readFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { basename } from "node:path"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    only: { type: "string" },
    story: { type: "string" },
  },
})
const seeds = Number(values.seeds)
const first = Number(values.from)
const only = values.only?.split(",")
const nameOf = (file: string) => basename(file, ".test.ts")
const files = globSync("test/scenario/*.test.ts")
  .filter((file) => readFileSync(file, "utf8").includes("/sim/scenario.ts"))
  .filter((file) => only === undefined || only.includes(nameOf(file)))
  .sort()
if (!Number.isInteger(seeds) || seeds < 1 || !Number.isInteger(first) || first < 1 || files.length === 0) {
  console.error(
    `--seeds ${values.seeds} and --from ${values.from} have to be whole numbers from 1, --only ${values.only} names of test/scenario without .test.ts`,
  )
  process.exit(2)
}

interface Told {
  passed: number
  readonly failed: string[]
}

/** By story: its title without the seed. */
const stories = new Map<string, Told>()

/** What stories have counted, by its name. */
const figures = new Map<string, number>()

interface Piece {
  readonly file: string
  readonly from: number
  readonly to: number
}

/** A file with so many of its seeds is one process: short enough for all processors to be busy until the end. */
const SEEDS_IN_PIECE = 20

/** How many stories it told. */
function tell({ file, from, to }: Piece): Promise<number> {
  const pattern = values.story === undefined ? [] : [`--test-name-pattern=${values.story}`]
  const child = spawn(process.execPath, ["--test", "--test-reporter=tap", ...pattern, file], {
    env: { ...process.env, SEEDS: `${from}-${to}`, SCALE: "full" },
    stdio: ["ignore", "pipe", "inherit"],
  })
  let rest = ""
  let count = 0
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop()!
    for (const line of lines) if (note(file, line)) count++
  })
  return new Promise((resolve) => child.on("close", () => resolve(count)))
}

function note(file: string, line: string): boolean {
  const [, figure, number] = /^ *# figure: (.*): (\d+)$/.exec(line) ?? []
  if (figure !== undefined) figures.set(figure, (figures.get(figure) ?? 0) + Number(number))
  const [, failure, title, seed] = /^ *(not )?ok \d+ - (.*) \(seed (\d+)\)$/.exec(line) ?? []
  if (title === undefined) return false
  const story = `${nameOf(file)}: ${title}`
  const told = stories.get(story) ?? { passed: 0, failed: [] }
  stories.set(story, told)
  if (failure === undefined) told.passed++
  else {
    told.failed.push(seed!)
    console.error(`failed: SCALE=full SEED=${seed} node_modules/.bin/node --test ${file}     # ${title}`)
  }
  return true
}

const waiting: Piece[] = []
const last = first + seeds - 1
for (let from = first; from <= last; from += SEEDS_IN_PIECE)
  for (const file of files) waiting.push({ file, from, to: Math.min(last, from + SEEDS_IN_PIECE - 1) })
const told = new Map(files.map((file) => [file, 0]))
async function work(): Promise<void> {
  for (let piece = waiting.shift(); piece !== undefined; piece = waiting.shift())
    told.set(piece.file, told.get(piece.file)! + (await tell(piece)))
}
await Promise.all(Array.from({ length: availableParallelism() }, work))

for (const [story, { passed, failed }] of [...stories].sort(([a], [b]) => (a < b ? -1 : 1)))
  console.log(`${String(passed).padStart(5)} of ${String(passed + failed.length).padEnd(5)} ${story}`)
for (const [figure, sum] of figures) console.log(`${String(sum).padStart(5)} ${figure}`)
const untold = files.filter((file) => told.get(file) === 0)
if (values.story === undefined)
  for (const file of untold) console.log(`${file} told no story with a seed, or broke off before`)
const isAllWell = stories.size > 0 && [...stories.values()].every(({ failed }) => failed.length === 0)
process.exitCode = isAllWell && (untold.length === 0 || values.story !== undefined) ? 0 : 1
