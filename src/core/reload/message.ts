import { briefMemory } from "../kit/brief-memory.ts"
import { toUtf8 } from "../kit/bytes.ts"
import type { Hashes } from "../kit/crypto.ts"
import { toHex } from "../kit/hex.ts"
import { NOTHING } from "../kit/machine.ts"
import {
  boolean,
  type Codec,
  decode,
  decodeViews,
  list,
  opaque,
  struct,
  u16,
  u32,
  type Value,
} from "../wire/codec.ts"
import { Reader } from "../wire/reader.ts"
import { Writer } from "../wire/writer.ts"
import { AttachReqAns } from "./attach.ts"
import { MessageCode } from "./codes.ts"
import {
  Destination,
  FixedHeader,
  type ForwardingHeader,
  ForwardingOption,
  parseResourceId,
  RELO_TOKEN,
  RELOAD_VERSION,
  type ResourceId,
} from "./header.ts"
import {
  AppAttach,
  ChordUpdate,
  ConfigUpdateReq,
  EmptyBody,
  ErrorBody,
  FindAns,
  FindReq,
  JoinAns,
  JoinReq,
  LeaveReq,
  PingAns,
  PingReq,
  ProbeAns,
  ProbeReq,
  RouteQueryAns,
  RouteQueryReq,
} from "./overlay-methods.ts"
import { SecurityBlock } from "./security.ts"
import { FetchAns, FetchReq, StatAns, StatReq, StoreAns, StoreReq } from "./stored-data.ts"

// RFC 6940 §6.3: a message is a forwarding header, contents, and a security block.
// Header and payload are read apart: peers on the way need the header only.

export type MessageName = keyof typeof MessageCode

/** The structure in each message's body. §6.3.3, §14.8. */
const BODIES = {
  "probe-req": ProbeReq,
  "probe-ans": ProbeAns,
  "attach-req": AttachReqAns,
  "attach-ans": AttachReqAns,
  "store-req": StoreReq,
  "store-ans": StoreAns,
  "fetch-req": FetchReq,
  "fetch-ans": FetchAns,
  "find-req": FindReq,
  "find-ans": FindAns,
  "join-req": JoinReq,
  "join-ans": JoinAns,
  "leave-req": LeaveReq,
  "leave-ans": EmptyBody,
  "update-req": ChordUpdate,
  "update-ans": EmptyBody,
  "route-query-req": RouteQueryReq,
  "route-query-ans": RouteQueryAns,
  "ping-req": PingReq,
  "ping-ans": PingAns,
  "stat-req": StatReq,
  "stat-ans": StatAns,
  "app-attach-req": AppAttach,
  "app-attach-ans": AppAttach,
  "config-update-req": ConfigUpdateReq,
  "config-update-ans": EmptyBody,
  error: ErrorBody,
} as const satisfies Readonly<Record<MessageName, Codec<object>>>

type KnownBody = { [N in MessageName]: { readonly kind: N } & Value<(typeof BODIES)[N]> }[MessageName]

/** A method's request or answer. Unknown methods are kept, so that they can be answered with an Error. */
export type MessageBody =
  | KnownBody
  | { readonly kind: "unknown"; readonly code: number; readonly bytes: Uint8Array }

export type MessageExtension = Value<typeof MessageExtension>
export const MessageExtension = struct({ type: u16, critical: boolean, value: opaque(u32) })

/** §6.3.3. */
export interface MessageContents {
  readonly body: MessageBody
  readonly extensions: readonly MessageExtension[]
}

const NAMES = new Map(
  Object.entries(MessageCode).map(([name, code]) => [code as number, name as MessageName]),
)
const Extensions = list(u32, MessageExtension)
/** Its fields are read from it at once. */
const RawBody: Codec<Uint8Array> = { ...opaque(u32), read: (from) => from.view(from.unsigned(4)) }
const RawContents = struct({ code: u16, body: RawBody, extensions: Extensions })

/** Contents, as the signature covers them. */
export const MessageContents: Codec<MessageContents> = {
  read(from) {
    const { code, body, extensions } = RawContents.read(from)
    const name = NAMES.get(code)
    if (name === undefined) return { body: { kind: "unknown", code, bytes: body.slice() }, extensions }
    const read = from.lends ? decodeViews : decode
    return { body: { kind: name, ...read<object>(BODIES[name], body, name) } as KnownBody, extensions }
  },
  write({ body, extensions }, to) {
    if (body.kind === "unknown")
      return RawContents.write({ code: body.code, body: body.bytes, extensions }, to)
    to.unsigned(2, MessageCode[body.kind])
    const start = to.open(4)
    ;(BODIES[body.kind] as Codec<object>).write(body, to)
    to.close(4, start)
    Extensions.write(extensions, to)
  },
}

/** Whether a body asks for an answer: requests have odd codes. §6.3.3. */
export function isRequest(body: MessageBody): boolean {
  return body.kind === "unknown" ? body.code < 0x8000 && body.code % 2 === 1 : body.kind.endsWith("-req")
}

const LAST_FRAGMENT = 0x4000_0000
const ALWAYS_SET = 0x8000_0000

/** One fragment, or a whole message: its header, and the bytes behind it, which are not copied. */
export interface ReadHeader {
  readonly header: ForwardingHeader
  readonly payload: Uint8Array
}

/** Throws DecodeError for what is no message of RELOAD 1.0, or is longer or shorter than it says. §6.3.2. */
export function readHeader(bytes: Uint8Array): ReadHeader {
  const reader = new Reader(bytes, "ForwardingHeader")
  const fixed = FixedHeader.read(reader)
  if (fixed.token !== RELO_TOKEN) throw reader.fail("is not RELOAD")
  if (fixed.version !== RELOAD_VERSION) throw reader.fail(`version ${fixed.version} is not 10, which is 1.0`)
  if (fixed.fragment < ALWAYS_SET) throw reader.fail("the fragment field lacks its high bit")
  if (fixed.length !== bytes.length) throw reader.fail(`says ${fixed.length} bytes and has ${bytes.length}`)
  const via = readAll(reader, fixed.viaLength, Destination, ".via")
  const destination = readAll(reader, fixed.destinationLength, Destination, ".destination")
  const options = readAll(reader, fixed.optionsLength, ForwardingOption, ".options")
  const { overlay, configurationSequence, ttl, transaction, maxResponseLength } = fixed
  const fragment = { last: (fixed.fragment & LAST_FRAGMENT) !== 0, offset: fixed.fragment & 0xff_ffff }
  return {
    header: {
      overlay,
      configurationSequence,
      ttl,
      fragment,
      transaction,
      maxResponseLength,
      via,
      destination,
      options,
    },
    payload: bytes.subarray(bytes.length - reader.remaining),
  }
}

function readAll<T>(reader: Reader, length: number, element: Codec<T>, name: string): readonly T[] {
  if (length === 0) return NOTHING
  reader.enter(name)
  const elements: T[] = []
  const outerEnd = reader.open(length)
  while (reader.remaining > 0) elements.push(element.read(reader))
  reader.close(outerEnd)
  reader.leave()
  return elements
}

/**
 * The bytes of a message, or of the fragment that the header speaks of, behind so many free ones. Works out the lengths.
 * In brief memory: who keeps them for long makes a copy.
 */
export function writeMessage(header: ForwardingHeader, payload: Uint8Array, free = 0): Uint8Array {
  const writer = new Writer()
  writeHeader(header, payload.length, writer)
  const bytes = briefMemory(free + writer.length + payload.length)
  bytes.set(writer.written(0), free)
  bytes.set(payload, free + writer.length)
  writer.discard()
  return bytes
}

/** Where the lengths stand in a fixed header, that of all behind the one of the message. */
const LENGTH_AT = 16
const LENGTHS_OF_LISTS_AT = 32

function writeHeader(header: ForwardingHeader, payloadLength: number, to: Writer): void {
  FixedHeader.write(
    {
      token: RELO_TOKEN,
      overlay: header.overlay,
      configurationSequence: header.configurationSequence,
      version: RELOAD_VERSION,
      ttl: header.ttl,
      fragment: ALWAYS_SET + (header.fragment.last ? LAST_FRAGMENT : 0) + header.fragment.offset,
      length: 0,
      transaction: header.transaction,
      maxResponseLength: header.maxResponseLength,
      viaLength: 0,
      destinationLength: 0,
      optionsLength: 0,
    },
    to,
  )
  to.put(LENGTHS_OF_LISTS_AT, 2, writeAll(header.via, Destination, to))
  to.put(LENGTHS_OF_LISTS_AT + 2, 2, writeAll(header.destination, Destination, to))
  to.put(LENGTHS_OF_LISTS_AT + 4, 2, writeAll(header.options, ForwardingOption, to))
  to.put(LENGTH_AT, 4, to.length + payloadLength)
}

/** How many bytes they are. */
function writeAll<T>(elements: readonly T[], element: Codec<T>, to: Writer): number {
  const start = to.length
  for (const each of elements) element.write(each, to)
  return to.length - start
}

/** What only the destination reads. */
export interface ReadPayload {
  readonly contents: MessageContents
  /** As they came, since the signature covers them so. */
  readonly contentsBytes: Uint8Array
  readonly security: SecurityBlock
}

/**
 * Throws DecodeError. `payload` is that of a whole message: fragments are put together first. Fields of more than 64 bytes
 * are views on it: who keeps one for long makes a copy.
 */
export function readPayload(payload: Uint8Array): ReadPayload {
  const reader = new Reader(payload, "Message", true)
  reader.enter(".contents")
  const contents = MessageContents.read(reader)
  reader.leave()
  const contentsBytes = payload.subarray(0, payload.length - reader.remaining)
  reader.enter(".security")
  const outerEnd = reader.open(reader.remaining)
  const security = SecurityBlock.read(reader)
  reader.close(outerEnd)
  return { contents, contentsBytes, security }
}

/** What a header's `overlay` holds: the low 32 bits of the SHA-1 of the overlay's name. §6.3.2. */
export function overlayHash(hashes: Hashes, name: string): number {
  const hash = hashes.sha1(toUtf8(name))
  return hash.subarray(-4).reduce((number, byte) => number * 256 + byte, 0)
}

/** CHORD-RELOAD: the first 128 bits of the SHA-1 of a Resource Name. A Node-ID is named by its 16 bytes. §10.2. */
export function resourceIdOf(hashes: Hashes, name: string | Uint8Array): ResourceId {
  const bytes = typeof name === "string" ? toUtf8(name) : name
  return parseResourceId(toHex(hashes.sha1(bytes).subarray(0, 16)))
}
