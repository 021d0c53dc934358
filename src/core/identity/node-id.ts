import { FormatError } from "../kit/errors.ts"
import type { Codec } from "../wire/codec.ts"

/**
 * A place on the ring, 128 bits as 32 hexadecimal digits.
 *
 * Text, not bytes: ids are Map keys and log words all over the node, and bytes only on the wire.
 * Equal length makes the order of the texts the order of the numbers.
 */
export type NodeId = string & { readonly NodeId: unique symbol }

export function parseNodeId(text: string): NodeId {
  if (!/^[0-9a-f]{32}$/.test(text)) throw new FormatError(`"${text}" is not 32 hexadecimal digits`)
  return text as NodeId
}

const LENGTH = 16

export const NodeId: Codec<NodeId> = {
  read: (from) => from.hex(LENGTH) as NodeId,
  write: (id, to) => to.hex(id),
}

/** Whether `id` lies on the way clockwise from `from`, which is left out, to `to`, which is not. */
export function liesWithin(id: NodeId, from: NodeId, to: NodeId): boolean {
  return from < to ? from < id && id <= to : from < id || id <= to
}

/** Orders ids as one meets them on the way clockwise from `origin`. */
export function clockwiseFrom(origin: NodeId): (a: NodeId, b: NodeId) => number {
  return (a, b) => Number(a <= origin) - Number(b <= origin) || (a < b ? -1 : Number(a > b))
}
