import assert from "node:assert/strict"
import { test } from "node:test"
import { missing, runBeside } from "./support/programs.ts"

const skip = missing("ip", "unshare", "nsenter")

/** Namespaces are for root. Under CI a machine that cannot make them fails the test, and says so. */
const isRoot = process.getuid?.() === 0
const forbidden = isRoot || process.env["CI"] ? false : "network namespaces are for root"

test("two halves of a farm, parted for ten seconds, are one again, and what either removed stays removed", {
  skip: skip || forbidden,
}, async () => {
  const args = ["bench/partition.ts", "--seconds", "10", "--json"]
  const { code, stdout, stderr } = await runBeside(process.execPath, args, { timeout: 300_000 })
  assert.equal(code, 0, stderr + stdout)
  const figures = JSON.parse(stdout)
  assert.ok(figures.changes >= 20, `${figures.changes} changes were made, ${figures.refused} refused`)
  assert.ok(figures.oneRing <= 10, `one ring only after ${figures.oneRing} s`)
  assert.ok(figures.merged <= 30, `every change known only after ${figures.merged} s`)
  assert.equal(figures.resurrected, "nothing")
})
