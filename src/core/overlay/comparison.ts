import type { NodeId } from "../identity/node-id.ts"
import { toHex } from "../kit/hex.ts"
import type { ResourceId } from "../reload/header.ts"
import type { MetaEntry, StatKindResponse } from "../reload/stored-data.ts"
import { DecodeError } from "../wire/decode-error.ts"
import type { Fabric } from "./fabric.ts"
import type { Requests } from "./requests.ts"
import { metaDataOf, requestFor } from "./values.ts"

/** `unknown`: it did not answer, or our own record changed while it did. */
export type Verdict = "same" | "different" | "unknown"

/**
 * Whether another peer holds the same values of a record as we do, of the Kinds that we hold there. Asked by Stat (RFC 6940 §7.4.3), which answers
 * with a hash of each value: a tenth of what sending the values costs, and no signature of theirs to verify.
 */
export function compare(
  fabric: Fabric,
  requests: Requests,
  resource: ResourceId,
  node: NodeId,
  done: (verdict: Verdict) => void,
): void {
  const kinds = fabric.storage.kindsAt(resource, fabric.now)
  const request = requestFor(
    resource,
    kinds.map((kind) => ({ kind })),
  )
  const held = () => {
    const outcome = fabric.storage.stat(request, fabric.now)
    return outcome.kind === "found" ? digestOf(fabric, outcome.answer.kinds) : undefined
  }
  const before = held()
  requests.ask({
    to: { kind: "node", node },
    body: { kind: "stat-req", ...request },
    done: (reply) => {
      if (reply.kind !== "answered" || reply.received.body.kind !== "stat-ans") return done("unknown")
      const theirs = digestOf(fabric, reply.received.body.kinds)
      if (before === undefined || theirs === undefined || held() !== before) return done("unknown")
      done(theirs === before ? "same" : "different")
    },
  })
}

/** Equal for the same values, whatever is left of their lifetimes; undefined for what cannot be read. */
function digestOf(fabric: Fabric, kinds: readonly StatKindResponse[]): string | undefined {
  try {
    const lines = [...metaDataOf(fabric, kinds)].flatMap(([kind, values]) =>
      values
        .filter(({ storageTime }) => storageTime > 0)
        .map(({ storageTime, entry }) => `${kind} ${slotOf(entry)} ${storageTime} ${toHex(entry.hash)}`),
    )
    return lines.sort().join("\n")
  } catch (problem) {
    if (problem instanceof DecodeError) return undefined
    throw problem
  }
}

const slotOf = (entry: MetaEntry): string =>
  entry.model === "dictionary" ? toHex(entry.key) : entry.model === "array" ? String(entry.index) : ""
