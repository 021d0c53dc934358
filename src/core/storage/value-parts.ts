import { concat } from "../kit/bytes.ts"
import type { DataModel } from "../reload/stored-data.ts"
import { STORAGE_TIME_AT, VALUE_AT } from "./held-value.ts"

/** A StoredData taken apart, RFC 6940 §7.1: the lengths between its parts follow from them. */
export interface ValueParts {
  /** storage_time and lifetime. */
  readonly times: Uint8Array
  /** The key of a dictionary's entry, the index of an array's; empty in a single value. */
  readonly key: Uint8Array
  readonly exists: boolean
  readonly value: Uint8Array
  /** SignatureAndHashAlgorithm and SignerIdentity. §6.3.4. */
  readonly signerBytes: Uint8Array
  readonly signature: Uint8Array
}

const INDEX_BYTES = 4
/** SignatureAndHashAlgorithm and the type of the SignerIdentity, in front of whose length they stand. */
const BEFORE_IDENTITY_LENGTH = 3

/** `wire`: as `encode` wrote it. */
export function splitValue(wire: Uint8Array, model: DataModel): ValueParts {
  const view = new DataView(wire.buffer, wire.byteOffset, wire.length)
  const keyAt = model === "dictionary" ? VALUE_AT + 2 : VALUE_AT
  const keyBytes = model === "dictionary" ? view.getUint16(VALUE_AT) : model === "array" ? INDEX_BYTES : 0
  const existsAt = keyAt + keyBytes
  const valueAt = existsAt + 5
  const signerAt = valueAt + view.getUint32(existsAt + 1)
  const identityAt = signerAt + BEFORE_IDENTITY_LENGTH + 2
  const signatureLengthAt = identityAt + view.getUint16(signerAt + BEFORE_IDENTITY_LENGTH)
  return {
    times: wire.subarray(STORAGE_TIME_AT, VALUE_AT),
    key: wire.subarray(keyAt, existsAt),
    exists: wire[existsAt] === 1,
    value: wire.subarray(valueAt, signerAt),
    signerBytes: wire.subarray(signerAt, signatureLengthAt),
    signature: wire.subarray(signatureLengthAt + 2),
  }
}

/** The wire that it was. */
export function joinValue(parts: ValueParts, model: DataModel): Uint8Array {
  const { times, key, exists, value, signerBytes, signature } = parts
  const all = [
    times,
    ...(model === "dictionary" ? withLength(2, key) : [key]),
    Uint8Array.of(exists ? 1 : 0),
    ...withLength(4, value),
    signerBytes,
    ...withLength(2, signature),
  ]
  return concat(...withLength(4, concat(...all)))
}

/** Bytes behind a number of so many bytes that says how many they are. */
export const withLength = (size: 1 | 2 | 4, bytes: Uint8Array): readonly [Uint8Array, Uint8Array] => [
  Uint8Array.from({ length: size }, (_, index) => bytes.length >>> (8 * (size - 1 - index))),
  bytes,
]
