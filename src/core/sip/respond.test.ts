import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { Headers, NO_BODY, type SipRequest } from "./message.ts"
import { makeResponse, reasonOf } from "./respond.ts"

const headers = (...fields: readonly (readonly [string, string])[]) =>
  new Headers(fields.map(([name, value]) => ({ name, value })))

const request = (to = "<sip:bob@example.org>"): SipRequest => ({
  kind: "request",
  method: "INVITE",
  uri: "sip:bob@example.org",
  headers: headers(
    ["Via", "SIP/2.0/UDP a;branch=z9hG4bK1"],
    ["Record-Route", "<sip:p;lr>"],
    ["Via", "SIP/2.0/UDP b;branch=z9hG4bK2"],
    ["From", "<sip:alice@example.org>;tag=a"],
    ["To", to],
    ["Call-ID", "1"],
    ["CSeq", "1 INVITE"],
    ["Timestamp", "54"],
    ["Subject", "x"],
  ),
  body: NO_BODY,
})

const names = (status: number) => makeResponse(request(), status).headers.fields.map(({ name }) => name)

describe("makeResponse", () => {
  test("repeats what RFC 3261 §8.2.6.2 says, in order, and nothing else", () => {
    assert.deepEqual(names(404), ["Via", "Via", "From", "To", "Call-ID", "CSeq"])
  })

  test("repeats Timestamp in a 100 and Record-Route where a dialog may begin", () => {
    assert.deepEqual(names(100), ["Via", "Via", "From", "To", "Call-ID", "CSeq", "Timestamp"])
    for (const status of [180, 200]) assert.ok(names(status).includes("Record-Route"))
  })

  test("puts a tag into To, unless To has one or cannot be read", () => {
    const to = (text: string) =>
      makeResponse(request(text), 404, undefined, { toTag: "t" }).headers.first("To")
    assert.equal(to("<sip:bob@example.org>"), "<sip:bob@example.org>;tag=t")
    assert.equal(to("<sip:bob@example.org;tag=u>;x"), "<sip:bob@example.org;tag=u>;x;tag=t")
    assert.equal(to("sip:bob@example.org;Tag=b"), "sip:bob@example.org;Tag=b")
    assert.equal(to('"Bob <sip:bob@example.org>'), '"Bob <sip:bob@example.org>')
  })

  test("adds what it is given, with its own reason if any", () => {
    const extra = { headers: [{ name: "Retry-After", value: "5" }] }
    const response = makeResponse(request(), 503, "No Store", extra)
    assert.deepEqual([response.status, response.reason], [503, "No Store"])
    assert.equal(response.headers.first("Retry-After"), "5")
  })
})

test("a status without a phrase of its own has that of its class", () => {
  assert.equal(reasonOf(480), "Temporarily Unavailable")
  assert.equal(reasonOf(499), "Bad Request")
  assert.equal(reasonOf(299), "OK")
})
