import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { Packer, textOf, Unpacker } from "./packed.ts"

type Item =
  | { readonly kind: "byte" | "count" | "number"; readonly value: number }
  | { readonly kind: "text"; readonly value: string }

const item: fc.Arbitrary<Item> = fc.oneof(
  fc.record({ kind: fc.constant("byte" as const), value: fc.nat(255) }),
  fc.record({ kind: fc.constant("count" as const), value: fc.oneof(fc.nat(300), fc.nat(2 ** 31 - 1)) }),
  fc.record({
    kind: fc.constant("number" as const),
    value: fc.oneof(fc.nat(300), fc.maxSafeNat(), fc.integer({ min: 2 ** 31 - 2, max: 2 ** 31 + 2 })),
  }),
  fc.record({
    kind: fc.constant("text" as const),
    value: fc.oneof(
      fc.string(),
      fc.string({ unit: "grapheme" }),
      fc.string({ minLength: 250, maxLength: 900, size: "max" }),
    ),
  }),
)

test("what is packed is read as it was, in the same order, wherever it stands", () => {
  const [packer, unpacker] = [new Packer(), new Unpacker()]
  fc.assert(
    fc.property(fc.array(item), fc.nat(40), (items, ahead) => {
      packer.begin(ahead)
      for (const each of items) {
        if (each.kind === "text") packer.text(each.value)
        else packer[each.kind](each.value)
      }
      const bytes = packer.end().slice()
      unpacker.begin(bytes, ahead)
      for (const { kind, value } of items) assert.equal(unpacker[kind](), value)
      assert.equal(unpacker.at, bytes.length)
    }),
  )
})

test("the places ahead can be written, and are zeros where they are not, whatever was there before", () => {
  const packer = new Packer()
  packer.begin(0)
  packer.text("xxxxxxxx")
  packer.begin(8).setUint16(2, 0x0102)
  packer.byte(7)
  assert.deepEqual([...packer.end()], [0, 0, 1, 2, 0, 0, 0, 0, 7])
})

test("counts take seven bits a byte, and ASCII a byte a character", () => {
  const packer = new Packer()
  packer.begin(0)
  packer.count(127)
  packer.count(128)
  packer.text("é")
  assert.deepEqual([...packer.end()], [127, 0x80, 1, 2, 0xc3, 0xa9])
  assert.equal(textOf(packer.end(), 4, 6), "é")
})
