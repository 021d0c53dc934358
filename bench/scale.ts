// `npm run scale`: what `npm test` shows of the lean population in small, in large: the same tests, with more peers. Each
// prints its result and how long it took; one that fails prints what was wrong.
//
//   npm run scale -- [--only whole,grown,noticing,hash]

import { spawn } from "node:child_process"
import { parseArgs } from "node:util"

interface Trial {
  readonly file: string
  /** A part of the title of the one test that is meant. */
  readonly test: string
  readonly environment: Readonly<Record<string, string>>
}

const TRIALS: Readonly<Record<string, Trial>> = {
  whole: {
    file: "test/scenario/lean-peers.test.ts",
    test: "lean peers have the tables of whole ones",
    environment: { WHOLE_PEERS: "1024" },
  },
  grown: {
    file: "src/sim/lean/lean.test.ts",
    test: "a ring that grew by the protocol",
    environment: { LEAN_GROWN: "10000" },
  },
  noticing: {
    file: "test/scenario/failure-model.test.ts",
    test: "a death is noticed by lean peers",
    environment: { WAVES: "6" },
  },
  hash: {
    file: "test/scenario/same-hash.test.ts",
    test: "lean peers: two processes that play one seed",
    environment: { LEAN_PEERS: "100000" },
  },
}

const { values } = parseArgs({
  options: { only: { type: "string", default: Object.keys(TRIALS).join(",") } },
})
const chosen = values.only.split(",")
const unknown = chosen.find((name) => TRIALS[name] === undefined)
if (unknown !== undefined) {
  console.error(`--only: "${unknown}" is no trial; give some of ${Object.keys(TRIALS).join(",")}`)
  process.exit(2)
}

/** Its closing words: of the one test, or of what was wrong. */
function run({
  file,
  test,
  environment,
}: Trial): Promise<{ readonly passed: boolean; readonly text: string }> {
  const options = ["--test", "--test-reporter=tap", `--test-name-pattern=${test}`]
  const child = spawn(process.execPath, ["--max-old-space-size=8000", ...options, file], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  })
  let text = ""
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    text += piece
  })
  return new Promise((resolve) =>
    child.on("close", (code) => resolve({ passed: code === 0 && /^# pass [1-9]/m.test(text), text })),
  )
}

let failed = 0
for (const name of chosen) {
  const trial = TRIALS[name]!
  const begun = performance.now()
  const { passed, text } = await run(trial)
  const took = `${Math.round((performance.now() - begun) / 1_000)} s`
  const setting = Object.entries(trial.environment).map(([key, value]) => `${key}=${value}`)
  const title = /^ *(?:not )?ok \d+ - (.*)$/m.exec(text)?.[1] ?? trial.test
  console.log(`${passed ? "ok    " : "not ok"} ${name} (${setting}, ${took}): ${title}`)
  for (const [, said] of text.matchAll(/^# ((?:neighbors|others): .*)$/gm)) console.log(`       ${said}`)
  if (passed) continue
  failed++
  console.log(text)
}
process.exitCode = failed === 0 ? 0 : 1
