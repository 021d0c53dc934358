import assert from "node:assert/strict"
import { createHmac } from "node:crypto"
import { test } from "node:test"
import { openSslHashes } from "../../../test/support/hashes.ts"
import { toUtf8 } from "./bytes.ts"
import { toHex } from "./hex.ts"
import { Hmac } from "./hmac.ts"

test("the vectors of RFC 4231 §4.2, §4.3 and §4.7", () => {
  const vectors = [
    [
      new Uint8Array(20).fill(0x0b),
      "Hi There",
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ],
    [
      toUtf8("Jefe"),
      "what do ya want for nothing?",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ],
    [
      new Uint8Array(131).fill(0xaa),
      "Test Using Larger Than Block-Size Key - Hash Key First",
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ],
  ] as const
  for (const [key, text, mac] of vectors)
    assert.equal(toHex(new Hmac(openSslHashes, key).of(toUtf8(text))), mac)
})

test("messages of every length around the ends of blocks have the platform's HMAC", () => {
  const key = toUtf8("a key that stays")
  const hmac = new Hmac(openSslHashes, key)
  for (let length = 0; length < 300; length++) {
    const message = Uint8Array.from({ length }, (_, at) => (at * 11 + length) & 255)
    const mac = createHmac("sha256", key).update(message).digest("hex")
    assert.equal(toHex(hmac.of(message.subarray(0, 5), message.subarray(5))), mac, `${length} bytes`)
    if (length > 200) continue
    hmac.scratch.set(message)
    const words = hmac.wordsOf(length)
    assert.equal(Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, "0")).join(""), mac)
  }
})
