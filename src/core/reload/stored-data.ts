import { NodeId } from "../identity/node-id.ts"
import {
  boolean,
  type Codec,
  framed,
  list,
  mapped,
  opaque,
  struct,
  u8,
  u16,
  u32,
  u64,
  type Value,
} from "../wire/codec.ts"
import { ResourceId } from "./header.ts"
import { Signature } from "./security.ts"

// RFC 6940 §7: what is stored, and the methods that store and fetch it.

export type KindId = number
export const KindId = u32

export type DataModel = "single" | "array" | "dictionary"

/** One value with its place inside the record. A value that does not exist is a removal. */
export type StoredValue =
  | { readonly model: "single"; readonly exists: boolean; readonly value: Uint8Array }
  | { readonly model: "array"; readonly index: number; readonly exists: boolean; readonly value: Uint8Array }
  | {
      readonly model: "dictionary"
      readonly key: Uint8Array
      readonly exists: boolean
      readonly value: Uint8Array
    }

const DataValue = struct({ exists: boolean, value: opaque(u32) })
const ArrayEntry = struct({ index: u32, value: DataValue })
const DictionaryEntry = struct({ key: opaque(u16), value: DataValue })

/** StoredDataValue as the Kind's data model has it. §7.2. */
const STORED_VALUE: { readonly [M in DataModel]: Codec<StoredValue> } = {
  single: mapped(
    DataValue,
    (raw) => ({ model: "single", ...raw }),
    ({ exists, value }) => ({ exists, value }),
  ),
  array: mapped(
    ArrayEntry,
    ({ index, value }) => ({ model: "array", index, ...value }),
    (entry) => ({
      index: entry.model === "array" ? entry.index : 0,
      value: { exists: entry.exists, value: entry.value },
    }),
  ),
  dictionary: mapped(
    DictionaryEntry,
    ({ key, value }) => ({ model: "dictionary", key, ...value }),
    (entry) => ({
      key: entry.model === "dictionary" ? entry.key : new Uint8Array(),
      value: { exists: entry.exists, value: entry.value },
    }),
  ),
}

export const storedValue = (model: DataModel): Codec<StoredValue> => STORED_VALUE[model]

/** A signed value. `storageTime` in Unix milliseconds, `lifetime` in seconds from then. §7.1. */
export interface StoredData {
  readonly storageTime: number
  readonly lifetime: number
  readonly value: StoredValue
  readonly signature: Signature
}

const storedDataOf = (model: DataModel): Codec<StoredData> =>
  framed(u32, struct({ storageTime: u64, lifetime: u32, value: STORED_VALUE[model], signature: Signature }))

const STORED_DATA: { readonly [M in DataModel]: Codec<StoredData> } = {
  single: storedDataOf("single"),
  array: storedDataOf("array"),
  dictionary: storedDataOf("dictionary"),
}

export const storedData = (model: DataModel): Codec<StoredData> => STORED_DATA[model]

/** All values of a StoreKindData or FetchKindResponse, without the length in front of them. */
export const storedDataList = (model: DataModel): Codec<readonly StoredData[]> => ({
  read(from) {
    const values: StoredData[] = []
    while (from.remaining > 0) {
      from.enter(`[${values.length}]`)
      values.push(STORED_DATA[model].read(from))
      from.leave()
    }
    return values
  },
  write(values, to) {
    for (const each of values) STORED_DATA[model].write(each, to)
  },
})

/**
 * The values stay bytes here, since their shape hangs on the Kind's data model: read them with
 * `decode(storedDataList(model), values, …)`. A Kind one does not know can so still be named. §7.4.1.1.
 */
export type StoreKindData = Value<typeof StoreKindData>
export const StoreKindData = struct({ kind: KindId, generation: u64, values: opaque(u32) })

export type StoreReq = Value<typeof StoreReq>
export const StoreReq = struct({ resource: ResourceId, replicaNumber: u8, kinds: list(u32, StoreKindData) })

export type StoreKindResponse = Value<typeof StoreKindResponse>
export const StoreKindResponse = struct({ kind: KindId, generation: u64, replicas: list(u16, NodeId) })

export type StoreAns = Value<typeof StoreAns>
export const StoreAns = struct({ kinds: list(u16, StoreKindResponse) })

/** `selection` is model-specific: none for single, ArrayRange for array, keys for dictionary. §7.4.2.1. */
export type StoredDataSpecifier = Value<typeof StoredDataSpecifier>
export const StoredDataSpecifier = struct({ kind: KindId, generation: u64, selection: opaque(u16) })

/** Inclusive; 0xffffffff is the last entry. */
export type ArrayRange = Value<typeof ArrayRange>
export const ArrayRange = struct({ first: u32, last: u32 })
export const ArrayRanges = list(u16, ArrayRange)
/** No key at all asks for every entry. */
export const DictionaryKeys = list(u16, opaque(u16))

export type FetchReq = Value<typeof FetchReq>
export const FetchReq = struct({ resource: ResourceId, specifiers: list(u16, StoredDataSpecifier) })

export type FetchKindResponse = Value<typeof FetchKindResponse>
export const FetchKindResponse = struct({ kind: KindId, generation: u64, values: opaque(u32) })

export type FetchAns = Value<typeof FetchAns>
export const FetchAns = struct({ kinds: list(u32, FetchKindResponse) })

const MetaData = struct({ exists: boolean, valueLength: u32, hashAlgorithm: u8, hash: opaque(u8) })
export type MetaData = Value<typeof MetaData>

export type MetaEntry =
  | ({ readonly model: "single" } & MetaData)
  | ({ readonly model: "array"; readonly index: number } & MetaData)
  | ({ readonly model: "dictionary"; readonly key: Uint8Array } & MetaData)

const META: { readonly [M in DataModel]: Codec<MetaEntry> } = {
  single: mapped(
    MetaData,
    (raw) => ({ model: "single", ...raw }),
    (entry) => entry,
  ),
  array: mapped(
    struct({ index: u32, meta: MetaData }),
    ({ index, meta }) => ({ model: "array", index, ...meta }),
    (entry) => ({ index: entry.model === "array" ? entry.index : 0, meta: entry }),
  ),
  dictionary: mapped(
    struct({ key: opaque(u16), meta: MetaData }),
    ({ key, meta }) => ({ model: "dictionary", key, ...meta }),
    (entry) => ({ key: entry.model === "dictionary" ? entry.key : new Uint8Array(), meta: entry }),
  ),
}

/** What Stat tells of one value. Its first field is read as the length of the rest: checklist 4.12.4. */
export interface StoredMetaData {
  readonly storageTime: number
  readonly lifetime: number
  readonly entry: MetaEntry
}

export const storedMetaData = (model: DataModel): Codec<StoredMetaData> =>
  framed(u32, struct({ storageTime: u64, lifetime: u32, entry: META[model] }))

export const StatReq = FetchReq
export type StatKindResponse = Value<typeof StatKindResponse>
export const StatKindResponse = struct({ kind: KindId, generation: u64, values: opaque(u32) })
export type StatAns = Value<typeof StatAns>
export const StatAns = struct({ kinds: list(u32, StatKindResponse) })
