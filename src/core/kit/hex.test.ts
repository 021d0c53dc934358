import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { fromHex, toHex } from "./hex.ts"

test("bytes are two digits each, small ones too", () => {
  assert.equal(toHex(Uint8Array.of(0, 9, 10, 255)), "00090aff")
  assert.deepEqual(fromHex("00090aff"), Uint8Array.of(0, 9, 10, 255))
  assert.deepEqual(fromHex("AbCd"), Uint8Array.of(0xab, 0xcd))
  assert.deepEqual(fromHex(""), new Uint8Array())
})

test("any bytes come back from their digits", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.deepEqual(fromHex(toHex(bytes)), bytes)))
})
