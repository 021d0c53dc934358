import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { fromLatin1, toLatin1 } from "./bytes.ts"

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
