import assert from "node:assert/strict"
import { test } from "node:test"
import { Names } from "./names.ts"

const names = new Names({
  domain: "example.org",
  aliases: () => ["10.0.0.2", "2001:db8::1", "10.0.0.3:5070"],
  listeners: [
    { transport: "UDP", advertised: { host: "10.0.0.1", port: 5062 } },
    { transport: "TLS", advertised: { host: "10.0.0.1", port: 5063 } },
  ],
})
const aor = (uri: string, arrivedBy: "UDP" | "TLS" = "UDP") => names.aorOf(uri, arrivedBy)

test("the domain and the addresses of nodes name the same user", () => {
  const ours = [
    "sip:bob@example.org",
    "sips:bob@Example.ORG:5061",
    "sip:b%6Fb@example.org;user=phone",
    "sip:bob:pw@10.0.0.1",
    "sip:bob@10.0.0.1:5062",
    "sip:bob@10.0.0.2:5062;transport=udp",
    "sips:bob@10.0.0.1:5063",
    "sip:bob@[2001:db8::1]",
    "sip:bob@10.0.0.3:5070",
  ]
  for (const uri of ours) assert.equal(aor(uri), "bob@example.org", uri)
  assert.equal(aor("sip:bob@10.0.0.1:5063", "TLS"), "bob@example.org")
})

test("another host, or a program on another port of ours, is somebody else", () => {
  const foreign = [
    "sip:bob@example.com",
    "sip:bob@sub.example.org",
    "sip:bob@10.0.0.1:5060",
    "sip:bob@10.0.0.1:5063",
    "sip:bob@10.0.0.3:5071",
    "tel:+358501234567",
    "sip:example.org",
    "nonsense",
  ]
  for (const uri of foreign) assert.equal(aor(uri), undefined, uri)
})

test("users differ by case, as RFC 3261 §19.1.4 has it", () => {
  assert.equal(aor("sip:Bob@example.org"), "Bob@example.org")
})
