import { hash } from "node:crypto"
import { indexShardOf } from "../../core/usage/subscriber-index.ts"
import { splitUserName } from "../control/user-name.ts"
import type { UserLine } from "./user-file.ts"

/**
 * The users, with those next to each other whose names stand in one shard of the fabric's index. A batch
 * of them writes few shards, each once: 10,000 users take about 1,100 writes of the index instead of 9,000.
 */
export function inOrderOfIndex(users: readonly UserLine[], domain: string): readonly UserLine[] {
  const placed = users.map((line) => ({ line, shard: shardOf(`${splitUserName(line.name).user}@${domain}`) }))
  return placed.sort((a, b) => a.shard - b.shard).map(({ line }) => line)
}

const shardOf = (name: string) => indexShardOf({ sha256: (bytes) => hash("sha256", bytes, "buffer") }, name)
