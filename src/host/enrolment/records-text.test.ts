import assert from "node:assert/strict"
import { Readable } from "node:stream"
import { text } from "node:stream/consumers"
import { describe, test } from "node:test"
import { FormatError } from "../../core/kit/errors.ts"
import { parseResourceId } from "../../core/reload/header.ts"
import type { StorageChange } from "../../core/storage/change.ts"
import { mergeRecords, pack, parseRecords, printRecords, unpack } from "./records-text.ts"

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

const changes = [certificate, put("a", 3n, 1), put("b\n", 4n, 2)]
const linesOf = (text: string) => Readable.from(text.split("\n").filter((line) => line !== ""))

describe("records as text", () => {
  test("are a line each, and come back as they were", async () => {
    const printed = await text(Readable.from(printRecords(changes)))
    assert.equal(printed.split("\n").length, 4)
    assert.equal(printed.split("\n")[0], '["c","f1","MAA"]')
    assert.deepEqual(await parseRecords(linesOf(printed)), changes)
  })

  test("are packed and unpacked, however many", async () => {
    const many = Array.from({ length: 2_000 }, (_, index) => put(`slot ${index}`, BigInt(index), index % 256))
    assert.deepEqual(await parseRecords(unpack(await pack(printRecords(many)))), many)
    const packed = await pack(printRecords(many))
    await assert.rejects(parseRecords(unpack(packed.subarray(0, -20))), /unexpected end of file/)
    await assert.rejects(parseRecords(unpack(Uint8Array.of(1, 2, 3))), /incorrect header/)
  })

  test("are refused, naming the line, where one cannot be read", async () => {
    const good = '["c","f1","MAA"]'
    for (const bad of ["x", '["q"]', '["c","f1","*"]', '["p","00","1","s",1,2,"AA"]', "null"])
      await assert.rejects(
        parseRecords(linesOf(`${good}\n${bad}\n`)),
        (cause) => cause instanceof FormatError && /^line 2 of the records/.test(cause.message),
        bad,
      )
  })

  test("leave the event loop its turns while they are written", async () => {
    const many = Array.from({ length: 5_000 }, (_, index) => put(`slot ${index}`, BigInt(index), 0))
    let turns = 0
    const count = () => {
      turns++
      next = setImmediate(count)
    }
    let next = setImmediate(count)
    await pack(printRecords(await mergeRecords([many])))
    clearImmediate(next)
    assert.ok(turns >= 20, `${turns} turns`)
  })

  test("of several nodes are one list, with the newest of each value and each certificate once", async () => {
    const old = [certificate, put("a", 3n, 1), put("b", 9n, 1)]
    const fresh = [certificate, put("a", 4n, 2), put("b", 8n, 2)]
    const merged = [certificate, put("a", 4n, 2), put("b", 9n, 1)]
    assert.deepEqual(await mergeRecords([old, fresh]), merged)
    assert.deepEqual(await mergeRecords([fresh, old]), merged)
  })
})
