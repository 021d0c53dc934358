import { concat } from "../kit/bytes.ts"
import type { Hashes } from "../kit/crypto.ts"
import { fromHex, toHex } from "../kit/hex.ts"
import type { Instant } from "../kit/time.ts"
import { NO_SIGNATURE } from "../reload/security.ts"
import {
  ArrayRanges,
  DictionaryKeys,
  type StoredData,
  type StoredDataSpecifier,
  type StoredMetaData,
  type StoredValue,
  storedData,
  storedMetaData,
} from "../reload/stored-data.ts"
import { decode, encode, opaque, u32 } from "../wire/codec.ts"
import { type HeldValue, readHeld, secondsLeft, wireAt } from "./held-value.ts"
import type { KindDefinition } from "./kind.ts"
import { type KindRecord, livingValues, valueIn } from "./kind-record.ts"

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
  return concat(
    ...select(definition, record, specifier, now).map((each) =>
      "gap" in each ? encode(codec, synthetic(each.gap)) : wireAt(each, now),
    ),
  )
}

/** What Stat answers for one Kind: the same values, each by length and hash. Throws like `fetchValues`. */
export function statValues(
  definition: KindDefinition,
  record: KindRecord | undefined,
  specifier: StoredDataSpecifier,
  now: Instant,
  hashes: Hashes,
): Uint8Array {
  const codec = storedMetaData(definition.model)
  return concat(
    ...select(definition, record, specifier, now).map((each) => {
      const data = "gap" in each ? synthetic(each.gap) : readHeld(each, definition.model)
      const lifetime = "gap" in each ? 0 : secondsLeft(each, now)
      return encode(codec, metaData({ ...data, lifetime }, hashes))
    }),
  )
}

/** Says "there is none": unsigned, since the answer as a whole is signed. §7.4.2.2. */
const synthetic = (value: StoredValue): StoredData => ({
  storageTime: 0,
  lifetime: 0,
  value,
  signature: NO_SIGNATURE,
})

const SHA256 = 4

/** The hash covers the value with its four bytes of length. §7.4.3.2. */
function metaData({ storageTime, lifetime, value }: StoredData, hashes: Hashes): StoredMetaData {
  const meta = {
    exists: value.exists,
    valueLength: value.value.length,
    hashAlgorithm: SHA256,
    hash: hashes.sha256(encode(opaque(u32), value.value)),
  }
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
      const keys = new Set(selection.length > 0 ? decode(DictionaryKeys, selection, "keys").map(toHex) : [])
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
