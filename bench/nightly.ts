// `npm run nightly`: tells every story of test/scenario for many seeds and in full size, as many at once as there are
// processors, and prints how many seeds of each passed and which failed, with what was counted on the way. A seed that fails
// is told how to be told again, and kept in its story's file. What is stopped, by --minutes or Ctrl-C, prints what it has told,
// and where to go on.
//
//   npm run nightly -- [--seeds 1000] [--from 1] [--only crashes,power] [--story "quarter of a ring"] [--minutes 60] [--jobs 2]
//     [--peers 64]
//
// --peers: of how many peers the stories are told that are about a ring of peers without SIP.

import { spawn } from "node:child_process"
import { globSync, readFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { basename } from "node:path"
import { parseArgs } from "node:util"

/** Fewer peers are no ring in which a quarter, a half or a site can die. */
const LEAST_PEERS = 12

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    only: { type: "string" },
    story: { type: "string" },
    minutes: { type: "string", default: "Infinity" },
    jobs: { type: "string", default: String(availableParallelism()) },
    peers: { type: "string", default: "64" },
  },
})
const seeds = Number(values.seeds)
const first = Number(values.from)
const jobs = Number(values.jobs)
const minutes = Number(values.minutes)
const only = values.only?.split(",")
const nameOf = (file: string) => basename(file, ".test.ts")
const files = globSync("test/scenario/*.test.ts")
  .filter((file) => readFileSync(file, "utf8").includes("/sim/scenario.ts"))
  .filter((file) => only === undefined || only.includes(nameOf(file)))
  .sort()
const isCount = (number: number) => Number.isInteger(number) && number >= 1
const arePeers = isCount(Number(values.peers)) && Number(values.peers) >= LEAST_PEERS
if (![seeds, first, jobs].every(isCount) || !arePeers || !(minutes > 0) || files.length === 0) {
  const counts = `--seeds ${values.seeds}, --from ${values.from} and --jobs ${values.jobs} have to be whole numbers from 1`
  const given = `${counts}, --peers ${values.peers} one from ${LEAST_PEERS}`
  console.error(
    `${given}, --minutes ${values.minutes} a number above 0, --only ${values.only} names of test/scenario without .test.ts`,
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

/** Those whose process ended before all was told. */
const broken: Piece[] = []

/** Each piece has one processor: it collects its garbage on that one, and seldom, which spares a tenth of its time. */
const ONE_PROCESSOR = ["--single-threaded-gc", "--min-semi-space-size=64", "--max-semi-space-size=64"]

/** A file with so many of its seeds is one process: short enough to be waited for, long enough to be worth its beginning. */
const SEEDS_IN_PIECE = 10

/** How many stories it told. */
function tell({ file, from, to }: Piece): Promise<number> {
  const pattern = values.story === undefined ? [] : [`--test-name-pattern=${values.story}`]
  const child = spawn(
    process.execPath,
    [...ONE_PROCESSOR, "--test", "--test-reporter=tap", ...pattern, file],
    {
      env: { ...process.env, SEEDS: `${from}-${to}`, SCALE: "full", PEERS: values.peers },
      stdio: ["ignore", "pipe", "inherit"],
      // Ctrl-C is for us: what has been begun is told to its end.
      detached: true,
    },
  )
  let rest = ""
  const count = { passed: 0, failed: 0 }
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop()!
    for (const line of lines) {
      const end = note(file, line)
      if (end !== undefined) count[end]++
    }
  })
  return new Promise((resolve) =>
    child.on("close", (code) => {
      // It has failed without a story that did: it was killed, or broke off.
      if (code !== 0 && count.failed === 0) broken.push({ file, from, to })
      resolve(count.passed + count.failed)
    }),
  )
}

/** How a story ended, if that line says so. */
function note(file: string, line: string): "passed" | "failed" | undefined {
  const [, figure, number] = /^ *# figure: (.*): (\d+)$/.exec(line) ?? []
  if (figure !== undefined) figures.set(figure, (figures.get(figure) ?? 0) + Number(number))
  const [, failure, title, seed] = /^ *(not )?ok \d+ - (.*) \(seed (\d+)\)$/.exec(line) ?? []
  if (title === undefined) return undefined
  const story = `${nameOf(file)}: ${title}`
  const told = stories.get(story) ?? { passed: 0, failed: [] }
  stories.set(story, told)
  if (failure === undefined) told.passed++
  else {
    told.failed.push(seed!)
    console.error(
      `failed: PEERS=${values.peers} SCALE=full SEED=${seed} node_modules/.bin/node --test ${file}     # ${title}`,
    )
  }
  return failure === undefined ? "passed" : "failed"
}

let isStopped = false

function isTimeOver(): boolean {
  return isStopped || performance.now() > 60_000 * minutes
}

/** All files for some seeds, then for the next: wherever it stops, what was told has no gaps. */
const waiting: Piece[] = []
const last = first + seeds - 1
for (let from = first; from <= last; from += SEEDS_IN_PIECE)
  for (const file of files) waiting.push({ file, from, to: Math.min(last, from + SEEDS_IN_PIECE - 1) })
const told = new Map(files.map((file) => [file, 0]))
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    isStopped = true
    console.error("what has been begun is told to its end")
  })
async function work(): Promise<void> {
  while (!isTimeOver() || (waiting[0] !== undefined && waiting[0].file !== files[0])) {
    const piece = waiting.shift()
    if (piece === undefined) return
    told.set(piece.file, told.get(piece.file)! + (await tell(piece)))
    console.error(`${nameOf(piece.file)}: seeds ${piece.from} to ${piece.to} told`)
  }
}
await Promise.all(Array.from({ length: jobs }, work))

for (const [story, { passed, failed }] of [...stories].sort(([a], [b]) => (a < b ? -1 : 1))) {
  const which = failed.length === 0 ? "" : `     # failed: ${failed.join(", ")}`
  console.log(`${String(passed).padStart(5)} of ${String(passed + failed.length).padEnd(5)} ${story}${which}`)
}
for (const [figure, sum] of figures) console.log(`${String(sum).padStart(5)} ${figure}`)
for (const { file, from, to } of broken)
  console.log(`${nameOf(file)}: broke off: --only ${nameOf(file)} --from ${from} --seeds ${to - from + 1}`)
const next = waiting[0]?.from
if (next !== undefined) console.log(`stopped; the rest: --from ${next} --seeds ${last - next + 1}`)
const untold = files.filter((file) => told.get(file) === 0)
if (values.story === undefined)
  for (const file of untold) console.log(`${file} told no story with a seed, or broke off before`)
const isAllWell =
  stories.size > 0 && broken.length === 0 && [...stories.values()].every(({ failed }) => failed.length === 0)
process.exitCode = isAllWell && (untold.length === 0 || values.story !== undefined) ? 0 : 1
