import assert from "node:assert/strict"
import { test } from "node:test"
import type { PeerCertificate } from "node:tls"
import { checkSipIdentity } from "./sip-identity.ts"

const accepts = (wanted: string, subjectaltname: string | undefined, CN = "") =>
  checkSipIdentity(wanted, { subject: { CN }, subjectaltname } as unknown as PeerCertificate) === undefined

test("a sip: URI without a user names a domain, and shuts out DNS names (RFC 5922 §7.1)", () => {
  assert.ok(accepts("Example.org", "URI:sip:example.org"))
  assert.ok(accepts("example.org", "URI:SIP:EXAMPLE.ORG, DNS:host.example.org"))
  assert.ok(!accepts("host.example.org", "URI:sip:example.org, DNS:host.example.org"))
  assert.ok(!accepts("example.org", "URI:sip:alice@example.org"))
  assert.ok(!accepts("example.org", "URI:https://example.org"))
})

test("DNS names count whole: no suffix, no wildcard (RFC 5922 §7.2)", () => {
  assert.ok(accepts("sip.example.org", "DNS:other.example, DNS:sip.example.org"))
  assert.ok(!accepts("sip.example.org", "DNS:example.org"))
  assert.ok(!accepts("sip.example.org", "DNS:*.example.org"))
})

test("addresses are compared as addresses", () => {
  assert.ok(accepts("192.0.2.1", "IP Address:192.0.2.1"))
  assert.ok(accepts("2001:db8::1", "IP Address:2001:DB8:0:0:0:0:0:1"))
  assert.ok(!accepts("192.0.2.1", "DNS:example.org, IP Address:192.0.2.2"))
})

test("the common name counts only where there is no SubjectAltName", () => {
  assert.ok(accepts("example.org", undefined, "example.org"))
  assert.ok(!accepts("example.org", "DNS:other.example", "example.org"))
})

test("a name that was quoted because it holds a separator is nobody's", () => {
  assert.ok(!accepts("example.org", 'DNS:"evil.example, DNS:example.org"'))
})
