import { concat } from "../kit/bytes.ts"
import type { Hashes } from "../kit/crypto.ts"
import { fromHex, toHex } from "../kit/hex.ts"
import type { Instant } from "../kit/time.ts"
import { NO_SIGNATURE } from "../reload/security.ts"
import {
  ArrayRanges,
  type DataModel,
  DictionaryKeys,
  type StoredData,
  type StoredDataSpecifier,
  type StoredMetaData,
  type StoredValue,
  storedData,
  storedMetaData,
} from "../reload/stored-data.ts"
import { decode, encode } from "../wire/codec.ts"
import { type HeldValue, secondsLeft, wireAt } from "./held-value.ts"
import type { KindDefinition } from "./kind.ts"
import { type KindRecord, livingValues, valueIn } from "./kind-record.ts"
import { indexIn, splitValue } from "./value-parts.ts"

// RFC 6940 §7.4.2 and §7.4.3: which values a request asks for, and how they are told.

/** A value that is held; or the place of one that is not, for which an answer has to stand in. */
type Selected = HeldValue | { readonly gap: StoredValue }

/** What Fetch answers for one Kind. Throws DecodeError for a selection that does not fit the data model. */
export function fetchValues(
  definition: KindDefinition,
  record: KindRecord | undefined,
  specifier: StoredDataSpecifier,
  now: Instant,
): Uint8Array {
  const codec = storedData(definition.model)
  const selected = select(definition, record, specifier, now)
  if (areAllHeld(selected)) return wireAt(selected, now)
  return concat(
    ...selected.map((each) => ("gap" in each ? encode(codec, synthetic(each.gap)) : wireAt([each], now))),
  )
}

const areAllHeld = (selected: readonly Selected[]): selected is readonly HeldValue[] =>
  selected.every((each) => !("gap" in each))

/** What Stat answers for one Kind: the same values, each by length and hash. Throws like `fetchValues`. */
export function statValues(
  definition: KindDefinition,
  record: KindRecord | undefined,
  specifier: StoredDataSpecifier,
  now: Instant,
  hashes: Hashes,
): Uint8Array {
  const { model } = definition
  const codec = storedMetaData(model)
  return concat(
    ...select(definition, record, specifier, now).map((each) => {
      const isGap = "gap" in each
      const { value, counted } = isGap ? { value: each.gap, counted: NOTHING } : partsOf(each, model)
      const hash = hashes.sha256(counted)
      const lifetime = isGap ? 0 : secondsLeft(each, now)
      return encode(codec, metaData(value, hash, isGap ? 0 : each.storageTime, lifetime))
    }),
  )
}

/** No bytes, behind their length. */
const NOTHING = new Uint8Array(4)

/** What is held, and its bytes behind their length, which the hash covers. §7.4.3.2. */
function partsOf({ wire }: HeldValue, model: DataModel) {
  const { key, exists, value } = splitValue(wire, model)
  const end = value.byteOffset - wire.byteOffset + value.length
  const counted = wire.subarray(end - value.length - NOTHING.length, end)
  return { value: placed(model, key, { exists, value }), counted }
}

function placed(
  model: DataModel,
  key: Uint8Array,
  value: { readonly exists: boolean; readonly value: Uint8Array },
): StoredValue {
  switch (model) {
    case "single":
      return { model, ...value }
    case "array":
      return { model, index: indexIn(key), ...value }
    case "dictionary":
      return { model, key, ...value }
  }
}

/** Says "there is none": unsigned, since the answer as a whole is signed. §7.4.2.2. */
const synthetic = (value: StoredValue): StoredData => ({
  storageTime: 0,
  lifetime: 0,
  value,
  signature: NO_SIGNATURE,
})

const SHA256 = 4

function metaData(
  value: StoredValue,
  hash: Uint8Array,
  storageTime: number,
  lifetime: number,
): StoredMetaData {
  const meta = { exists: value.exists, valueLength: value.value.length, hashAlgorithm: SHA256, hash }
  switch (value.model) {
    case "single":
      return { storageTime, lifetime, entry: { model: "single", ...meta } }
    case "array":
      return { storageTime, lifetime, entry: { model: "array", index: value.index, ...meta } }
    case "dictionary":
      return { storageTime, lifetime, entry: { model: "dictionary", key: value.key, ...meta } }
  }
}

function select(
  { model, maxCount }: KindDefinition,
  record: KindRecord | undefined,
  { selection }: StoredDataSpecifier,
  now: Instant,
): readonly Selected[] {
  const absent = { exists: false, value: new Uint8Array() }
  switch (model) {
    case "single":
      return [valueIn(record, "", now) ?? { gap: { model, ...absent } }]
    case "array":
      return indexes(record, selection, maxCount, now).map(
        (index) => valueIn(record, String(index), now) ?? { gap: { model, index, ...absent } },
      )
    case "dictionary": {
      const keys = new Set(
        selection.length > 0 ? decode(DictionaryKeys, selection, "keys").map((key) => toHex(key)) : [],
      )
      if (keys.size === 0) return livingValues(record, now)
      return [...keys].map(
        (slot) => valueIn(record, slot, now) ?? { gap: { model, key: fromHex(slot), ...absent } },
      )
    }
  }
}

/** In order, each once. No range at all asks for the whole array, like no key for a whole dictionary. */
function indexes(
  record: KindRecord | undefined,
  selection: Uint8Array,
  maxCount: number,
  now: Instant,
): readonly number[] {
  const ranges = selection.length > 0 ? decode(ArrayRanges, selection, "ranges") : []
  const end = Math.max(-1, ...livingValues(record, now).map(({ slot }) => Number(slot)))
  const asked = (index: number) =>
    ranges.some(({ first, last }) => first <= index && index <= last) || (ranges.length === 0 && index <= end)
  // A gap behind the end is told only where one index is asked for: a range to the end has none.
  const single = ranges.filter(({ first, last }) => first === last && first > end && first < maxCount)
  const within = Array.from({ length: end + 1 }, (_, index) => index).filter(asked)
  return [...within, ...new Set(single.map(({ first }) => first))]
}
