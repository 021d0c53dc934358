// `npm run chaos`: kills, freezes and starts nodes of a real farm under load, and prints what was lost.
//
//   npm run chaos -- [--seed 1] [--nodes 8] [--users 2000] [--only pair,half,freeze,power,churn,first]

import { parseArgs } from "node:util"
import { Chaos, EXPERIMENTS, type ExperimentName } from "./chaos/experiments.ts"
import { tableOf } from "./chaos/report.ts"

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    nodes: { type: "string", default: "8" },
    users: { type: "string", default: "2000" },
    only: { type: "string" },
  },
})

const chosen = values.only?.split(",") ?? EXPERIMENTS
const unknown = chosen.find((name) => !EXPERIMENTS.includes(name as ExperimentName))
if (unknown !== undefined) {
  console.error(`--only: there is no experiment "${unknown}"; choose from ${EXPERIMENTS.join(",")}`)
  process.exit(2)
}

const chaos = new Chaos({
  seed: Number(values.seed),
  nodes: Number(values.nodes),
  users: Number(values.users),
  say: (line) => console.log(line),
})
try {
  await chaos.settle()
  for (const name of chosen as ExperimentName[]) await chaos.run(name)
} finally {
  console.log(`\n${tableOf(chaos.rows)}`)
  await chaos.end()
}
process.exit(chaos.rows.some(([, , verdict]) => verdict === "NOT") ? 1 : 0)
