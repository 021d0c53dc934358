import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { FormatError } from "../kit/errors.ts"
import { branchOf, formatVia, parseVia } from "./via.ts"

describe("parseVia", () => {
  test("reads transport, sent-by and parameters, wherever white space stands", () => {
    const via = parseVia("sip / 2.0 /tls  Host.Example.com : 5061 ; branch = z9hG4bK1 ;rport")
    assert.deepEqual([via.transport, via.host, via.port], ["TLS", "Host.Example.com", 5061])
    assert.equal(branchOf(via), "z9hG4bK1")
    assert.ok(via.parameters.has("rport"))
    assert.equal(formatVia(via), "SIP/2.0/TLS Host.Example.com:5061;branch=z9hG4bK1;rport")
  })

  test("takes what RFC 3581 and RFC 5118 put into it", () => {
    const via = parseVia("SIP/2.0/UDP [2001:db8::9:1]:5062;received=2001:db8::9:255;rport=1024")
    const answer = { ...via, parameters: via.parameters.with("rport", "1025").with("received", "192.0.2.1") }
    assert.equal(formatVia(answer), "SIP/2.0/UDP [2001:db8::9:1]:5062;received=192.0.2.1;rport=1025")
  })

  for (const nonsense of [
    "",
    "SIP/2.0/UDP",
    "SIP/2.0/UDP ",
    "SIP/2.0UDP host",
    "SIP/3.0/UDP host",
    "HTTP/2.0/UDP host",
    "SIP/2.0/UDP host:",
    "SIP/2.0/UDP host:99999",
    "SIP/2.0/UDP host;",
    "SIP/2.0/UDP host;;branch=x",
    "SIP/2.0/UDP 2001:db8::1",
    "SIP/2.0/UDP [2001:db8::1",
    "SIP/2.0/UDP host;branch=a;branch=b",
    "SIP/2.0/UDP host, SIP/2.0/UDP host",
  ]) {
    test(`refuses ${JSON.stringify(nonsense)}`, () => assert.throws(() => parseVia(nonsense), FormatError))
  }
})
