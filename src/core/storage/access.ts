import type { Certificate } from "../identity/certificate.ts"
import { hasRole } from "../identity/roles.ts"
import { concat } from "../kit/bytes.ts"
import type { Hashes } from "../kit/crypto.ts"
import { fromHex, toHex } from "../kit/hex.ts"
import type { ResourceId } from "../reload/header.ts"
import { resourceIdOf } from "../reload/message.ts"
import type { StoredValue } from "../reload/stored-data.ts"
import type { KindDefinition } from "./kind.ts"

/** Someone wants to write there; or has signed a request that does. */
export interface WriteAttempt {
  readonly definition: KindDefinition
  readonly resource: ResourceId
  readonly value: StoredValue
  /** Holds exactly one Node-ID. */
  readonly signer: Certificate
}

/**
 * Why the Kind's access policy forbids the write, in one sentence; undefined where it allows it.
 * RFC 6940 §7.3; the CARILLON policies are our own, docs/kinds.md.
 */
export function forbids(hashes: Hashes, attempt: WriteAttempt): string | undefined {
  const { definition, signer } = attempt
  const nodeId = signer.nodeIds[0]
  if (nodeId === undefined) return `${signer.userName} has no Node-ID`
  const allowed = allows(hashes, attempt, fromHex(nodeId))
  return allowed
    ? undefined
    : `${definition.access} does not let ${signer.userName} write this ${definition.name}`
}

function allows(
  hashes: Hashes,
  { definition, resource, value, signer }: WriteAttempt,
  nodeId: Uint8Array,
): boolean {
  const isAt = (name: string | Uint8Array) => resourceIdOf(hashes, name) === resource
  const ownKey = () => value.model === "dictionary" && toHex(value.key) === toHex(nodeId)
  const inRole = () => definition.role !== undefined && hasRole(signer, definition.role)
  switch (definition.access) {
    case "USER-MATCH":
      return isAt(signer.userName)
    case "NODE-MATCH":
      return isAt(nodeId)
    case "USER-NODE-MATCH":
      return ownKey() && isAt(signer.userName)
    case "NODE-MULTIPLE":
      return counters(definition.maxNodeMultiple ?? 0).some((i) => isAt(concat(nodeId, Uint8Array.of(i))))
    case "CARILLON-ROLE-NODE":
      return ownKey() && inRole()
    case "CARILLON-ROLE":
      return inRole()
  }
}

/** 1 to `last`. The RFC leaves open how i is written; one byte, as in TurnServer.iteration. §7.3.4, §9. */
const counters = (last: number): readonly number[] => Array.from({ length: last }, (_, index) => index + 1)
