import { toUtf8 } from "../kit/bytes.ts"
import type { Hashes } from "../kit/crypto.ts"

// A DHT cannot say what it holds, so the names of all users stand in an index of their own,
// cut into shards that are records like any other. docs/kinds.md.

/**
 * With a signed entry of about 180 bytes, and a shard read in one message of at most 64 KiB, this
 * many shards list about 350,000 users.
 */
export const INDEX_SHARDS = 1_024

/** The Resource Name of a shard. No AOR looks like it, for want of an `@`. */
export const indexShardName = (shard: number): string => `carillon-subscriber-index/${shard}`

export function indexShardOf(hashes: Pick<Hashes, "sha256">, name: string): number {
  const hash = hashes.sha256(toUtf8(name))
  return ((hash[0]! << 8) | hash[1]!) % INDEX_SHARDS
}

/** The value of an entry: nothing yet but a version; the key is the name. */
export const INDEX_ENTRY = Uint8Array.of(1)
