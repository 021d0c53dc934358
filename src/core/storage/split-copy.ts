import { invariant } from "../kit/errors.ts"
import type { StoreKindData } from "../reload/stored-data.ts"
import type { RecordCopy } from "./outcome.ts"

/**
 * A copy in parts of about `most` bytes of values, for records that do not fit one message. Copies
 * are merged value by value, so each part may be stored alone, in any order. A value that is larger
 * by itself makes a part by itself.
 */
export function splitCopy({ resource, kinds }: RecordCopy, most: number): readonly RecordCopy[] {
  const parts: StoreKindData[][] = []
  let room = 0
  for (const data of kinds) {
    for (let start = 0; start < data.values.length; ) {
      let end = endOfValue(data.values, start)
      if (parts.length === 0 || end - start > room) {
        parts.push([])
        room = most
      }
      while (end < data.values.length && endOfValue(data.values, end) - start <= room)
        end = endOfValue(data.values, end)
      parts.at(-1)!.push({ ...data, values: data.values.subarray(start, end) })
      room -= end - start
      start = end
    }
  }
  return parts.map((part) => ({ resource, kinds: part }))
}

/** StoredData begins with the length of what follows, in four bytes. RFC 6940 §7. */
function endOfValue(values: Uint8Array, start: number): number {
  let length = 0
  for (let i = start; i < start + 4; i++) length = length * 256 + (values[i] ?? 0)
  const end = start + 4 + length
  invariant(end <= values.length, "a copy's values were written by us")
  return end
}
