import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { toUtf8 } from "../../kit/bytes.ts"
import type { SipRequest } from "../../sip/message.ts"
import { parseMessage } from "../../sip/parse.ts"
import { repairStrictRoute, validateForwarding } from "./validation.ts"

function request(first: string, ...headers: readonly string[]): SipRequest {
  const method = first.split(" ")[0]
  const text = [
    `${first} SIP/2.0`,
    "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKone",
    "From: <sip:alice@example.org>;tag=a",
    "To: <sip:bob@example.org>",
    "Call-ID: call",
    `CSeq: 1 ${method}`,
    ...headers,
    "",
    "",
  ].join("\r\n")
  return parseMessage(toUtf8(text)) as SipRequest
}

const statusOf = (...parts: Parameters<typeof request>) => validateForwarding(request(...parts))?.status

describe("validateForwarding", () => {
  test("lets through what can be forwarded, with Max-Forwards or without", () => {
    assert.equal(statusOf("INVITE sip:bob@example.org"), undefined)
    assert.equal(statusOf("INVITE SIPS:bob@example.org", "Max-Forwards: 1"), undefined)
  })

  test("stops at Max-Forwards 0: 483, but OPTIONS may be answered here", () => {
    assert.equal(statusOf("INVITE sip:bob@example.org", "Max-Forwards: 0"), 483)
    assert.equal(statusOf("OPTIONS sip:bob@example.org", "Max-Forwards: 0"), undefined)
  })

  test("refuses every Proxy-Require and names what it does not know: 420", () => {
    const refused = validateForwarding(
      request("INVITE sip:bob@example.org", "Proxy-Require: foo, bar", "Proxy-Require: baz"),
    )
    assert.deepEqual([refused?.status, refused?.headers.first("Unsupported")], [420, "foo, bar, baz"])
    assert.equal(statusOf("INVITE sip:bob@example.org", "Proxy-Require: a,,b"), 420)
  })

  test("refuses a scheme that it cannot route, unless a Route tells the way: 416", () => {
    assert.equal(statusOf("INVITE nobody:knows"), 416)
    assert.equal(statusOf("INVITE nobody:knows", "Route: <sip:next.example;lr>"), undefined)
  })
})

describe("repairStrictRoute", () => {
  const isOurs = (uri: string) => uri === "sip:token@192.0.2.1;lr"

  test("takes the last Route value for the Request-URI where that is our own: RFC 3261 §16.4", () => {
    const routed = request("BYE sip:token@192.0.2.1;lr", "Route: <sip:next;lr>, <sip:bob@203.0.113.1>")
    const repaired = repairStrictRoute(routed, isOurs)
    assert.equal(repaired.uri, "sip:bob@203.0.113.1")
    assert.deepEqual(repaired.headers.all("Route"), ["<sip:next;lr>"])
    const last = repairStrictRoute(request("BYE sip:token@192.0.2.1;lr", "Route: <sip:bob@b>"), isOurs)
    assert.deepEqual([last.uri, last.headers.has("Route")], ["sip:bob@b", false])
  })

  test("leaves others' alone", () => {
    const routed = request("BYE sip:bob@203.0.113.1", "Route: <sip:token@192.0.2.1;lr>")
    assert.equal(repairStrictRoute(routed, isOurs), routed)
  })
})
