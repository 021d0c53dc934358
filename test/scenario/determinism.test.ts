import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { test } from "node:test"
import { tell } from "../support/told-story.ts"

test("the same seed gives the same run: all that happened has one hash, also in another process", () => {
  const here = [1, 2].map((seed) => tell(seed))
  assert.deepEqual(
    [1, 2].map((seed) => tell(seed)),
    here,
  )
  assert.notEqual(here[0], here[1])
  const source =
    "import { tell } from './test/support/told-story.ts'; process.stdout.write([tell(1), tell(2)].join(' '))"
  const other = spawnSync(process.execPath, ["--input-type=module", "--eval", source], { encoding: "utf8" })
  assert.equal(other.stdout, here.join(" "), other.stderr)
})
