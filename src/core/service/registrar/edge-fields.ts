import { fromHex, toHex } from "../../kit/hex.ts"
import { readTime, TIME_BYTES, writeTime } from "../../kit/row-times.ts"
import { after, type Duration, type Instant, NEVER } from "../../kit/time.ts"
import type { Transport } from "../../sip/transport.ts"
import type { Held, KnownRefresh } from "./edge-record.ts"

// What of a registration stands at fixed places: numbers that a refresh reads and changes.

/** Places in a registration. From `shapeA` on only where it has a shape. */
export const HELD = {
  refreshedAt: 0,
  /** When the binding's record forgets it. */
  promised: 6,
  granted: 12,
  cseq: 16,
  seenCseq: 20,
  flags: 24,
  near: 26,
  port: 28,
  binding: 30,
  shapeA: 31,
  shapeB: 35,
  credentials: 39,
  branch: 43,
  proof: 47,
  ha2: 51,
} as const
const SHAPELESS_BYTES = HELD.shapeA
const SHAPED_BYTES = HELD.ha2 + 1
const HA2_BYTES = 16
const CONNECTION_BYTES = 8
/** Nearly all phones of a domain have the same one, but anybody may use what digest-uri he likes: others stand in the row. */
const MOST_HA2S = 254
const HA2_BEHIND = 255

export const FLAG = {
  unchecked: 1,
  keptOpen: 2,
  known: 4,
  outbound: 8,
  /** Its binding is all that counts. */
  sole: 16,
  /** Its binding has a Path. */
  path: 32,
  /** The latest REGISTER was answered without a transaction. */
  answered: 64,
  /** There is room for a shape, whether or not it is known. */
  shape: 128,
  keepOpenAt: 256,
  connection: 512,
  /** It ends at another time than its latest REGISTER was granted. */
  ends: 1_024,
} as const
const TRANSPORT_SHIFT = 12

export const TRANSPORTS: readonly Transport[] = ["UDP", "TCP", "TLS", "WS", "WSS"]

/** What a registration has at its places; the rest of it is its binding and its flow. */
export type HeldNumbers = Omit<Held, "aor" | "identity" | "binding" | "flow">

/** Beside them what its binding and its flow have there. */
export interface HeldPlaces {
  readonly transport: Transport
  readonly connection: number | undefined
  /** A number of the node's own end of the flow, and the port of the other. */
  readonly near: number
  readonly port: number
  /** Which of the bindings of our own entry. */
  readonly binding: number
  readonly promised: Instant
  readonly hasPath: boolean
  readonly isSole: boolean
  /** Of its AOR: a shape will be known in a moment, so that there is room for it, and the row stays where it is. */
  readonly isAlone: boolean
}

/** Registrations at rest, without their texts, each as long as it needs. */
export class EdgeFields {
  /** Few are named by a number. */
  readonly #ha2s: string[] = []

  /** How many bytes one takes. */
  sizeFor(held: HeldNumbers, { connection, isAlone }: HeldPlaces): number {
    const { keepOpenAt, known } = held
    const hasShape = known !== undefined || isAlone
    const isLong = known !== undefined && this.#numberOf(known.shape.ha2) === HA2_BEHIND
    return sizeOf(
      (hasShape ? FLAG.shape : 0) |
        (keepOpenAt !== NEVER ? FLAG.keepOpenAt : 0) |
        (connection !== undefined ? FLAG.connection : 0) |
        (isAsGranted(held) ? 0 : FLAG.ends),
      isLong,
    )
  }

  /** Behind the one at `place`. */
  end(view: DataView, place: number): number {
    const flags = view.getUint16(place + HELD.flags)
    return place + sizeOf(flags, hasLongHa2(view, place, flags))
  }

  write(view: DataView, place: number, held: HeldNumbers, places: HeldPlaces): void {
    const { expires, refreshed, cseq, seenCseq, keepOpenAt, isUnchecked, known } = held
    const { transport, connection, near, port, binding, promised, hasPath, isSole, isAlone } = places
    writeTime(view, place + HELD.refreshedAt, refreshed.at)
    writeTime(view, place + HELD.promised, promised)
    view.setUint32(place + HELD.granted, refreshed.granted)
    view.setUint32(place + HELD.cseq, cseq)
    view.setUint32(place + HELD.seenCseq, seenCseq)
    view.setUint16(place + HELD.near, near)
    view.setUint16(place + HELD.port, port)
    view.setUint8(place + HELD.binding, binding)
    let flags = TRANSPORTS.indexOf(transport) << TRANSPORT_SHIFT
    if (isUnchecked) flags |= FLAG.unchecked
    if (refreshed.keptOpen) flags |= FLAG.keptOpen
    if (isSole) flags |= FLAG.sole
    if (hasPath) flags |= FLAG.path
    if (isAlone) flags |= FLAG.shape
    if (known !== undefined) flags |= this.#writeKnown(view, place, known)
    if (keepOpenAt !== NEVER) flags |= FLAG.keepOpenAt
    if (connection !== undefined) flags |= FLAG.connection
    if (!isAsGranted(held)) flags |= FLAG.ends
    view.setUint16(place + HELD.flags, flags)
    if (flags & FLAG.keepOpenAt) writeTime(view, keepOpenPlace(view, place, flags), keepOpenAt)
    if (connection !== undefined) view.setFloat64(connectionPlace(view, place, flags), connection)
    if (flags & FLAG.ends) writeTime(view, endsPlace(view, place, flags), expires)
  }

  /** It was refreshed at that time: what it was granted begins anew. */
  refresh(view: DataView, place: number, now: Instant): Instant {
    const expires = after(now, view.getUint32(place + HELD.granted) as Duration)
    const flags = view.getUint16(place + HELD.flags)
    writeTime(view, place + HELD.refreshedAt, now)
    if (flags & FLAG.ends) writeTime(view, endsPlace(view, place, flags), expires)
    return expires
  }

  #writeKnown(view: DataView, place: number, { shape, outbound, answered }: KnownRefresh): number {
    const ha2 = this.#numberOf(shape.ha2)
    view.setInt32(place + HELD.shapeA, shape.a)
    view.setInt32(place + HELD.shapeB, shape.b)
    view.setInt32(place + HELD.credentials, shape.credentials)
    view.setInt32(place + HELD.branch, answered?.branch ?? 0)
    view.setInt32(place + HELD.proof, answered?.proof ?? 0)
    view.setUint8(place + HELD.ha2, ha2)
    if (ha2 === HA2_BEHIND)
      for (const [index, byte] of fromHex(shape.ha2).entries())
        view.setUint8(place + SHAPED_BYTES + index, byte)
    const flags = FLAG.shape | FLAG.known | (outbound ? FLAG.outbound : 0)
    return answered === undefined ? flags : flags | FLAG.answered
  }

  read(view: DataView, place: number): HeldNumbers {
    const flags = view.getUint16(place + HELD.flags)
    const at = readTime(view, place + HELD.refreshedAt)
    const granted = view.getUint32(place + HELD.granted) as Duration
    return {
      expires: flags & FLAG.ends ? readTime(view, endsPlace(view, place, flags)) : after(at, granted),
      cseq: view.getUint32(place + HELD.cseq),
      seenCseq: view.getUint32(place + HELD.seenCseq),
      keepOpenAt: flags & FLAG.keepOpenAt ? readTime(view, keepOpenPlace(view, place, flags)) : NEVER,
      refreshed: {
        ...{ at, granted },
        keptOpen: (flags & FLAG.keptOpen) !== 0,
      },
      isUnchecked: (flags & FLAG.unchecked) !== 0,
      known: flags & FLAG.known ? this.#readKnown(view, place, flags) : undefined,
    }
  }

  #readKnown(view: DataView, place: number, flags: number): KnownRefresh {
    return {
      shape: {
        a: view.getInt32(place + HELD.shapeA),
        b: view.getInt32(place + HELD.shapeB),
        credentials: view.getInt32(place + HELD.credentials),
        ha2: this.ha2(view, place),
      },
      outbound: (flags & FLAG.outbound) !== 0,
      answered:
        flags & FLAG.answered
          ? { branch: view.getInt32(place + HELD.branch), proof: view.getInt32(place + HELD.proof) }
          : undefined,
    }
  }

  /** That of one with a shape. RFC 7616 §3.4.3. */
  ha2(view: DataView, place: number): string {
    const number = view.getUint8(place + HELD.ha2)
    if (number !== HA2_BEHIND) return this.#ha2s[number]!
    return toHex(new Uint8Array(view.buffer, view.byteOffset + place + SHAPED_BYTES, HA2_BYTES))
  }

  #numberOf(ha2: string): number {
    const number = this.#ha2s.indexOf(ha2)
    if (number >= 0) return number
    return this.#ha2s.length < MOST_HA2S ? this.#ha2s.push(ha2) - 1 : HA2_BEHIND
  }
}

export const transportAt = (view: DataView, place: number): Transport =>
  TRANSPORTS[view.getUint16(place + HELD.flags) >> TRANSPORT_SHIFT]!

/** Of the flow; undefined where it has none. */
export function connectionAt(view: DataView, place: number): number | undefined {
  const flags = view.getUint16(place + HELD.flags)
  if ((flags & FLAG.connection) === 0) return undefined
  return view.getFloat64(connectionPlace(view, place, flags))
}

// Behind the fixed places: HA2 where it has no number, when the flow is to be kept open, the connection, when it ends.

const hasLongHa2 = (view: DataView, place: number, flags: number): boolean =>
  (flags & FLAG.shape) !== 0 && view.getUint8(place + HELD.ha2) === HA2_BEHIND

function shapeBytes(flags: number, isLong: boolean): number {
  if ((flags & FLAG.shape) === 0) return SHAPELESS_BYTES
  return isLong ? SHAPED_BYTES + HA2_BYTES : SHAPED_BYTES
}

const keepOpenPlace = (view: DataView, place: number, flags: number): number =>
  place + shapeBytes(flags, hasLongHa2(view, place, flags))

const connectionPlace = (view: DataView, place: number, flags: number): number =>
  keepOpenPlace(view, place, flags) + (flags & FLAG.keepOpenAt ? TIME_BYTES : 0)

const endsPlace = (view: DataView, place: number, flags: number): number =>
  connectionPlace(view, place, flags) + (flags & FLAG.connection ? CONNECTION_BYTES : 0)

/** To the millisecond. */
const isAsGranted = ({ expires, refreshed: { at, granted } }: HeldNumbers): boolean =>
  Math.floor(expires) === Math.floor(at) + granted

const sizeOf = (flags: number, hasLong: boolean): number =>
  shapeBytes(flags, hasLong) +
  (flags & FLAG.keepOpenAt ? TIME_BYTES : 0) +
  (flags & FLAG.connection ? CONNECTION_BYTES : 0) +
  (flags & FLAG.ends ? TIME_BYTES : 0)
