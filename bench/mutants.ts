// `npm run mutants`: plants one bug at a time in a copy of the tree, runs the tests of the fabric's rooms, and prints how many of
// the bugs they caught; the file that is about the bug is tried first, the others where it finds nothing. Exit code 0 only
// where that is all of them.
//
//   npm run mutants -- [--only 3,7]

import { spawn } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { MUTANTS, type Mutant, misplaced, TESTS } from "./mutants/list.ts"

const { values } = parseArgs({ options: { only: { type: "string" } } })
const only = values.only?.split(",").map(Number)
const isChosen = (number: number) => only === undefined || only.includes(number)

/** A test that waits for what will never be is ended. */
const LONGEST = 240_000

const copy = mkdtempSync(join(tmpdir(), "carillon-mutants-"))
process.once("exit", () => rmSync(copy, { recursive: true, force: true }))
for (const each of ["src", "test", "package.json", "tsconfig.json", "tsconfig.base.json"])
  cpSync(each, join(copy, each), { recursive: true })
symlinkSync(resolve("node_modules"), join(copy, "node_modules"))

/** The first test that fails; undefined where all pass. */
function run(tests: readonly string[]): Promise<string | undefined> {
  const options = ["--test", "--test-reporter=tap", "--test-concurrency=2", `--test-timeout=${LONGEST}`]
  const child = spawn(process.execPath, [...options, ...tests], {
    cwd: copy,
    stdio: ["ignore", "pipe", "inherit"],
  })
  let caught: string | undefined
  let text = ""
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    text += piece
    caught ??= /^ *not ok \d+ - (.*)$/m.exec(text)?.[1]
    // One is enough.
    if (caught !== undefined) child.kill()
  })
  return new Promise((done) =>
    child.on("close", (code) => done(caught ?? (code === 0 ? undefined : "the tests did not end well"))),
  )
}

/** Plants it, and answers with what takes it out again. Throws where the line is not there, or not once. */
function plant(mutant: Mutant): () => void {
  const { file, line, instead } = mutant
  const path = join(copy, file)
  const whole = readFileSync(path, "utf8")
  const complaint = misplaced(mutant, whole)
  if (complaint !== undefined) throw new Error(complaint)
  const lines = whole.split("\n").map((each) => (each.trim() === line ? each.replace(line, instead) : each))
  writeFileSync(path, lines.join("\n"))
  return () => writeFileSync(path, whole)
}

const chosen = MUTANTS.filter((_, index) => isChosen(index + 1))
for (const mutant of chosen) plant(mutant)()
const untouched = await run(TESTS)
if (untouched !== undefined) {
  console.error(`without any mutant, this fails: ${untouched}`)
  process.exit(1)
}
let caught = 0
for (const mutant of chosen) {
  const mend = plant(mutant)
  const test = (await run([mutant.near])) ?? (await run(TESTS))
  mend()
  if (test !== undefined) caught++
  console.log(
    `${test === undefined ? "SURVIVES" : "caught  "} ${mutant.bug}${test === undefined ? "" : ` (by: ${test})`}`,
  )
}
console.log(`${caught} of ${chosen.length} caught`)
process.exitCode = caught === chosen.length ? 0 : 1
