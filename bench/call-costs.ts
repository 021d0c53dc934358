// `npm run bench:calls`: what each message of a relayed call costs one node in one process, without sockets: microseconds of its thread's
// processor time, the best, the first tenth and the middle of many batches, and bytes allocated.
//
//   npm run bench:calls -- [--pairs 500] [--batches 400] [--batch 64]

import { parseArgs } from "node:util"
import koffi from "koffi"
import { MESSAGES, RelayedCalls, type Watch } from "../test/support/relayed-calls.ts"
import { wholeNumber } from "./whole-number.ts"

const { values } = parseArgs({
  options: {
    pairs: { type: "string", default: "500" },
    batches: { type: "string", default: "400" },
    batch: { type: "string", default: "64" },
  },
})

const clock = koffi.load("libc.so.6").func("int clock_gettime(int clock, _Out_ int64_t *time)")
const CLOCK_THREAD_CPUTIME_ID = 3
const time = new BigInt64Array(2)
/** Of this thread, in microseconds. What Node tells of it is exact to a tick of the kernel only. */
function processorTime(): number {
  clock(CLOCK_THREAD_CPUTIME_ID, time)
  return Number(time[0]!) * 1e6 + Number(time[1]!) / 1e3
}

/** Of the invented clock for each call: 5,000 a second. */
const PACE = 0.2

const [batches, batch] = [wholeNumber(values, "batches"), wholeNumber(values, "batch")]
const calls = new RelayedCalls(wholeNumber(values, "pairs"))
const pause = Math.ceil(batch * PACE)

const unwatched: Watch = (_, __, work) => work()
for (let count = 0; count < batches; count++) calls.run(batch, pause, unwatched)

const columns = [...MESSAGES, "timers"] as const
const times = new Map<string, number[]>(columns.map((what) => [what, []]))
const bytes = new Map<string, number[]>(columns.map((what) => [what, []]))

for (let count = 0; count < batches; count++)
  calls.run(batch, pause, (what, messages, work) => {
    const begun = processorTime()
    work()
    times.get(what)!.push((processorTime() - begun) / messages)
  })
for (let count = 0; count < batches / 4; count++)
  calls.run(batch, pause, (what, messages, work) => {
    const before = process.memoryUsage().heapUsed
    work()
    bytes.get(what)!.push((process.memoryUsage().heapUsed - before) / messages)
  })

const at = (samples: readonly number[], share: number): number =>
  samples.toSorted((a, b) => a - b)[Math.floor(share * (samples.length - 1))]!

const rows = columns.map((what) => {
  const [took, held] = [times.get(what)!, bytes.get(what)!]
  return { what, best: at(took, 0), tenth: at(took, 0.1), median: at(took, 0.5), bytes: at(held, 0.5) }
})
const sum = (of: "best" | "tenth" | "median" | "bytes") => rows.reduce((total, row) => total + row[of], 0)
rows.push({
  what: "a call" as never,
  best: sum("best"),
  tenth: sum("tenth"),
  median: sum("median"),
  bytes: sum("bytes"),
})
console.log("                  best µs   tenth  median    bytes")
for (const { what, best, tenth, median, bytes } of rows) {
  const numbers = [best, tenth, median].map((number) => number.toFixed(1).padStart(8))
  console.log(`${what.padEnd(16)} ${numbers.join("")} ${Math.round(bytes).toString().padStart(8)}`)
}
