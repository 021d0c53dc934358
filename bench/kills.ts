// `npm run kills`: kills nodes of a real farm of three at random moments while users are written, and prints how many
// of those that were acknowledged are lost. One kill in five takes all nodes at once. With --torn each kill is a loss of
// power: what no fsync had put on disk is lost or garbled before the node starts again. With --full the disk of each
// victim has been full for up to a second when it is killed.
//
//   npm run kills -- [--seed 1] [--kills 200] [--torn] [--full]

import { parseArgs } from "node:util"
import { missing } from "../test/interop/support/programs.ts"
import { noSmallDisks } from "./kills/full-disk.ts"
import { Kills } from "./kills/kills.ts"

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    kills: { type: "string", default: "200" },
    torn: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
  },
})

const numberOf = (option: "seed" | "kills"): number => {
  const number = Number(values[option])
  if (Number.isInteger(number) && number >= 1) return number
  console.error(`--${option}: "${values[option]}" is no whole number of at least 1; give one`)
  process.exit(2)
}

for (const [option, needs] of [
  ["torn", values.torn && missing("strace")],
  ["full", values.full && noSmallDisks()],
] as const)
  if (needs) {
    console.error(`--${option}: ${needs}`)
    process.exit(2)
  }

const kills = new Kills({
  seed: numberOf("seed"),
  kills: numberOf("kills"),
  torn: values.torn,
  full: values.full,
  say: (line) => console.log(line),
})
try {
  const outcome = await kills.run()
  const { acknowledged, unanswered, powerCuts, torn, wanting, lost } = outcome
  console.log(
    `${outcome.kills} kills, ${powerCuts} of them of all nodes at once: ${acknowledged} users acknowledged, ${lost.length} lost; ${unanswered} were refused or got no answer`,
  )
  if (values.torn)
    console.log(
      `${torn.kills} nodes lost power over bytes that no fsync had put on disk: ${torn.bytes} bytes of them were garbled or cut off`,
    )
  if (values.full) console.log(`${wanting} users were refused because a disk was full`)
  if (lost.length > 0) {
    console.log(`lost: ${lost.join(", ")}`)
    process.exitCode = 1
  }
} finally {
  await kills.end()
}
