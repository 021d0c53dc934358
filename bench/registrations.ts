// `npm run registrations`: fills one whole node with registrations, in one process, and prints what each takes: time of the processor, and
// memory without garbage. Network, disk and clock are invented, so that nothing waits; the code is the node's, but for
// signatures, which are invented too and as long as real ones.
//
//   npm run registrations -- [--registrations 100000] [--refreshes 100000]

import { parseArgs } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { FilledNode } from "./speed/filled-node.ts"
import { wholeNumber } from "./whole-number.ts"

const { values } = parseArgs({
  options: {
    registrations: { type: "string", default: "100000" },
    refreshes: { type: "string", default: "100000" },
  },
})
const count = wholeNumber(values, "registrations")
const refreshes = wholeNumber(values, "refreshes")

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

interface Measured {
  readonly heap: number
  readonly buffers: number
  readonly resident: number
}

function measured(): Measured {
  // What is freed beside the heap is freed after a collection.
  for (let i = 0; i < 3; i++) collect()
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage()
  return { heap: heapUsed, buffers: arrayBuffers, resident: rss }
}

function took(work: () => void, operations: number): string {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return ((user + system) / operations).toFixed(1)
}

const each = (after: Measured, before: Measured): string => {
  const of = (what: keyof Measured) => String(Math.round((after[what] - before[what]) / count))
  return `${of("heap")} | ${of("buffers")} | ${of("resident")}`
}

const node = new FilledNode(count)
console.log(
  "| | µs of processor time each | bytes each: V8's heap | buffers | resident |\n|---|---|---|---|---|",
)
const empty = measured()
const users = took(() => node.addUsers(count), count)
const known = measured()
console.log(`| ${count} users | ${users} | ${each(known, empty)} |`)
const registering = took(() => node.registerAll(count), count)
node.rest()
const filled = measured()
console.log(`| their registrations | ${registering} | ${each(filled, known)} |`)
const refreshing = took(() => node.refresh(refreshes), refreshes)
node.rest()
console.log(`| ${refreshes} refreshes | ${refreshing} | ${each(measured(), filled)} |`)
console.log(
  `\n${node.registrations} registrations; in all a phone takes, heap and buffers | ${each(filled, empty)}`,
)
