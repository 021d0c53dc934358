import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { fromLatin1, toLatin1 } from "../../src/core/kit/bytes.ts"
import { LIMITS } from "../../src/core/kit/limits.ts"
import { HEADER_TABLE } from "../../src/core/sip/header-table.ts"
import { parseMessage } from "../../src/core/sip/parse.ts"
import {
  FIELD_NUMBER,
  FIELD_STRIDE,
  MessageScan,
  NAME_END,
  NAME_START,
  VALUE_END,
  VALUE_START,
} from "../../src/core/sip/scan.ts"
import { headerNumber, UNKNOWN } from "../../src/core/sip/scan-names.ts"
import { RFC_4475, RFC_5118, TORTURE, tortureBytes } from "./torture.ts"

const scan = new MessageScan()

/** What the scan found, in the shape in which `parseMessage` gives it. Undefined where it is not plain. */
function scanned(bytes: Uint8Array): unknown {
  if (!scan.read(bytes)) return undefined
  const text = toLatin1(bytes)
  const fields = Array.from({ length: scan.count }, (_, index) => {
    const at = (part: number) => scan.fields[index * FIELD_STRIDE + part]!
    const number = at(FIELD_NUMBER)
    const written = text.slice(at(NAME_START), at(NAME_END))
    const name = number === UNKNOWN ? written : HEADER_TABLE[number]!.name
    return { name, value: text.slice(at(VALUE_START), at(VALUE_END)) }
  })
  const line =
    scan.kind === "request"
      ? { method: text.slice(0, scan.methodEnd), uri: text.slice(scan.uriStart, scan.uriEnd) }
      : { status: scan.status, reason: text.slice(scan.reasonStart, scan.reasonEnd) }
  return { kind: scan.kind, ...line, fields, body: text.slice(scan.bodyStart, scan.bodyEnd) }
}

function parsed(bytes: Uint8Array): unknown {
  const { headers, ...rest } = parseMessage(bytes, { validate: false })
  return { ...rest, fields: headers.fields }
}

/** Whether it was plain; then both agree. */
function agrees(bytes: Uint8Array): boolean {
  const found = scanned(bytes)
  if (found !== undefined) assert.deepEqual(found, parsed(bytes))
  return found !== undefined
}

const plain = (text: string) => scan.read(fromLatin1(text))

const REGISTER = [
  "REGISTER sip:example.org SIP/2.0",
  "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport",
  "From: <sip:alice@example.org>;tag=1",
  "To: <sip:alice@example.org>",
  "Call-ID: 1@192.0.2.1",
  "CSeq: 1 REGISTER",
  "Contact: <sip:alice@192.0.2.1>",
  "X-Strange: yes",
  "Content-Length: 4",
  "",
  "body behind",
]
const written = (lines: readonly string[]) => lines.join("\r\n")
const without = (line: number, ...instead: readonly string[]) => REGISTER.toSpliced(line, 1, ...instead)

test("a message as phones write it is plain, and its parts are where they stand", () => {
  assert.ok(agrees(fromLatin1(written(REGISTER))))
  const text = written(REGISTER)
  assert.equal(text.slice(scan.bodyStart, scan.bodyEnd), "body")
  const callId = scan.first(headerNumber("Call-ID"))
  assert.equal(
    text.slice(scan.fields[callId + VALUE_START]!, scan.fields[callId + VALUE_END]!),
    "1@192.0.2.1",
  )
  assert.equal(scan.first(headerNumber("Route")), -1)
  assert.equal(scan.countOf(headerNumber("Contact")), 1)
})

test("what lies in the midst of other bytes is read as what lies alone", () => {
  const text = written(REGISTER)
  for (const before of [1, 2, 3, 5]) {
    const around = fromLatin1(`${"\r".repeat(before)}${text}\r\n\r\n`)
    assert.deepEqual(scanned(around.subarray(before, before + text.length)), parsed(fromLatin1(text)))
  }
})

test("every known name is recognised in any case and in compact form, and no other is", () => {
  for (const { name, compact } of HEADER_TABLE) {
    for (const spelling of [name, name.toLowerCase(), name.toUpperCase(), compact ?? name]) {
      if (name === "Content-Length") continue
      assert.ok(plain(written(["OPTIONS sip:a SIP/2.0", `${spelling}: 1`, "", ""])), spelling)
      assert.equal(scan.fields[FIELD_NUMBER], headerNumber(name), spelling)
    }
  }
  for (const name of ["Vio", "z", "Call.ID", "Call-IDs", "C", "\u0056ia!"]) {
    const known = HEADER_TABLE.find(({ name: other, compact }) =>
      [other.toLowerCase(), compact].includes(name.toLowerCase()),
    )
    assert.ok(plain(written(["OPTIONS sip:a SIP/2.0", `${name}: 1`, "", ""])), name)
    assert.equal(scan.fields[FIELD_NUMBER], known ? headerNumber(known.name) : UNKNOWN, name)
  }
})

test("what is not plain is left to the general reader", () => {
  const unusual: Readonly<Record<string, readonly string[]>> = {
    "an empty line first": ["", ...REGISTER],
    "two spaces in the start line": without(0, "REGISTER  sip:example.org SIP/2.0"),
    "a space behind the start line": without(0, "REGISTER sip:example.org SIP/2.0 "),
    "another version": without(0, "REGISTER sip:example.org SIP/3.0"),
    "no Request-URI": without(0, "REGISTER SIP/2.0"),
    "a long Request-URI": without(0, `REGISTER sip:${"a".repeat(LIMITS.sip.uriBytes)} SIP/2.0`),
    "a fold": without(7, "X-Strange: yes,", "\tno"),
    "white space before a colon": without(7, "X-Strange : yes"),
    "a line without a colon": without(7, "X-Strange"),
    "a line without a name": without(7, ": yes"),
    "a bare line feed": without(7, "X-Strange: yes\nno"),
    "a bare carriage return": without(7, "X-Strange: yes\rno"),
    "a zero byte": without(7, "X-Strange: yes\0no"),
    "a long header field": without(7, `X-Strange: ${"a".repeat(LIMITS.sip.headerBytes)}`),
    "too many header fields": without(7, ...Array.from({ length: LIMITS.sip.headerCount }, () => "X: 1")),
    "two Call-IDs": without(7, "i: 2"),
    "a Content-Length that is no number": without(8, "Content-Length: four"),
    "a Content-Length of nothing": without(8, "Content-Length:"),
    "a body that is shorter than announced": without(8, "Content-Length: 12"),
    "no empty line behind the headers": REGISTER.slice(0, 9),
    "a status of another class": ["SIP/2.0 700 OK", ...REGISTER.slice(1)],
    "a status without a reason": ["SIP/2.0 200", ...REGISTER.slice(1)],
  }
  for (const [what, lines] of Object.entries(unusual)) assert.equal(plain(written(lines)), false, what)
  assert.equal(scan.read(new Uint8Array()), false)
})

test("all of a torture message that the scan takes is what the general reader takes", () => {
  const taken = TORTURE.filter(({ name }) => agrees(tortureBytes(name)))
  const valid = [...RFC_4475, ...RFC_5118].filter(({ grammar }) => grammar === "valid")
  // Many are there for their folds and white space; of the rest none is left out.
  assert.ok(taken.length > 30, `only ${taken.length} messages were plain`)
  assert.ok(taken.filter((message) => valid.includes(message)).length > 20)
})

const splinters = ["\r\n", "\r\n ", "\n", "\r", "\0", "\t", " ", ":", "\x7f", "\xe9", "i: 1\r\n", "l: 0\r\n"]
const edit = fc.record({
  at: fc.noBias(fc.nat(9_999)).map((part) => part / 10_000),
  drop: fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.nat(2) },
    { weight: 1, arbitrary: fc.nat(200) },
  ),
  insert: fc.oneof(fc.constantFrom(...splinters), fc.string({ maxLength: 8, unit: "binary-ascii" })),
})
const messages = [fromLatin1(written(REGISTER)), ...TORTURE.map(({ name }) => tortureBytes(name))]
const mutant = fc
  .tuple(fc.constantFrom(...messages), fc.array(edit, { minLength: 1, maxLength: 3 }))
  .map(([message, edits]) =>
    edits.reduce((text, { at, drop, insert }) => {
      const start = Math.floor(at * text.length)
      return text.slice(0, start) + insert + text.slice(start + drop)
    }, Buffer.from(message).toString("latin1")),
  )

test("so is all of a mutant that the scan takes", () => {
  let taken = 0
  fc.assert(
    fc.property(mutant, (text) => {
      if (agrees(fromLatin1(text))) taken++
    }),
    { seed: 4475, numRuns: 5_000 },
  )
  assert.ok(taken > 500, `only ${taken} mutants were taken, so little was shown`)
})

const token = fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom(..."aZ09-.!%*_+`'~") })
const value = fc
  .string({ maxLength: 40, unit: fc.constantFrom(...'az <>;=:,"\\\t@%\xe9\xff') })
  .map((text) => text.replaceAll(/^[ \t]+|[ \t]+$/g, ""))
const name = fc.oneof(token, fc.constantFrom(...HEADER_TABLE.map(({ name }) => name.toUpperCase())))

test("every message of random plain fields is taken", () => {
  const field = fc.tuple(name, fc.constantFrom(":", ": ", ":\t "), value, fc.constantFrom("", " "))
  fc.assert(
    fc.property(token, fc.array(field, { maxLength: 20 }), fc.string(), (method, fields, body) => {
      const once = new Set<string>()
      const lines = fields.filter(([each]) => {
        const known = HEADER_TABLE.find((definition) => definition.name.toUpperCase() === each.toUpperCase())
        if (known?.name === "Content-Length" || (known?.once && once.has(known.name))) return false
        if (known) once.add(known.name)
        return true
      })
      const head = [`${method} sip:a@b SIP/2.0`, ...lines.map((parts) => parts.join(""))].join("\r\n")
      assert.ok(agrees(fromLatin1(`${head}\r\n\r\n${body}`)), head)
    }),
    { seed: 3261, numRuns: 1_000 },
  )
})
