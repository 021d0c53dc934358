import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { run } from "../program.ts"

let directory: string
before(() => {
  directory = mkdtempSync(join(tmpdir(), "carillon-"))
})
after(() => rmSync(directory, { recursive: true }))

async function sim(args: readonly string[], watch: (remark: string) => void = () => {}) {
  const out: string[] = []
  const err: string[] = []
  const code = await run(args, {
    print: (line) => void out.push(line),
    remark: (line) => {
      err.push(line)
      watch(line)
    },
    interactive: false,
    environment: {},
  })
  return { code, out: out.join("\n"), err: err.join("\n") }
}

test("sim prints a page, or its facts as JSON, and draws a picture", async () => {
  const picture = join(directory, "ring.svg")
  const args = ["sim", "--peers", "64", "--lookups", "50", "--minutes", "1"]
  const { code, out } = await sim(args)
  assert.equal(code, 0)
  assert.match(out, /^hops +mean [\d.]+, p99 \d, max \d; /m)
  const facts = JSON.parse((await sim([...args, "--json", "--svg", picture])).out)
  assert.deepEqual([facts.lookups.total, facts.lookups.wrong], [50, 0])
  for (const figure of [
    facts.hops.mean,
    facts.hops.p99,
    facts.share.maxOverMean,
    facts.eventsPerSecond,
    facts.bytesPerPeer,
  ])
    assert.ok(figure > 0)
  assert.match(readFileSync(picture, "utf8"), /^<svg [\s\S]*<\/svg>\n$/)
  const nowhere = await sim([...args, "--svg", join(directory, "none", "ring.svg")])
  assert.equal(nowhere.code, 1)
  assert.match(nowhere.err, /carillon: --svg: ".*" cannot be written \(ENOENT\); give a file/)
})

test("sim that is stopped tells what came of the time that was played, and counts no look-up that was not put", async () => {
  const args = ["sim", "--peers", "64", "--lookups", "1000", "--minutes", "100", "--churn", "10m", "--json"]
  const { code, out } = await sim(args, (remark) => {
    if (remark === "120 of 200 steps") process.kill(process.pid, "SIGINT")
  })
  assert.equal(code, 0)
  const facts = JSON.parse(out)
  assert.ok(facts.minutes >= 20 && facts.minutes < 100, `${facts.minutes} minutes`)
  assert.ok(
    Math.abs(facts.lookups.total - 10 * facts.minutes) <= 10,
    `${facts.lookups.total} in ${facts.minutes} minutes`,
  )
  assert.deepEqual([facts.lookups.failed, facts.lookups.wrong], [0, 0])
})
