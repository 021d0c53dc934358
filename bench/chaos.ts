// `npm run chaos`: kills, freezes and starts nodes of a real farm under load, and prints what was lost.
// docs/guide-chaos.md says what each experiment does and how to read the table.
//
//   npm run chaos -- [--seed 1] [--nodes 8] [--users 2000] [--churn 60] [--only freeze,pair,half,power,churn,first]

import { parseArgs } from "node:util"
import { Chaos, TARGETS } from "./chaos/chaos.ts"
import { EXPERIMENTS, isExperiment } from "./chaos/experiments.ts"
import { tableOf } from "./chaos/report.ts"

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    nodes: { type: "string", default: "8" },
    users: { type: "string", default: "2000" },
    churn: { type: "string", default: "60" },
    only: { type: "string" },
  },
})

const numberOf = (option: "seed" | "nodes" | "users" | "churn", least: number): number => {
  const number = Number(values[option])
  if (Number.isInteger(number) && number >= least) return number
  console.error(`--${option}: "${values[option]}" is no whole number of at least ${least}; give one`)
  process.exit(2)
}

const chosen = values.only?.split(",") ?? Object.keys(EXPERIMENTS)
const unknown = chosen.find((name) => !isExperiment(name))
if (unknown !== undefined) {
  const all = Object.keys(EXPERIMENTS).join(",")
  console.error(`--only: there is no experiment "${unknown}"; choose from ${all}`)
  process.exit(2)
}

const chaos = new Chaos({
  seed: numberOf("seed", 0),
  nodes: numberOf("nodes", 4),
  users: numberOf("users", 1),
  churn: numberOf("churn", 1),
  limits: TARGETS,
  say: (line) => console.log(line),
})
try {
  await chaos.settle()
  for (const name of chosen.filter(isExperiment)) {
    chaos.say(`\n--- ${name} ---`)
    await EXPERIMENTS[name](chaos)
  }
} catch (error) {
  // What comes after would find no whole farm.
  console.log(error)
  chaos.verdict("all that was to be done could be done", "no", "yes", false)
} finally {
  console.log(`\n${tableOf(chaos.rows)}`)
  await chaos.end()
}
process.exit(chaos.rows.some(([, , , verdict]) => verdict === "NOT") ? 1 : 0)
