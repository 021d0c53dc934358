import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { toUtf8 } from "./bytes.ts"
import { Likeness } from "./likeness.ts"

const EXAMPLE = toUtf8("sip:alice@192.0.2.1:5060")

test("what the example says is named by how far back it stands, and what is new is written", () => {
  const likeness = new Likeness(EXAMPLE, 100)
  // "sip:" stands 24 bytes before; "bob" is new; "@192.0.2.1:5060" stands 22 bytes before.
  const packed = Uint8Array.of(0x80 + 1, 24, 2, ...toUtf8("bob"), 0x80 + 12, 22)
  assert.deepEqual(likeness.pack(toUtf8("sip:bob@192.0.2.1:5060")), packed)
  assert.deepEqual(likeness.unpack(packed), toUtf8("sip:bob@192.0.2.1:5060"))
})

test("what bytes themselves repeat is named too, though it reaches into what it says", () => {
  const likeness = new Likeness(new Uint8Array(0), 100)
  const packed = Uint8Array.of(0, 0, 0x80 + 6, 1)
  assert.deepEqual(likeness.pack(new Uint8Array(10)), packed)
  assert.deepEqual(likeness.unpack(packed), new Uint8Array(10))
})

test("what would not become shorter is not packed, nor what is too long", () => {
  const likeness = new Likeness(EXAMPLE, 30)
  assert.equal(likeness.pack(toUtf8("quite new")), undefined)
  assert.equal(likeness.pack(new Uint8Array(0)), undefined)
  assert.equal(likeness.pack(new Uint8Array(31)), undefined)
  assert.equal(likeness.pack(new Uint8Array(30))?.length, 4)
})

test("whatever is packed comes back, whatever it is like", () => {
  const bytes = (maxLength: number) =>
    fc.oneof(
      fc.uint8Array({ maxLength, size: "max" }),
      fc.uint8Array({ maxLength, max: 2, size: "max" }),
      fc
        .array(fc.constantFrom("sip:", "alice", "@192.0.2.1", "\0\0\0\0", ":5060", "x"), {
          maxLength: 60,
          size: "max",
        })
        .map((parts) => toUtf8(parts.join("")).slice(0, maxLength)),
    )
  fc.assert(
    fc.property(bytes(400), fc.array(bytes(600), { minLength: 1, maxLength: 5 }), (example, all) => {
      const likeness = new Likeness(example, 600)
      for (const each of all) {
        const packed = likeness.pack(each)?.slice()
        if (packed === undefined) continue
        assert.ok(packed.length < each.length)
        assert.deepEqual(likeness.unpack(packed), each)
      }
    }),
  )
})
