import assert from "node:assert/strict"
import { test } from "node:test"
import { fromLatin1 } from "../../kit/bytes.ts"
import { Skeleton } from "./skeleton.ts"

const CREDENTIALS =
  'Digest username="alice", realm="example.org", nonce="AAAABBBBCCCC", uri="sip:example.org", ' +
  'response="0123456789abcdef0123456789abcdef", algorithm=MD5, qop=auth, nc=00000001, cnonce="c0ffee"'

const lines = (method: string, authorization: readonly string[]) => [
  `${method} sip:example.org SIP/2.0`,
  "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc;rport",
  "From: Alice <sip:alice@example.org>;tag=f1",
  "To: <sip:alice@example.org>",
  "Call-ID: c1@192.0.2.1",
  "CSeq: 7 REGISTER",
  "Contact: <sip:alice@192.0.2.1:5060>",
  "Expires: 600",
  ...authorization,
  "Content-Length: 4",
  "",
  "body",
]
const REGISTER = lines("REGISTER", [`Authorization: ${CREDENTIALS}`]).join("\r\n")
const OPTIONS = lines("OPTIONS", []).join("\r\n")

const skeleton = new Skeleton()

/** Both hashes; undefined where it is not plain. */
function shape(text: string): readonly number[] | undefined {
  if (!skeleton.read(fromLatin1(text))) return undefined
  const { a, b, credentials, hasCredentials } = skeleton
  return [a, b, ...(hasCredentials ? [credentials.a, credentials.b] : [])]
}

/** What may be anything, each with something else in its place. */
const FREE = [
  ["abc;rport", "xyz-12;rport"],
  ["tag=f1", "tag=other"],
  ["CSeq: 7 ", "CSeq: 123456789 "],
] as const
const FREE_IN_CREDENTIALS = [
  ["AAAABBBBCCCC", "DD"],
  ["0123456789abcdef0123456789abcdef", "f123456789abcdef0123456789abcdef"],
  ["00000001", "0000abcd"],
  ["c0ffee", "another one"],
] as const
const FREE_IN_OPTIONS = [["c1@192.0.2.1", "c2"]] as const

test("what a client writes anew each time leaves the skeleton as it is", () => {
  for (const [part, other] of [...FREE, ...FREE_IN_CREDENTIALS])
    assert.deepEqual(shape(REGISTER.replace(part, other)), shape(REGISTER), other)
  for (const [part, other] of [...FREE, ...FREE_IN_OPTIONS])
    assert.deepEqual(shape(OPTIONS.replace(part, other)), shape(OPTIONS), other)
})

test("without its credentials a REGISTER has the same skeleton", () => {
  const before = shape(REGISTER)?.slice(0, 2)
  assert.deepEqual(shape(lines("REGISTER", []).join("\r\n")), before)
  assert.equal(skeleton.hasCredentials, false)
})

test("any other byte that changes makes another skeleton, or one that is left to the general way", () => {
  for (const [text, free] of [
    [REGISTER, [...FREE, ...FREE_IN_CREDENTIALS]],
    [OPTIONS, [...FREE, ...FREE_IN_OPTIONS]],
  ] as const) {
    const before = shape(text)!
    const may = new Set(
      free.flatMap(([part]) => Array.from({ length: part.length }, (_, at) => text.indexOf(part) + at)),
    )
    for (let at = 0; at < text.length; at++) {
      if (may.has(at)) continue
      // That name is cut out with its line, so that its case does not matter.
      const isCase = text.indexOf("Authorization") <= at && at < text.indexOf(": Digest")
      for (const bit of [1, 2, 4, 8, 16, 64, 128, ...(isCase ? [] : [32])]) {
        const changed = String.fromCharCode(text.charCodeAt(at) ^ bit)
        const after = shape(text.slice(0, at) + changed + text.slice(at + 1))
        assert.notDeepEqual(after, before, `${at}: ${text.slice(at, at + 9)}`)
      }
    }
  }
})

test("what moves from one piece into the next makes another skeleton", () => {
  const moved = [
    REGISTER.replace("Alice <sip:alice@", "Alic <sip:ealice@"),
    REGISTER.replace("Expires: 600\r\n", "").replace("Contact:", "Expires: 600\r\nContact:"),
    REGISTER.replace("branch=z9hG4bKabc;rport", "rport;branch=z9hG4bKabc"),
    REGISTER.replace("algorithm=MD5, qop=auth", "qop=auth, algorithm=MD5"),
    REGISTER.replace('cnonce="c0ffee"', "cnonce=c0ffee"),
    REGISTER.replace("Content-Length: 4\r\n\r\nbody", "Content-Length: 3\r\n\r\nbod"),
  ]
  const all = [REGISTER, ...moved].map((text) => String(shape(text)))
  assert.equal(new Set(all).size, all.length)
})

test("fifty thousand phones have as many skeletons", () => {
  const phones = 50_000
  const seen = new Set<string>()
  for (let phone = 0; phone < phones; phone++)
    seen.add(String(shape(REGISTER.replaceAll("alice", `u${phone}`))?.slice(0, 2)))
  assert.equal(seen.size, phones)
})

test("a branch, CSeq, credential or message that is not plain is left to the general way", () => {
  const unusual = [
    REGISTER.replace("z9hG4bKabc", "abc"),
    REGISTER.replace("z9hG4bKabc", "z9hG4bK"),
    REGISTER.replace(";branch=z9hG4bKabc", ""),
    REGISTER.replace(";rport", ";branch=z9hG4bKabc;rport"),
    REGISTER.replace(";rport", ";rport=5060"),
    REGISTER.replace("CSeq: 7", "CSeq: 1234567890"),
    REGISTER.replace("CSeq: 7", "CSeq:"),
    REGISTER.replace("CSeq: 7 REGISTER\r\n", ""),
    REGISTER.replace("nc=00000001", "nc=0000000g"),
    REGISTER.replace("nc=00000001, ", ""),
    REGISTER.replace('cnonce="c0ffee"', 'cnonce="c0\\ffee"'),
    REGISTER.replace('cnonce="c0ffee"', 'cnonce="c0ffee'),
    REGISTER.replace("algorithm=MD5,", "algorithm=MD5;"),
    REGISTER.replace("algorithm=MD5", "algorithm"),
    REGISTER.replace("Expires: 600", "Record-Route: <sip:a;lr>"),
    REGISTER.replace("Expires: 600", "Via: SIP/2.0/UDP 192.0.2.9"),
    REGISTER.replace("REGISTER sip", "PUBLISH sip"),
    REGISTER.replace("body", "b".repeat(5_000)),
  ]
  for (const text of unusual) assert.equal(shape(text), undefined, text)
})
