import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { phoneFlow } from "../../../../test/support/phone-flow.ts"
import { headerNumber } from "../../sip/scan-names.ts"
import { ScannedRequest } from "./scanned-request.ts"

const flow = phoneFlow("192.0.2.2", "192.0.2.1")

const REPEATED = {
  Via: "SIP/2.0/UDP 192.0.2.2;rport;branch=z9hG4bK1",
  From: '"J\xe4s" <sip:alice@example.org>;tag=1',
  To: "<sip:bob@example.org>",
  "Call-ID": "1@example.org",
  CSeq: "1 BYE",
}
const LINES = [
  ...Object.entries(REPEATED).map(([name, value]) => `${name}: ${value}`),
  "Route: <sip:192.0.2.1;lr>",
  "Route: <sip:192.0.2.1:5062;lr>",
  "Max-Forwards: 10",
  "X-Other: 1",
  "Content-Length: 4",
]

test("what a response will repeat stands where the request says, in whatever order and whatever has been changed", () => {
  const lines = fc.shuffledSubarray(LINES, { minLength: LINES.length })
  const properties = [lines, fc.boolean(), fc.boolean(), fc.boolean()] as const
  const check = (order: readonly string[], marks: boolean, counts: boolean, routes: boolean) => {
    const text = `BYE sip:bob@192.0.2.3 SIP/2.0\r\n${order.join("\r\n")}\r\n\r\nbody`
    const request = new ScannedRequest()
    assert.ok(request.read(new Uint8Array(Buffer.from(text, "latin1")), flow, []))
    const via = `${REPEATED.Via};received=192.0.2.2`
    request.beginRest()
    for (const [index, line] of order.entries()) {
      const place = index * 5
      if (routes && line.startsWith("Route:")) request.leaveOut(place)
      if (marks && line.startsWith("Via:")) request.replace(place, via)
      if (counts && line.startsWith("Max-Forwards:")) request.replace(place, "9")
    }
    const whole = `BYE sip:bob@192.0.2.3 SIP/2.0\r\nVia: ours\r\n${request.endRest()}`
    const wanted = order
      .filter((line) => !routes || !line.startsWith("Route:"))
      .map((line) => (marks && line.startsWith("Via:") ? `Via: ${via}` : line))
      .map((line) => (counts && line.startsWith("Max-Forwards:") ? "Max-Forwards: 9" : line))
    assert.equal(whole, `BYE sip:bob@192.0.2.3 SIP/2.0\r\nVia: ours\r\n${wanted.join("\r\n")}\r\n\r\nbody`)
    const { repeated } = request
    const found = Object.keys(REPEATED).map((_, at) =>
      whole.slice(whole.length - repeated[2 * at]!, whole.length - repeated[2 * at + 1]!),
    )
    assert.deepEqual(found, [marks ? via : REPEATED.Via, ...Object.values(REPEATED).slice(1)])
    assert.equal(request.value(headerNumber("To")), REPEATED.To)
  }
  fc.assert(fc.property(...properties, check))
})
