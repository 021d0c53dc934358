import { fromHex, toHex } from "../kit/hex.ts"
import { type Codec, encode, text, u8 } from "../wire/codec.ts"

/** The value of Kind NODE-HEALTH. docs/kinds.md. */
export interface NodeHealth {
  /** The writer's Node-ID. */
  readonly node: string
  /** What it runs: `0.1.0`. Nodes of the time before that field say nothing. */
  readonly version: string | undefined
}

const NODE_ID_BYTES = 16
const Version = text(u8)

/** It began as 16 bytes without a length: what follows is read as far as it is known. */
export const NodeHealthValue: Codec<NodeHealth> = {
  read(from) {
    const node = toHex(from.bytes(NODE_ID_BYTES))
    const version = from.remaining === 0 ? undefined : Version.read(from)
    from.bytes(from.remaining)
    return { node, version }
  },
  write({ node, version }, to) {
    to.bytes(fromHex(node))
    if (version !== undefined) Version.write(version, to)
  },
}

/** A value of this Kind has room for so much of a version. */
const VERSION_LENGTH = 40

export const nodeHealthBytes = (node: string, version: string): Uint8Array =>
  encode(NodeHealthValue, { node, version: version.slice(0, VERSION_LENGTH) })
