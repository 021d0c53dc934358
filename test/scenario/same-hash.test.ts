import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import { test } from "node:test"
import { promisify } from "node:util"

const run = promisify(execFile)

/** What each of two processes prints that run the same program side by side. */
const twice = (...command: readonly string[]): Promise<readonly string[]> =>
  Promise.all([1, 2].map(async () => (await run(process.execPath, command)).stdout.trim()))

test("64 whole nodes with phones: two processes that tell one seed have one hash of all that happened", async () => {
  const [one, other] = await twice("test/support/large-story.ts", "1")
  assert.match(one!, /^[0-9a-f]{64}$/)
  assert.equal(other, one)
})

/** LEAN_PEERS=100000 for more. */
const PEERS = Number(process.env["LEAN_PEERS"] ?? 5_000)

test(`${PEERS} lean peers: two processes that play one seed have one hash of all that happened`, async () => {
  const options = ["--peers", PEERS, "--lookups", 500, "--minutes", 1, "--json"].map(String)
  const [one, other] = (await twice("src/apps/cli/main.ts", "sim", ...options)).map((line) =>
    JSON.parse(line),
  )
  assert.match(one.log, /^[0-9a-f]{64}$/)
  assert.ok(one.events > PEERS, `${one.events} events`)
  assert.deepEqual([other.log, other.events], [one.log, one.events])
})
