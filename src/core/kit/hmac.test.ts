import assert from "node:assert/strict"
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
