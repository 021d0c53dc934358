import { briefMemory } from "../kit/brief-memory.ts"
import { equalBytes } from "../kit/bytes.ts"
import { toHex } from "../kit/hex.ts"
import { after, type Instant, seconds } from "../kit/time.ts"
import { type DataModel, type StoredData, type StoredValue, storedData } from "../reload/stored-data.ts"
import { decodeViews, encode } from "../wire/codec.ts"

// StoredData begins with its length, storage_time and lifetime (RFC 6940 §7); only the lifetime changes.
export const STORAGE_TIME_AT = 4
export const LIFETIME_AT = 12
export const VALUE_AT = 16

/** One value as a peer holds it: bytes as they go out again, and what has to be known about them. */
export interface HeldValue {
  /** Its place in the record: see `slotOf`. */
  readonly slot: string
  /** StoredData as it was when we got it. */
  readonly wire: Uint8Array
  readonly storageTime: number
  /** False for a removal. */
  readonly exists: boolean
  /** Fingerprint of the certificate that verifies it. */
  readonly signer: string
  /** When we got it. The lifetime counts down from here. §7.4.1.1. */
  readonly storedAt: Instant
  readonly expiresAt: Instant
}

export function holdValue(data: StoredData, signer: string, storedAt: Instant): HeldValue {
  return {
    slot: slotOf(data.value),
    wire: encode(storedData(data.value.model), data),
    storageTime: data.storageTime,
    exists: data.value.exists,
    signer,
    storedAt,
    expiresAt: after(storedAt, seconds(data.lifetime)),
  }
}

/** "" for single, the index in decimal for array, the key in hexadecimal for dictionary. */
export function slotOf(value: StoredValue): string {
  switch (value.model) {
    case "single":
      return ""
    case "array":
      return String(value.index)
    case "dictionary":
      return toHex(value.key)
  }
}

/** The values on the wire, one behind the other, each with what is left of its lifetime, rounded up to whole seconds; in brief memory. */
export function wireAt(values: readonly HeldValue[], now: Instant): Uint8Array {
  const all = briefMemory(values.reduce((sum, { wire }) => sum + wire.length, 0))
  let at = 0
  for (const held of values) {
    all.set(held.wire, at)
    const lifetime = secondsLeft(held, now)
    for (let i = 0; i < 4; i++) all[at + LIFETIME_AT + i] = (lifetime >>> (24 - 8 * i)) & 0xff
    at += held.wire.length
  }
  return all
}

/** Never more than it came with, should the clock have been set back. */
export function secondsLeft({ expiresAt, storedAt }: HeldValue, now: Instant): number {
  return Math.max(0, Math.ceil((expiresAt - Math.max(now, storedAt)) / 1_000))
}

export const readHeld = (held: HeldValue, model: DataModel): StoredData =>
  decodeViews(storedData(model), held.wire, "StoredData")

/** The bytes that all holders of the same value share: everything but its lifetime. */
export const sharedBytes = ({ wire }: HeldValue): readonly Uint8Array[] => [
  wire.subarray(STORAGE_TIME_AT, LIFETIME_AT),
  wire.subarray(VALUE_AT),
]

export const isSameValue = (a: HeldValue, b: HeldValue): boolean =>
  a.storageTime === b.storageTime && equalBytes(a.wire.subarray(VALUE_AT), b.wire.subarray(VALUE_AT))

/**
 * Whether `a` replaces `b` when copies meet: the later storage_time wins (§7.4.1.1). Of one time, the
 * greater bytes do, so that all holders agree.
 */
export function supersedes(a: HeldValue, b: HeldValue): boolean {
  if (a.storageTime !== b.storageTime) return a.storageTime > b.storageTime
  for (let i = VALUE_AT; i < Math.min(a.wire.length, b.wire.length); i++) {
    if (a.wire[i] !== b.wire[i]) return a.wire[i]! > b.wire[i]!
  }
  return a.wire.length > b.wire.length
}
