import type { NodeId } from "../../core/identity/node-id.ts"
import { concat, randomBytes } from "../../core/kit/bytes.ts"
import { toHex } from "../../core/kit/hex.ts"
import type { Random } from "../../core/kit/random.ts"
import { MessageCode } from "../../core/reload/codes.ts"
import type { Destination, ForwardingHeader, ResourceId } from "../../core/reload/header.ts"
import { readHeader, writeMessage } from "../../core/reload/message.ts"
import type { Liar, PeerHost } from "./peer-host.ts"

/**
 * What a peer does to messages that it should pass on: nothing comes of them; they go anywhere; a byte of them is another; they
 * go twice; or it answers requests itself, as if what they ask for were its own. What is its own it does as it should.
 */
export const LIES = ["drop", "misroute", "forge", "replay", "usurp"] as const
export type Lie = (typeof LIES)[number]

/** Data frames of RFC 6940 §6.6.2: type, sequence, length, message. */
const DATA = 0x80
const FRAME_HEADER = 8

export function liarThat(lie: Lie, random: Random): Liar {
  return (peer, bytes) => {
    if (bytes[0] !== DATA) return [bytes]
    const { header, payload } = readHeader(bytes.subarray(FRAME_HEADER))
    const target = targetBeyond(peer, header.destination)
    if (target === undefined) return [bytes]
    const changed = (changes: Partial<ForwardingHeader>, body = payload) =>
      reframed(bytes, writeMessage({ ...header, ...changes }, body))
    switch (lie) {
      case "drop":
        // Of another overlay, it is acknowledged, and no more.
        return [changed({ overlay: ~header.overlay >>> 0 })]
      case "misroute":
        return [changed({ destination: [anywhere(target, random)] })]
      case "forge": {
        const body = payload.slice()
        body[body.length >> 1]! ^= 1
        return [changed({}, body)]
      }
      case "replay":
        return [bytes, bytes]
      case "usurp":
        return isRequest(payload)
          ? [changed({ destination: [{ kind: "node", node: peer.nodeId }] })]
          : [bytes]
    }
  }
}

/** Where the message goes on to; undefined where it is for this peer. */
function targetBeyond(peer: PeerHost, destination: readonly Destination[]): Destination | undefined {
  const next = destination.find((each) => each.kind !== "node" || each.node !== peer.nodeId)
  if (next?.kind === "resource" && peer.overlay.nextHop(next.resource) === undefined) return undefined
  return next
}

function anywhere({ kind }: Destination, random: Random): Destination {
  const id = toHex(randomBytes(random, 16))
  return kind === "node" ? { kind, node: id as NodeId } : { kind: "resource", resource: id as ResourceId }
}

/** Codes of requests are odd; so is that of an Error, which is an answer. */
function isRequest(payload: Uint8Array): boolean {
  const code = (payload[0]! << 8) | payload[1]!
  return code % 2 === 1 && code !== MessageCode.error
}

function reframed(frame: Uint8Array, message: Uint8Array): Uint8Array {
  const head = frame.slice(0, FRAME_HEADER)
  new DataView(head.buffer).setUint32(4, (frame[4]! << 24) | message.length)
  return concat(head, message)
}
