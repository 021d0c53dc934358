import { NodeId } from "../identity/node-id.ts"
import { FormatError } from "../kit/errors.ts"
import { type Codec, opaque, struct, u8, u16, u32, type Value } from "../wire/codec.ts"
import type { Reader } from "../wire/reader.ts"
import type { Writer } from "../wire/writer.ts"

// RFC 6940 §6.3.2: the forwarding header, and what it is made of.

/** The bytes of a Resource-ID as hexadecimal text; with CHORD-RELOAD 32 digits. RFC 6940 §6.3.1.1. */
export type ResourceId = string & { readonly ResourceId: unique symbol }

export function parseResourceId(text: string): ResourceId {
  if (!/^([0-9a-f]{2}){1,254}$/.test(text))
    throw new FormatError(`"${text}" is not a Resource-ID in hexadecimal digits`)
  return text as ResourceId
}

const LONGEST_RESOURCE_ID = 254

export const ResourceId: Codec<ResourceId> = {
  read(from) {
    const length = from.unsigned(1)
    const digits = from.hex(length)
    if (length === 0 || length > LONGEST_RESOURCE_ID)
      throw from.fail(`a Resource-ID has 1 to ${LONGEST_RESOURCE_ID} bytes, not ${length}`)
    return digits as ResourceId
  },
  write(id, to) {
    to.unsigned(1, id.length >> 1)
    to.hex(id)
  },
}

/** Where a message is to go, or came through. RFC 6940 §6.3.2.2. */
export type Destination =
  | { readonly kind: "node"; readonly node: NodeId }
  | { readonly kind: "resource"; readonly resource: ResourceId }
  | { readonly kind: "opaque-id"; readonly id: Uint8Array }
  /** The 16-bit form, whose top bit is 1. */
  | { readonly kind: "short-id"; readonly id: number }

const NODE = 1
const RESOURCE = 2
const OPAQUE_ID = 3
const OpaqueId = opaque(u8)

const short = (from: Reader, high: number): Destination => ({
  kind: "short-id",
  id: ((high & 0x7f) << 8) | from.unsigned(1),
})

export const Destination: Codec<Destination> = {
  read(from) {
    const type = from.unsigned(1)
    if (type >= 0x80) return short(from, type)
    const length = from.unsigned(1)
    switch (type) {
      case NODE:
        return { kind: "node", node: within(from, length, NodeId) }
      case RESOURCE:
        return { kind: "resource", resource: within(from, length, ResourceId) }
      case OPAQUE_ID:
        return { kind: "opaque-id", id: within(from, length, OpaqueId) }
      default:
        throw from.fail(`${type} is no destination type`)
    }
  },
  write(value, to) {
    switch (value.kind) {
      case "short-id":
        return to.unsigned(2, 0x8000 | value.id)
      case "node":
        return writeFramed(NODE, NodeId, value.node, to)
      case "resource":
        return writeFramed(RESOURCE, ResourceId, value.resource, to)
      case "opaque-id":
        return writeFramed(OPAQUE_ID, OpaqueId, value.id, to)
    }
  },
}

function within<T>(from: Reader, length: number, codec: Codec<T>): T {
  const outerEnd = from.open(length)
  const value = codec.read(from)
  from.close(outerEnd)
  return value
}

function writeFramed<T>(type: number, codec: Codec<T>, value: T, to: Writer): void {
  to.unsigned(1, type)
  const start = to.open(1)
  codec.write(value, to)
  to.close(1, start)
}

/** Identifies a request and its response: 64 random bits as 16 hexadecimal digits. */
export type TransactionId = string & { readonly TransactionId: unique symbol }
export const TransactionId: Codec<TransactionId> = {
  read: (from) => from.hex(8) as TransactionId,
  write: (id, to) => to.hex(id),
}

export type ForwardingOption = Value<typeof ForwardingOption>
export const ForwardingOption = struct({ type: u8, flags: u8, value: opaque(u16) })
export const OptionFlag = { forwardCritical: 1, destinationCritical: 2, responseCopy: 4 } as const

export const RELO_TOKEN = 0xd2454c4f
export const RELOAD_VERSION = 0x0a
export const HEADER_LENGTH = 38

/** The fixed 38 bytes. The three lists and the payload follow them. */
export type FixedHeader = Value<typeof FixedHeader>
export const FixedHeader = struct({
  token: u32,
  /** Low 32 bits of the SHA-1 of the overlay's name. */
  overlay: u32,
  configurationSequence: u16,
  version: u8,
  ttl: u8,
  /** Bit 31 always, bit 30 on the last fragment, low 24 bits the offset. §6.7. */
  fragment: u32,
  /** Of the whole message with this header, after fragmentation. */
  length: u32,
  transaction: TransactionId,
  maxResponseLength: u32,
  viaLength: u16,
  destinationLength: u16,
  optionsLength: u16,
})

/** What a forwarding header says, with its lists; the lengths are worked out when it is written. */
export interface ForwardingHeader {
  readonly overlay: number
  readonly configurationSequence: number
  readonly ttl: number
  readonly fragment: { readonly last: boolean; readonly offset: number }
  readonly transaction: TransactionId
  readonly maxResponseLength: number
  readonly via: readonly Destination[]
  readonly destination: readonly Destination[]
  readonly options: readonly ForwardingOption[]
}

/** Of a ConfigUpdate, which is heard whatever the receiver's own sequence is. RFC 6940 §6.3.2.1. */
export const ANY_CONFIGURATION = 65_535

/** Whether the configuration sequence `a` comes before `b`, since they wrap. RFC 6940 §6.3.2.1. */
export const isOlder = (a: number, b: number): boolean => a !== b && ((b - a) & 0xffff) < 0x8000
