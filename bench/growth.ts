// `npm run growth`: what a ring costs as it grows. Runs `carillon sim --json` for each size, prints the table of
// docs/guide-scale.md and draws docs/growth.svg.
//
//   npm run growth -- [--sizes 100,1000,10000,100000,1000000] [--lookups 10000] [--keep LINES]
//   npm run growth -- --from LINES       draws from lines of JSON that were kept

import { appendFileSync, readFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { drawGrowth, type Facts, growthTable } from "./growth/curves.ts"
import { simulated } from "./growth/simulated.ts"

const { values } = parseArgs({
  options: {
    sizes: { type: "string", default: "100,1000,10000,100000,1000000" },
    lookups: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    from: { type: "string" },
    keep: { type: "string" },
    svg: { type: "string", default: "docs/growth.svg" },
  },
})

async function play(): Promise<readonly Facts[]> {
  const all: Facts[] = []
  for (const size of values.sizes.split(",")) {
    const args = ["--peers", size, "--lookups", values.lookups, "--minutes", "1", "--seed", values.seed]
    const line = await simulated(args)
    if (values.keep !== undefined) appendFileSync(values.keep, `${line}\n`)
    all.push(JSON.parse(line))
    console.error(`${size} peers: done`)
  }
  return all
}

const kept = (file: string): readonly Facts[] =>
  readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))

const facts = (values.from === undefined ? await play() : kept(values.from)).toSorted(
  (a, b) => a.peers - b.peers,
)
for (const line of growthTable(facts)) console.log(line)
writeFileSync(values.svg, drawGrowth(facts))
