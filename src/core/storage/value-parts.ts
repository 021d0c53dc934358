import { briefMemory } from "../kit/brief-memory.ts"
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

/** The wire that it was, in brief memory. */
export function joinValue(parts: ValueParts, model: DataModel): Uint8Array {
  const { times, key, exists, value, signerBytes, signature } = parts
  const existsAt = VALUE_AT + (model === "dictionary" ? 2 : 0) + key.length
  const signerAt = existsAt + 5 + value.length
  const signatureAt = signerAt + signerBytes.length + 2
  const wire = briefMemory(signatureAt + signature.length)
  const view = new DataView(wire.buffer, wire.byteOffset)
  view.setUint32(0, wire.length - STORAGE_TIME_AT)
  wire.set(times, STORAGE_TIME_AT)
  if (model === "dictionary") view.setUint16(VALUE_AT, key.length)
  wire.set(key, existsAt - key.length)
  wire[existsAt] = exists ? 1 : 0
  view.setUint32(existsAt + 1, value.length)
  wire.set(value, existsAt + 5)
  wire.set(signerBytes, signerAt)
  view.setUint16(signatureAt - 2, signature.length)
  wire.set(signature, signatureAt)
  return wire
}

/** The index that the key of an array's entry is. */
export const indexIn = (key: Uint8Array): number => new DataView(key.buffer, key.byteOffset).getUint32(0)

/** Bytes behind a number of so many bytes that says how many they are. */
export function withLength(size: 1 | 2 | 4, bytes: Uint8Array): readonly [Uint8Array, Uint8Array] {
  const length = new Uint8Array(size)
  for (let at = size - 1, rest = bytes.length; at >= 0; at--, rest >>>= 8) length[at] = rest
  return [length, bytes]
}
