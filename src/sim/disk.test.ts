import assert from "node:assert/strict"
import { test } from "node:test"
import { parseResourceId } from "../core/reload/header.ts"
import type { StorageChange } from "../core/storage/change.ts"
import { Disk } from "./disk.ts"

const [FIRST, SECOND] = ["aa", "bb"].map((digits) => parseResourceId(digits.repeat(16)))

const put = (resource = FIRST!, kindId = 1, slot = "", generation = 1) =>
  ({
    kind: "put",
    resource,
    kindId,
    slot,
    generation,
    value: Uint8Array.of(generation),
    storedAt: 5,
  }) as const satisfies StorageChange

const certificate = (fingerprint: string): StorageChange => ({
  kind: "certificate",
  fingerprint,
  der: Uint8Array.of(9),
})

test("a disk gives back what it was given, certificates first, whatever came first", () => {
  const disk = new Disk()
  disk.apply([put(), certificate("f1")])
  disk.apply([put(SECOND), certificate("f2")])
  assert.deepEqual(disk.contents(), [certificate("f1"), certificate("f2"), put(), put(SECOND)])
})

test("a later value replaces an earlier one of the same place, and no other", () => {
  const places = [put(), put(SECOND), put(FIRST, 2), put(FIRST, 1, "0a")]
  const disk = new Disk()
  disk.apply(places)
  disk.apply([put(FIRST, 1, "", 2)])
  assert.deepEqual(disk.contents(), [put(FIRST, 1, "", 2), ...places.slice(1)])
})

test("what is deleted or forgotten is gone, and deleting it again does no harm", () => {
  const disk = new Disk()
  disk.apply([put(), put(SECOND), certificate("f1"), certificate("f2")])
  const gone: readonly StorageChange[] = [
    { kind: "delete", resource: FIRST!, kindId: 1, slot: "" },
    { kind: "forget-certificate", fingerprint: "f1" },
  ]
  disk.apply(gone)
  disk.apply(gone)
  assert.deepEqual(disk.contents(), [certificate("f2"), put(SECOND)])
})
