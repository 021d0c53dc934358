import type { Address } from "../../core/kit/address.ts"
import { CarillonError, invariant } from "../../core/kit/errors.ts"
import { parseAddress } from "../../core/kit/parse-address.ts"
import type { StorageChange } from "../../core/storage/change.ts"
import { mergeRecords } from "../enrolment/records-text.ts"
import type { RunningFabric } from "../enrolment/running-fabric.ts"
import type { Backup } from "./backup.ts"
import type { Member } from "./member.ts"

export interface Gathered {
  readonly backup: Backup
  /** Nodes whose records are in it, and those that did not give theirs, by address. */
  readonly nodes: number
  readonly missing: readonly string[]
}

/** All that the fabric needs to rise again, from all nodes that live. Only a node that holds the CA can. */
export async function gatherBackup(
  member: Member,
  fabric: Pick<RunningFabric, "nodes" | "snapshot">,
): Promise<Gathered> {
  const { authority, document, fabricKeys } = member
  invariant(authority !== undefined, "only a node that holds the CA makes a backup")
  const others = fabric.nodes().filter(({ self }) => !self)
  const given: (readonly StorageChange[])[] = [fabric.snapshot()]
  const missing: string[] = []
  // One after the other: each may be large.
  for (const { address } of others) {
    const records = await recordsOf(member, parseAddress(address))
    if (records === undefined) missing.push(address)
    else given.push(records)
  }
  const records = await mergeRecords(given)
  return {
    backup: { secrets: authority.secrets(), document, fabricKeys, records },
    nodes: given.length,
    missing,
  }
}

async function recordsOf(
  member: Member,
  address: Address | undefined,
): Promise<readonly StorageChange[] | undefined> {
  if (address === undefined) return undefined
  try {
    return await member.fetchRecords(address)
  } catch (cause) {
    if (cause instanceof CarillonError) return undefined
    throw cause
  }
}
