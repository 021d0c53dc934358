import assert from "node:assert/strict"
import { test } from "node:test"
import { openSslHashes } from "../../../test/support/hashes.ts"
import { INDEX_ENTRY, INDEX_SHARDS, indexShardName, indexShardOf } from "./subscriber-index.ts"

test("a name stands in the shard that the first ten bits of docs/kinds.md say", () => {
  // SHA-256 of the name begins with 7a64, and 7a64 modulo 1024 is 264 in hexadecimal.
  assert.equal(indexShardOf(openSslHashes, "alice@example.org"), 0x264)
  assert.equal(indexShardName(0x264), "carillon-subscriber-index/612")
  assert.deepEqual(INDEX_ENTRY, Uint8Array.of(1))
})

test("names are spread over all shards, none much fuller than another", () => {
  const counts = new Array<number>(INDEX_SHARDS).fill(0)
  for (let i = 0; i < 20 * INDEX_SHARDS; i++) counts[indexShardOf(openSslHashes, `user${i}@example.org`)]!++
  assert.ok(Math.min(...counts) > 0)
  assert.ok(Math.max(...counts) < 50)
})
