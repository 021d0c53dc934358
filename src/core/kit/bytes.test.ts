import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { toBase64 } from "./base64.ts"
import {
  concat,
  equalBytes,
  fromBase64,
  fromLatin1,
  fromUtf8,
  toBase64Url,
  toLatin1,
  toUtf8,
} from "./bytes.ts"

test("every byte is one latin1 character and comes back, be it ASCII, UTF-8, a byte order mark or neither", () => {
  const samples = [
    [0x41],
    [0xe9],
    [0xc3, 0xa9],
    [0xef, 0xbb, 0xbf, 0x41],
    [0xef, 0xbf, 0xbd],
    [0x80, 0x9f, 0x00],
  ]
  for (const sample of samples) {
    const text = toLatin1(Uint8Array.from(sample))
    assert.deepEqual(
      Array.from(text, (character) => character.charCodeAt(0)),
      sample,
    )
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      assert.deepEqual(fromLatin1(toLatin1(bytes)), Uint8Array.from(bytes))
    }),
  )
})

/** RFC 4648 §10, and bytes whose digits differ in the two alphabets. */
const VECTORS: readonly (readonly [string, string])[] = [
  ["", ""],
  ["f", "Zg=="],
  ["fo", "Zm8="],
  ["foo", "Zm9v"],
  ["foob", "Zm9vYg=="],
  ["fooba", "Zm9vYmE="],
  ["foobar", "Zm9vYmFy"],
  ["\xfb\xff\xfe", "+//+"],
]

test("base64 and base64url are those of RFC 4648, and both are read, padded or not", () => {
  for (const [plain, base64] of VECTORS) {
    const bytes = fromLatin1(plain)
    const url = base64.replaceAll("=", "").replaceAll("+", "-").replaceAll("/", "_")
    assert.equal(toBase64(bytes), base64)
    assert.equal(toBase64Url(bytes), url)
    for (const text of [base64, base64.replaceAll("=", ""), url]) assert.deepEqual(fromBase64(text), bytes)
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      assert.deepEqual(fromBase64(toBase64Url(bytes)), Uint8Array.from(bytes))
      assert.equal(toBase64(bytes), Buffer.from(bytes).toString("base64"))
    }),
  )
})

test("what is no base64 is undefined, never other bytes", () => {
  for (const text of ["A", "AAAAA", "AA=A", "A A=", "Zg==\n", "Zm9é", "Zg*="]) {
    assert.equal(fromBase64(text), undefined, text)
  }
})

test("text comes back from UTF-8 whole, and what is no UTF-8 is undefined", () => {
  assert.equal(fromUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), "\ufeffa")
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.equal(fromUtf8(toUtf8(text)), text)
    }),
  )
  for (const bytes of [[0xe9], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]])
    assert.equal(fromUtf8(Uint8Array.from(bytes)), undefined)
})

test("bytes are equal only where all are, and joined in order", () => {
  const [ab, c] = [Uint8Array.of(1, 2), Uint8Array.of(3)]
  assert.deepEqual(concat(ab, new Uint8Array(), c), Uint8Array.of(1, 2, 3))
  assert.ok(equalBytes(concat(ab, c), Uint8Array.of(1, 2, 3)))
  assert.ok(!equalBytes(ab, Uint8Array.of(1, 3)))
  assert.ok(!equalBytes(ab, concat(ab, c)))
})
