import assert from "node:assert/strict"
import { test } from "node:test"
import { fromLatin1, toLatin1 } from "../../src/core/kit/bytes.ts"
import { contactsOf, viasOf } from "../../src/core/sip/fields.ts"
import type { SipRequest } from "../../src/core/sip/message.ts"
import { parseMessage } from "../../src/core/sip/parse.ts"
import { SipParseError } from "../../src/core/sip/parse-error.ts"
import { serializeMessage } from "../../src/core/sip/serialize.ts"
import { equalUris, parseSipUri } from "../../src/core/sip/uri.ts"
import { RFC_5118, tortureBytes } from "./torture.ts"

const tested = new Set<string>()

function valid(name: string, claim: string, look: (request: SipRequest) => void): void {
  tested.add(name)
  const entry = RFC_5118.find((message) => message.name === name)
  test(`RFC 5118 §${entry?.section} ${name}: ${claim}`, () => {
    assert.equal(entry?.grammar, "valid")
    const request = parseMessage(tortureBytes(name))
    assert.ok(request.kind === "request")
    look(request)
    assert.deepEqual(parseMessage(serializeMessage(request)), request, "survives being forwarded")
  })
}

valid("ipv6-good", "IPv6 addresses stand in brackets wherever a host may", (request) => {
  assert.equal(parseSipUri(request.uri).host, "[2001:db8::10]")
  assert.equal(viasOf(request)[0]!.host, "[2001:db8::9:1]")
  const contacts = contactsOf(request)
  assert.ok(contacts !== "*")
  assert.equal(parseSipUri(contacts[0]!.uri).host, "[2001:db8::1]")
})

tested.add("ipv6-bad")
test("RFC 5118 §4.2 ipv6-bad: an IPv6 address without brackets is 400", () => {
  assert.throws(
    () => parseMessage(tortureBytes("ipv6-bad")),
    (error) =>
      error instanceof SipParseError &&
      error.status === 400 &&
      error.reason === "Bad Request-URI" &&
      error.salvage?.headers.first("Via") === "SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111",
  )
})

valid("port-ambiguous", "digits within the brackets are the address's", (request) => {
  const { host, port } = parseSipUri(request.uri)
  assert.deepEqual([host, port], ["[2001:db8::10:5070]", undefined])
})

valid("port-unambiguous", "digits behind the brackets are the port", (request) => {
  const { host, port } = parseSipUri(request.uri)
  assert.deepEqual([host, port], ["[2001:db8::10]", 5070])
})

valid("via-received-param-with-delim", "received may have brackets", (request) => {
  assert.equal(viasOf(request)[0]!.parameters.get("received"), "[2001:db8::9:255]")
})

valid("via-received-param-no-delim", "received may do without brackets", (request) => {
  assert.equal(viasOf(request)[0]!.parameters.get("received"), "2001:db8::9:255")
})

valid("ipv6-in-sdp", "the body is left alone", (request) => {
  assert.ok(request.body.includes("\r\nc=IN IP6 2001:db8::20\r\n"))
})

test("RFC 5118 §4.6 ipv6-in-sdp: with the RFC's own Content-Length, 17 too many, it is 400 (RFC 3261 §18.3)", () => {
  const text = toLatin1(tortureBytes("ipv6-in-sdp")).replace("Content-Length: 251", "Content-Length: 268")
  assert.throws(() => parseMessage(fromLatin1(text)), { status: 400, reason: "Content-Length Too Large" })
})

valid("mult-ip-in-header", "Vias of IPv4 and IPv6 stand side by side", (request) => {
  assert.deepEqual(
    viasOf(request).map(({ transport, host, port, parameters }) => [
      transport,
      host,
      port,
      parameters.get("received"),
    ]),
    [
      ["UDP", "[2001:db8::9:1]", 6050, undefined],
      ["UDP", "192.0.2.1", undefined, undefined],
      ["TCP", "[2001:db8::9:255]", undefined, "192.0.2.200"],
    ],
  )
})

valid("mult-ip-in-sdp", "the body is left alone, of whatever kinds its addresses are", (request) => {
  assert.equal(request.body.length, 189)
})

valid("ipv4-mapped-ipv6", "an IPv4 address may end an IPv6 one", (request) => {
  const [top] = viasOf(request)
  assert.deepEqual([top!.host, top!.port], ["[::ffff:192.0.2.10]", 19823])
})

valid("ipv6-bug-abnf-3-colons", "the third colon of RFC 3261's grammar is overlooked", (request) => {
  const correct = parseMessage(tortureBytes("ipv6-correct-abnf-2-colons"))
  assert.ok(correct.kind === "request")
  assert.ok(equalUris(parseSipUri(request.uri), parseSipUri(correct.uri)))
})

valid("ipv6-correct-abnf-2-colons", "two colons before an IPv4 address are right", (request) => {
  assert.equal(parseSipUri(request.uri).host, "[2001:db8::192.0.2.1]")
})

test("every message of RFC 5118 has its test", () => {
  assert.deepEqual(
    RFC_5118.map(({ name }) => name).filter((name) => !tested.has(name)),
    [],
  )
})
