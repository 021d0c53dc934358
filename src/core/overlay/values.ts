import type { Certificate } from "../identity/certificate.ts"
import { toHex } from "../kit/hex.ts"
import type { ResourceId } from "../reload/header.ts"
import { findSigner, verifyValue } from "../reload/signing.ts"
import {
  ArrayRanges,
  DictionaryKeys,
  type FetchAns,
  type FetchReq,
  type KindId,
  type StoredMetaData,
  type StoredValue,
  storedDataList,
  storedMetaData,
} from "../reload/stored-data.ts"
import { forbids } from "../storage/access.ts"
import { decodeViews, encode } from "../wire/codec.ts"
import { Reader } from "../wire/reader.ts"
import type { Fabric } from "./fabric.ts"
import type { VerifiedValue, Wanted } from "./interface.ts"
import type { FetchResult } from "./reads.ts"

/** Values of a record, by Kind. */
export type ValuesByKind = ReadonlyMap<KindId, readonly VerifiedValue[]>

/** What a Fetch or Stat for it says. RFC 6940 §7.4.2.1. */
export function requestFor(resource: ResourceId, wanted: readonly Wanted[]): FetchReq {
  const specifiers = wanted.map(({ kind, keys = [], ranges = [] }) => ({
    kind,
    generation: 0,
    selection:
      keys.length > 0
        ? encode(DictionaryKeys, keys)
        : ranges.length > 0
          ? encode(ArrayRanges, ranges)
          : new Uint8Array(),
  }))
  return { resource, specifiers }
}

/**
 * The values of the answers, each verified, and where answers differ the newest. Placeholders for what does
 * not exist are left out, and so is what cannot be verified: that is logged. Throws DecodeError.
 */
export function verifiedValues(
  fabric: Fabric,
  resource: ResourceId,
  answers: FetchResult["answers"],
): ValuesByKind {
  const byKind = new Map<KindId, Map<string, VerifiedValue>>()
  for (const { answer, received } of answers) {
    const certificates = received?.certificates() ?? fabric.storage.signersOf(resource)
    for (const value of readAnswer(fabric, resource, answer, certificates, received !== undefined)) {
      const values = byKind.get(value.kind) ?? new Map<string, VerifiedValue>()
      byKind.set(value.kind, values)
      const slot = slotOf(value.verified.data.value)
      const other = values.get(slot)
      if (!other || other.data.storageTime < value.verified.data.storageTime) values.set(slot, value.verified)
    }
  }
  return new Map([...byKind].map(([kind, values]) => [kind, [...values.values()]]))
}

interface Read {
  readonly kind: KindId
  readonly verified: VerifiedValue
}

function readAnswer(
  fabric: Fabric,
  resource: ResourceId,
  { kinds }: FetchAns,
  certificates: ReadonlyMap<string, Certificate>,
  isForeign: boolean,
): readonly Read[] {
  const found: Read[] = []
  for (const { kind, values } of kinds) {
    const definition = fabric.kinds.get(kind)
    if (definition === undefined) continue
    for (const data of decodeViews(storedDataList(definition.model), values, definition.name)) {
      if (data.signature.identity.kind === "none") continue
      // What we hold ourselves was verified when it came.
      const signer = isForeign
        ? verifyValue(fabric.cryptography, { resource, kind, data, certificates })
        : findSigner(fabric.cryptography, data.signature.identity, certificates)
      const problem =
        "refused" in signer
          ? signer.refused
          : isForeign
            ? (fabric.judgeSigner(signer) ??
              forbids(fabric.cryptography, { definition, resource, value: data.value, signer }))
            : undefined
      if ("refused" in signer || problem !== undefined) {
        fabric.refuse("value")
        fabric.log("warn", "overlay.value-refused", { resource, kind: definition.name, reason: problem })
      } else found.push({ kind, verified: { data, signer } })
    }
  }
  return found
}

function slotOf(value: StoredValue): string {
  return value.model === "dictionary" ? toHex(value.key) : value.model === "array" ? String(value.index) : ""
}

/** What a Stat answers, by Kind. Throws DecodeError. */
export function metaDataOf(
  fabric: Fabric,
  kinds: readonly { readonly kind: KindId; readonly values: Uint8Array }[],
): ReadonlyMap<KindId, readonly StoredMetaData[]> {
  const byKind = new Map<KindId, readonly StoredMetaData[]>()
  for (const { kind, values } of kinds) {
    const model = fabric.kinds.get(kind)?.model
    if (model === undefined) continue
    const reader = new Reader(values, "StatKindResponse.values")
    const found: StoredMetaData[] = []
    while (reader.remaining > 0) found.push(storedMetaData(model).read(reader))
    byKind.set(kind, found)
  }
  return byKind
}
