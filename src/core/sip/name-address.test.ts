import assert from "node:assert/strict"
import { describe, test } from "node:test"
import fc from "fast-check"
import { FormatError } from "../kit/errors.ts"
import { formatNameAddress, nameAddress, parseNameAddress, splitList } from "./name-address.ts"
import { parseParameters } from "./parameters.ts"

const parts = (text: string) => {
  const { displayName, uri, parameters } = parseNameAddress(text)
  return [displayName, uri, parameters.toString()]
}

describe("parseNameAddress", () => {
  for (const [text, ...expected] of [
    ["sip:a@b", undefined, "sip:a@b", ""],
    ["sip:a@b;tag=1", undefined, "sip:a@b", ";tag=1"],
    ["<sip:a@b;lr>;tag=1", undefined, "sip:a@b;lr", ";tag=1"],
    ["<sip:a@b>", undefined, "sip:a@b", ""],
    ["Alice <sip:a@b>", "Alice", "sip:a@b", ""],
    ["Alice  B.  Cooper<sip:a@b>", "Alice B. Cooper", "sip:a@b", ""],
    ["J\xc3\xbcrgen <sip:a@b>", "J\xc3\xbcrgen", "sip:a@b", ""],
    ['"" <sip:a@b>', "", "sip:a@b", ""],
    ['"Bell, \\"A\\" \\\\ <sip:x@y>" <sip:a@b> ; TAG = 1', 'Bell, "A" \\ <sip:x@y>', "sip:a@b", ";tag=1"],
    ['sip:a@b;x="<sip:c@d>, ;"', undefined, "sip:a@b", ';x="<sip:c@d>, ;"'],
    ["<sip:a,b;c?d@e>", undefined, "sip:a,b;c?d@e", ""],
  ] as const) {
    test(`reads ${JSON.stringify(text)}`, () => assert.deepEqual(parts(text), expected))
  }

  for (const nonsense of [
    "",
    "<>",
    "Alice sip:a@b",
    '"Alice <sip:a@b>',
    '"Alice" sip:a@b',
    "<sip:a@b",
    "< sip:a@b >",
    "<sip:a@b>>",
    "<sip:a@b> x",
    "<sip:a@b>;",
    "<sip:a@b>;;tag=1",
    "<sip:a@b>;tag=1;tag=2",
    "Bell, Alexander <sip:a@b>",
    "sip:a@b, sip:c@d",
    "sip:a@b?x=y",
  ]) {
    test(`refuses ${JSON.stringify(nonsense)}`, () => {
      assert.throws(() => parseNameAddress(nonsense), FormatError)
    })
  }
})

test("formatNameAddress puts in quotes what parseNameAddress took out of them", () => {
  const address = { ...nameAddress("sip:a@b", parseParameters(";tag=1")), displayName: 'A "B" \\C' }
  assert.equal(formatNameAddress(address), '"A \\"B\\" \\\\C" <sip:a@b>;tag=1')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (codes) => {
      // A line break cannot be quoted: RFC 3261 §25.1.
      const displayName = String.fromCharCode(...codes).replaceAll(/[\r\n]/g, " ")
      const read = parseNameAddress(formatNameAddress({ ...nameAddress("sip:a@b"), displayName }))
      assert.equal(read.displayName, displayName)
    }),
  )
})

test("a display name cannot break out of its line", () => {
  const text = formatNameAddress({ ...nameAddress("sip:a@b"), displayName: "x\r\nContact: <sip:evil@e>" })
  assert.ok(!/[\r\n]/.test(text))
})

describe("splitList", () => {
  test("splits at commas, but not within quotes and brackets", () => {
    const text = '"a, \\", b" <sip:x,y@z>;p="1,2" ,\t<sip:c@d>, e'
    assert.deepEqual(splitList(text), ['"a, \\", b" <sip:x,y@z>;p="1,2"', "<sip:c@d>", "e"])
  })

  for (const nonsense of ["", ",", "a,", ",a", "a,,b", '"a, b']) {
    test(`refuses ${JSON.stringify(nonsense)}`, () => assert.throws(() => splitList(nonsense), FormatError))
  }

  test("has an end to patience", () => {
    assert.throws(() => splitList("a,".repeat(100_000)), FormatError)
  })
})
