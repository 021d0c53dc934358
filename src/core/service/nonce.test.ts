import assert from "node:assert/strict"
import { test } from "node:test"
import { openSslHashes } from "../../../test/support/hashes.ts"
import { SeededRandom } from "../kit/random.ts"
import type { Instant } from "../kit/time.ts"
import { Nonces } from "./nonce.ts"

const nonces = (seed: number, key = 1) =>
  new Nonces(openSslHashes, new Uint8Array(32).fill(key), new SeededRandom(seed))
const START = 1_800_000_000_000
const at = (seconds: number) => (START + 1_000 * seconds) as Instant

test("a nonce of one node is judged by every other: fresh for five minutes, then expired", () => {
  const nonce = nonces(1).issue(at(0))
  assert.equal(nonces(2).judge(nonce, at(300)), "fresh")
  assert.equal(nonces(2).judge(nonce, at(301)), "expired")
})

test("a nonce of another fabric, of the future, or changed, is forged", () => {
  const nonce = nonces(1).issue(at(100))
  const changed = nonce.startsWith("A") ? `B${nonce.slice(1)}` : `A${nonce.slice(1)}`
  assert.equal(nonces(1, 2).judge(nonce, at(100)), "forged")
  assert.equal(nonces(1).judge(nonce, at(0)), "forged")
  for (const text of [changed, nonce.slice(4), "", "?", `${nonce}AAAA`])
    assert.equal(nonces(1).judge(text, at(100)), "forged", text)
})

test("the count of a nonce has to rise", () => {
  const table = nonces(1)
  const counts = [1, 1, 3, 2, 4].map((count, index) => table.use("n", count, at(index)))
  assert.deepEqual(counts, [true, false, true, false, true])
  table.use("m", 1, at(301))
  assert.equal(table.use("n", 4, at(302)), false, "remembered as long as it may come back")
})
