import assert from "node:assert/strict"
import { test } from "node:test"
import { openSslHashes } from "../../../../test/support/hashes.ts"
import { SeededRandom } from "../../kit/random.ts"
import { type Instant, NEVER } from "../../kit/time.ts"
import { NONCE_LENGTH, Nonces } from "./nonce.ts"

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
  const [first, second] = [table.issue(at(0)), table.issue(at(0))]
  const counts = [1, 1, 3, 2, 4].map((count, index) => table.use(first, count, at(index)))
  assert.deepEqual(counts, [true, false, true, false, true])
  table.use(second, 1, at(301))
  assert.equal(table.use(first, 4, at(302)), false, "remembered as long as it may come back")
  assert.equal(table.use(second, 0xffff_ffff, at(303)), true)
  assert.equal(table.use(second, 0xffff_ffff, at(304)), false)
})

test("a nonce is judged and used in the midst of a message as it is alone", () => {
  const table = nonces(1)
  const message = new Uint8Array(100).fill(0x2d)
  table.issueBytes(message, 7, at(0))
  const text = Buffer.from(message.subarray(7, 7 + NONCE_LENGTH)).toString("latin1")
  assert.equal(nonces(2).judge(text, at(1)), "fresh")
  assert.equal(table.judgeBytes(message, 7, 7 + NONCE_LENGTH, at(301)), "expired")
  assert.equal(table.judgeBytes(message, 7, 7 + NONCE_LENGTH, at(1)), "fresh")
  assert.equal(table.isUsed(1), false)
  assert.equal(table.useJudged(1, at(1)), true)
  assert.equal(table.use(text, 1, at(1)), false)
  for (const [start, end] of [
    [7, 6 + NONCE_LENGTH],
    [8, 8 + NONCE_LENGTH],
  ] as const)
    assert.equal(table.judgeBytes(message, start, end, at(1)), "forged")
})

test("thousands of nonces are told apart", () => {
  const table = nonces(1)
  const all = Array.from({ length: 5_000 }, () => table.issue(at(0)))
  for (const [index, nonce] of all.entries()) assert.ok(table.use(nonce, 1 + index, at(0)))
  for (const [index, nonce] of all.entries()) {
    assert.equal(table.judge(nonce, at(0)), "fresh")
    assert.equal(table.isUsed(1 + index), true)
    assert.equal(table.isUsed(2 + index), false)
  }
})

test("the count of a nonce is known to the end of its life, and forgotten soon after, though nobody uses another", () => {
  const table = nonces(1)
  assert.equal(table.deadline, NEVER)
  const nonce = table.issue(at(0))
  assert.ok(table.use(nonce, 1, at(0)))
  for (const now of [at(0), at(299), at(300)]) table.expire(now)
  assert.ok(table.judge(nonce, at(300)) === "fresh" && !table.use(nonce, 1, at(300)))
  let last = at(0)
  for (; table.deadline !== NEVER; table.expire(last)) last = table.deadline
  assert.ok(last > at(300) && last < at(604), `${last}`)
})
