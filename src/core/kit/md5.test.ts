import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { test } from "node:test"
import { fromLatin1 } from "./bytes.ts"
import { toHex } from "./hex.ts"
import { md5, md5Room, md5Words } from "./md5.ts"

function hexOf(text: string): string {
  // Of anything before, nothing may be left.
  const memory = new Uint8Array(md5Room(text.length)).fill(0xff)
  memory.set(fromLatin1(text))
  md5(new DataView(memory.buffer), text.length)
  return toHex(new Uint8Array(Int32Array.from(md5Words).buffer))
}

test("the test suite of RFC 1321 §A.5", () => {
  const suite = [
    ["", "d41d8cd98f00b204e9800998ecf8427e"],
    ["a", "0cc175b9c0f1b6a831c399e269772661"],
    ["abc", "900150983cd24fb0d6963f7d28e17f72"],
    ["message digest", "f96b697d7cb7938d525a2f31aaf161d0"],
    ["abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"],
    ["ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"],
    [
      "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
      "57edf4a22be3c955ac49da2e2107b67a",
    ],
  ] as const
  for (const [text, digest] of suite) assert.equal(hexOf(text), digest)
})

test("messages of every length around the ends of blocks are hashed as the platform does", () => {
  for (let length = 0; length < 260; length++) {
    const text = Array.from({ length }, (_, at) => String.fromCharCode((at * 7 + length) & 255)).join("")
    assert.equal(hexOf(text), createHash("md5").update(text, "latin1").digest("hex"), `${length} bytes`)
  }
})
