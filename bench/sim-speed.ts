// `npm run bench:sim`: how fast the invented world is, at each of its levels, in one process: events of a second of its own time,
// and bytes of memory each inhabitant takes. Whole nodes and overlay peers stand still, and probe each other; lean peers come
// and go.
//
//   npm run bench:sim -- [--nodes 16] [--peers 64] [--lean 10000] [--seconds 10]

import { parseArgs } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { type Duration, seconds } from "../src/core/kit/time.ts"
import { openSslHashes } from "../src/sim/hashes.ts"
import { simulate } from "../src/sim/lean/simulate.ts"
import { PeerWorld } from "../src/sim/peers/peer-world.ts"
import type { Scene } from "../src/sim/scene.ts"
import { World } from "../src/sim/world.ts"
import { wholeNumber } from "./whole-number.ts"

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "16" },
    peers: { type: "string", default: "64" },
    lean: { type: "string", default: "10000" },
    seconds: { type: "string", default: "10" },
  },
})

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

function memory(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** A scene of machines that has come to rest: what a while of it costs. */
function rest(what: string, count: number, make: () => Scene): void {
  const before = memory()
  const scene = make()
  scene.run(SETTLING)
  const bytes = (memory() - before) / count
  const [events, begun] = [scene.happened, performance.now()]
  scene.run(seconds(wholeNumber(values, "seconds")))
  report(what, count, scene.happened - events, performance.now() - begun, bytes)
}

const SETTLING: Duration = seconds(20)

function lean(count: number): void {
  const options = { peers: count, seed: 1, lookups: 1_000, latency: "sites", minutes: 1 } as const
  const run = simulate({ ...options, churn: undefined, crashShare: 0.5, fault: undefined })
  for (;;) {
    const next = run.next()
    if (!next.done) continue
    const { eventsPerSecond, events, bytesPerPeer } = next.value
    return report("lean peers", count, events, (1_000 * events) / eventsPerSecond, bytesPerPeer)
  }
}

function report(what: string, count: number, events: number, took: number, bytes: number): void {
  const rate = Math.round((1_000 * events) / took)
  console.log(
    `${what.padEnd(14)} ${String(count).padStart(7)}  ${String(rate).padStart(8)} events/s  ${String(Math.round(bytes)).padStart(9)} bytes each`,
  )
}

// First, since it counts all memory that the process has.
lean(wholeNumber(values, "lean"))
rest(
  "whole nodes",
  wholeNumber(values, "nodes"),
  () => new World(1, { nodes: wholeNumber(values, "nodes") }, openSslHashes),
)
rest(
  "overlay peers",
  wholeNumber(values, "peers"),
  () => new PeerWorld(1, { peers: wholeNumber(values, "peers") }, openSslHashes),
)
