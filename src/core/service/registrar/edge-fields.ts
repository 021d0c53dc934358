import { fromHex, toHex } from "../../kit/hex.ts"
import type { Packer, Unpacker } from "../../kit/packed.ts"
import type { Rows } from "../../kit/rows.ts"
import type { Duration, Instant } from "../../kit/time.ts"
import type { Transport } from "../../sip/transport.ts"
import type { Binding } from "../stores.ts"
import type { Held, KnownRefresh, Refresh } from "./edge-record.ts"

// What of a registration stands at fixed places, and a binding as texts and numbers one behind the other.

/** Places in a registration. */
export const HELD = {
  expires: 0,
  keepOpenAt: 8,
  /** When the binding's record forgets it. */
  promised: 16,
  cseq: 24,
  seenCseq: 28,
  uncheckedAt: 32,
  uncheckedGranted: 40,
  flags: 44,
  transport: 45,
  binding: 46,
  near: 48,
  port: 50,
  connection: 52,
  host: 60,
  shapeA: 64,
  shapeB: 68,
  credentialsA: 72,
  credentialsB: 76,
  ha2: 80,
  granted: 96,
  answeredCseq: 100,
  nonceCount: 104,
  branch: 108,
  response: 112,
  answeredAt: 116,
} as const
export const HELD_BYTES = 124
const HA2_BYTES = 16

export const FLAG = {
  unchecked: 1,
  uncheckedKeptOpen: 2,
  known: 4,
  knownKeptOpen: 8,
  outbound: 16,
  /** Its binding is all that counts. */
  sole: 32,
  /** Its binding has a Path. */
  path: 64,
} as const

export const TRANSPORTS: readonly Transport[] = ["UDP", "TCP", "TLS", "WS", "WSS"]

export const times = <T>(length: number, make: () => T): readonly T[] => Array.from({ length }, make)

/** Contact and parameters come first: see `contact`. */
export function writeBinding(packer: Packer, binding: Binding): void {
  const { contact, parameters, q, path, callId, cseq, instance, regId, transport, source, flow } = binding
  packer.text(contact)
  packer.text(parameters)
  packer.count(q)
  packer.text(callId)
  packer.double(cseq)
  packer.byte(TRANSPORTS.indexOf(transport))
  packer.text(source)
  packer.double(binding.expires)
  packer.double(binding.version)
  packer.count(path.length)
  for (const value of path) packer.text(value)
  packer.byte((instance === undefined ? 0 : 1) | (regId === undefined ? 0 : 2) | (flow === undefined ? 0 : 4))
  if (instance !== undefined) packer.text(instance)
  if (regId !== undefined) packer.double(regId)
  if (flow !== undefined) packer.text(flow)
}

export function readBinding(unpacker: Unpacker): Binding {
  const contact = unpacker.text()
  const parameters = unpacker.text()
  const q = unpacker.count()
  const callId = unpacker.text()
  const cseq = unpacker.double()
  const transport = TRANSPORTS[unpacker.byte()]!
  const source = unpacker.text()
  const expires = unpacker.double()
  const version = unpacker.double()
  const path = times(unpacker.count(), () => unpacker.text())
  const has = unpacker.byte()
  const instance = has & 1 ? unpacker.text() : undefined
  const regId = has & 2 ? unpacker.double() : undefined
  const flow = has & 4 ? unpacker.text() : undefined
  return {
    contact,
    parameters,
    q,
    path,
    callId,
    cseq,
    instance,
    regId,
    transport,
    source,
    flow,
    expires,
    version,
  }
}

export function writeRegistration(
  view: DataView,
  bytes: Uint8Array,
  place: number,
  { expires, keepOpenAt, binding, cseq, seenCseq, unchecked, known }: Held,
  soleVersion: number,
): void {
  view.setFloat64(place + HELD.expires, expires)
  view.setFloat64(place + HELD.keepOpenAt, keepOpenAt)
  view.setFloat64(place + HELD.promised, binding.expires)
  view.setUint32(place + HELD.cseq, cseq)
  view.setUint32(place + HELD.seenCseq, seenCseq)
  let flags = (soleVersion === binding.version ? FLAG.sole : 0) | (binding.path.length > 0 ? FLAG.path : 0)
  if (unchecked !== undefined) {
    flags |= FLAG.unchecked | (unchecked.keptOpen ? FLAG.uncheckedKeptOpen : 0)
    view.setFloat64(place + HELD.uncheckedAt, unchecked.at)
    view.setUint32(place + HELD.uncheckedGranted, unchecked.granted)
  }
  if (known !== undefined) {
    const { shape, answered } = known
    flags |= FLAG.known | (known.keptOpen ? FLAG.knownKeptOpen : 0) | (known.outbound ? FLAG.outbound : 0)
    view.setInt32(place + HELD.shapeA, shape.a)
    view.setInt32(place + HELD.shapeB, shape.b)
    view.setInt32(place + HELD.credentialsA, shape.credentialsA)
    view.setInt32(place + HELD.credentialsB, shape.credentialsB)
    bytes.set(fromHex(shape.ha2), place + HELD.ha2)
    view.setUint32(place + HELD.granted, known.granted)
    view.setInt32(place + HELD.answeredCseq, answered.cseq)
    view.setUint32(place + HELD.nonceCount, answered.nonceCount)
    view.setInt32(place + HELD.branch, answered.branch)
    view.setInt32(place + HELD.response, answered.response)
    view.setFloat64(place + HELD.answeredAt, answered.at)
  }
  view.setUint8(place + HELD.flags, flags)
}

export function readRegistration(
  { view, memory }: Rows,
  place: number,
): Omit<Held, "aor" | "identity" | "binding" | "flow"> {
  const flags = view.getUint8(place + HELD.flags)
  const unchecked: Refresh = {
    at: view.getFloat64(place + HELD.uncheckedAt) as Instant,
    granted: view.getUint32(place + HELD.uncheckedGranted) as Duration,
    keptOpen: (flags & FLAG.uncheckedKeptOpen) !== 0,
  }
  const known: KnownRefresh = {
    shape: {
      a: view.getInt32(place + HELD.shapeA),
      b: view.getInt32(place + HELD.shapeB),
      credentialsA: view.getInt32(place + HELD.credentialsA),
      credentialsB: view.getInt32(place + HELD.credentialsB),
      ha2: toHex(memory.subarray(place + HELD.ha2, place + HELD.ha2 + HA2_BYTES)),
    },
    granted: view.getUint32(place + HELD.granted) as Duration,
    keptOpen: (flags & FLAG.knownKeptOpen) !== 0,
    outbound: (flags & FLAG.outbound) !== 0,
    answered: {
      cseq: view.getInt32(place + HELD.answeredCseq),
      nonceCount: view.getUint32(place + HELD.nonceCount),
      branch: view.getInt32(place + HELD.branch),
      response: view.getInt32(place + HELD.response),
      at: view.getFloat64(place + HELD.answeredAt) as Instant,
    },
  }
  return {
    expires: view.getFloat64(place + HELD.expires) as Instant,
    keepOpenAt: view.getFloat64(place + HELD.keepOpenAt) as Instant,
    cseq: view.getUint32(place + HELD.cseq),
    seenCseq: view.getUint32(place + HELD.seenCseq),
    unchecked: flags & FLAG.unchecked ? unchecked : undefined,
    known: flags & FLAG.known ? known : undefined,
  }
}
