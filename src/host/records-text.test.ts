import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { FormatError } from "../core/kit/errors.ts"
import { parseResourceId } from "../core/reload/header.ts"
import type { StorageChange } from "../core/storage/change.ts"
import { mergeRecords, parseRecords, printRecords } from "./records-text.ts"

const certificate: StorageChange = { kind: "certificate", fingerprint: "f1", der: Uint8Array.of(0x30, 0) }

/** StoredData: its length, its storage_time, and one byte more. */
function put(slot: string, time: bigint, last: number): StorageChange {
  const value = new Uint8Array(13)
  new DataView(value.buffer).setUint32(0, 9)
  new DataView(value.buffer).setBigUint64(4, time)
  value[12] = last
  const resource = parseResourceId("0123456789abcdef0123456789abcdef01234567".slice(0, 32))
  return { kind: "put", resource, kindId: 0xf0000001, slot, generation: 7, storedAt: 5, value }
}

describe("records as text", () => {
  test("come back as they were, a line each", () => {
    const changes = [certificate, put("a", 3n, 1), put("b\n", 4n, 2)]
    const text = printRecords(changes)
    assert.equal(text.split("\n").length, 4)
    assert.equal(text.split("\n")[0], '["c","f1","MAA"]')
    assert.deepEqual(parseRecords(text), changes)
  })

  test("are refused, naming the line, where one cannot be read", () => {
    const good = printRecords([certificate])
    for (const bad of ["x", '["q"]', '["c","f1","*"]', '["p","00","1","s",1,2,"AA"]', "null"])
      assert.throws(
        () => parseRecords(`${good}${bad}\n`),
        (cause) => cause instanceof FormatError && /^line 2 of the records/.test(cause.message),
        bad,
      )
  })

  test("of several nodes are one list, with the newest of each value and each certificate once", () => {
    const old = [certificate, put("a", 3n, 1), put("b", 9n, 1)]
    const fresh = [certificate, put("a", 4n, 2), put("b", 8n, 2)]
    const merged = [certificate, put("a", 4n, 2), put("b", 9n, 1)]
    assert.deepEqual(mergeRecords([old, fresh]), merged)
    assert.deepEqual(mergeRecords([fresh, old]), merged)
  })
})
