import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { plainMessage } from "../../../test/support/plain-message.ts"
import { fromLatin1, toLatin1 } from "../kit/bytes.ts"
import { LIMITS } from "../kit/limits.ts"
import type { SipMessage } from "./message.ts"
import { parseMessage } from "./parse.ts"
import { SipParseError } from "./parse-error.ts"
import { serializeMessage } from "./serialize.ts"

const START = "OPTIONS sip:bob@example.org SIP/2.0"
const FIELDS = [
  "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
  "From: <sip:alice@example.org>;tag=a",
  "To: <sip:bob@example.org>",
  "Call-ID: 1@192.0.2.1",
  "CSeq: 1 OPTIONS",
]

const written = (fields: readonly string[], body = "", start = START) =>
  fromLatin1(`${[start, ...fields].join("\r\n")}\r\n\r\n${body}`)

const parse = (more: readonly string[] = [], body = "", start = START): SipMessage =>
  parseMessage(written([...FIELDS, ...more], body, start))

function refusal(bytes: Uint8Array): SipParseError {
  try {
    parseMessage(bytes)
  } catch (error) {
    if (error instanceof SipParseError) return error
    throw error
  }
  throw new assert.AssertionError({ message: "the message was taken" })
}

const without = (name: string) => FIELDS.filter((field) => !field.startsWith(`${name}:`))

describe("parseMessage", () => {
  test("spells the names of known header fields as their RFCs do, and leaves others alone", () => {
    const { headers } = parse(["SUBJECT: x", "k: path", "x-Own: 1"])
    assert.deepEqual(
      headers.fields.slice(5).map(({ name }) => name),
      ["Subject", "Supported", "x-Own"],
    )
  })

  test("keeps the bytes of a value, UTF-8 or not, up to its last one", () => {
    // A character of two bytes, the second of which Unicode takes for a space.
    const { headers } = parse(["Subject: \t voil\xc3\xa0 \t"])
    assert.equal(headers.first("Subject"), "voil\xc3\xa0")
  })

  test("makes one space of a fold, whatever white space it has", () => {
    assert.equal(parse(["Subject: a \r\n\t  b\r\n c"]).headers.first("Subject"), "a b c")
    assert.equal(parse(["Subject:\r\n a"]).headers.first("Subject"), "a")
  })

  test("overlooks empty lines before the message", () => {
    const bytes = written(FIELDS)
    const behindEmptyLines = Uint8Array.from([13, 10, 13, 10, ...bytes])
    assert.deepEqual(plainMessage(parseMessage(behindEmptyLines)), plainMessage(parseMessage(bytes)))
  })

  test("does without the empty line where the message ends with its headers", () => {
    const bytes = written(FIELDS)
    const cut = parseMessage(bytes.subarray(0, bytes.length - 2))
    assert.deepEqual(plainMessage(cut), plainMessage(parseMessage(bytes)))
  })

  test("takes as body what Content-Length says, and all there is where it says nothing", () => {
    assert.equal(parse(["Content-Length: 3"], "abcdef").body, "abc")
    assert.equal(parse(["Content-Length: 0003"], "abcdef").body, "abc")
    assert.equal(parse([], "abc\r\n\r\ndef").body, "abc\r\n\r\ndef")
  })

  test("keeps no hold of the buffer that it reads from", () => {
    const buffer = Buffer.from(written(FIELDS, "body"))
    const { body } = parseMessage(buffer)
    buffer.fill(0)
    assert.equal(body, "body")
  })

  test("reads the version in any case of letters", () => {
    assert.equal(parse([], "", "OPTIONS sip:bob@example.org sip/2.0").kind, "request")
  })

  test("leaves out validation when told to", () => {
    assert.equal(parseMessage(written(["Via: nonsense"]), { validate: false }).kind, "request")
  })

  for (const [what, bytes] of [
    ["nothing", ""],
    ["a keep-alive", "\r\n\r\n"],
    ["zero bytes", "\0\0\0\0"],
    ["another protocol", "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"],
    ["a broken response", "SIP/2.0 20 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\r\n"],
    ["a broken ACK", "ACK sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\r\n"],
    ["a request without Via", "OPTIONS sip:a@b SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n"],
  ] as const) {
    test(`lets nobody answer ${what}`, () => assert.equal(refusal(fromLatin1(bytes)).salvage, undefined))
  }

  const refused: readonly (readonly [what: string, status: number, reason: string, bytes: Uint8Array])[] = [
    ["no From", 400, "Missing From", written(without("From"))],
    ["no To", 400, "Missing To", written(without("To"))],
    ["no Call-ID", 400, "Missing Call-ID", written(without("Call-ID"))],
    ["no CSeq", 400, "Missing CSeq", written(without("CSeq"))],
    ["an empty Call-ID", 400, "Bad Call-ID", written([...without("Call-ID"), "Call-ID:"])],
    ["a CSeq without method", 400, "Bad CSeq", written([...without("CSeq"), "CSeq: 1"])],
    ["a Max-Forwards beyond 255", 400, "Bad Max-Forwards", written([...FIELDS, "Max-Forwards: 256"])],
    ["a Route that is no name-addr", 400, "Bad Route", written([...FIELDS, "Route: <sip:a@b"])],
    ["a second Expires", 400, "Multiple Expires", written([...FIELDS, "Expires: 1", "Expires: 2"])],
    ["a line without colon", 400, "Bad Header Line", written([...FIELDS, "nonsense"])],
    ["a space in a name", 400, "Bad Header Line", written([...FIELDS, "a b: c"])],
    ["a line feed alone", 400, "Bad Header Line", written([...FIELDS, "Subject: a\nRoute: <sip:evil@e>"])],
    ["a carriage return alone", 400, "Bad Header Line", written([...FIELDS, "Subject: a\rb"])],
    [
      "a header line that does not end",
      400,
      "Truncated Header",
      fromLatin1([START, ...FIELDS, "Exp"].join("\r\n")),
    ],
    ["a fold of the start line", 400, "Bad Header Line", written([" Subject: a", ...FIELDS])],
    ["no version", 400, "Bad Request Line", written(FIELDS, "", "OPTIONS sip:bob@example.org")],
    [
      "a long URI",
      414,
      "Request-URI Too Long",
      written(FIELDS, "", `OPTIONS sip:${"a".repeat(5_000)} SIP/2.0`),
    ],
    [
      "many header fields",
      513,
      "More Than 256 Header Fields",
      written([...FIELDS, ...new Array<string>(300).fill("a: b")]),
    ],
    [
      "many broken lines",
      400,
      "Bad Header Line",
      written([...FIELDS, ...new Array<string>(20_000).fill("a")]),
    ],
    [
      "a long header field",
      513,
      "Header Field Above 16384 Bytes",
      written([...FIELDS, `a: ${"b".repeat(LIMITS.sip.headerBytes)}`]),
    ],
  ]
  for (const [what, status, reason, bytes] of refused) {
    test(`refuses ${what} so that it can be answered ${status} ${reason}`, () => {
      const error = refusal(bytes)
      assert.deepEqual([error.status, error.reason], [status, reason])
      assert.equal(error.salvage?.headers.first("Via"), "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1")
    })
  }
})

describe("serializeMessage", () => {
  test("writes what came in, with Content-Length put right", () => {
    const fields = [...FIELDS, "Content-Length: 9", "Subject: x"]
    const message = parseMessage(written(fields, "123456789"))
    const changed = serializeMessage({ ...message, body: "\xff\x00" })
    assert.deepEqual(changed, written([...FIELDS, "Content-Length: 2", "Subject: x"], "\xff\x00"))
  })

  test("adds Content-Length where there is none", () => {
    assert.deepEqual(serializeMessage(parse()), written([...FIELDS, "Content-Length: 0"]))
  })

  test("lets no value begin another line, however it is spelled", () => {
    const message = parse()
    const headers = message.headers.append("Warning", "a\r\nRoute: b\u010aRoute: c")
    const text = toLatin1(serializeMessage({ ...message, headers }))
    assert.ok(text.includes("Warning: a  Route: b?Route: c\r\n"))
  })
})
