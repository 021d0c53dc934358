import assert from "node:assert/strict"
import { test } from "node:test"
import { formatIp, ipBytes, isWithin, parseCidr, sameHost } from "./ip.ts"

test("addresses come back in the short form of RFC 5952", () => {
  const forms = [
    ["192.0.2.1", "192.0.2.1"],
    ["2001:0DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["::", "::"],
    ["::1", "::1"],
    ["[1:0:0:2::3]", "1:0:0:2::3"],
    ["::ffff:192.0.2.1", "::ffff:c000:201"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
  ] as const
  for (const [text, short] of forms) assert.equal(formatIp(ipBytes(text)!), short)
})

test("what is no address is none", () => {
  for (const text of [
    "",
    "1.2.3",
    "1.2.3.256",
    "a.b.c.d",
    "1::2::3",
    ":1",
    "1:2:3:4:5:6:7",
    "fe80::1%eth0",
    "12345::",
  ])
    assert.equal(ipBytes(text), undefined, text)
})

test("hosts are the same however they are written", () => {
  assert.ok(sameHost("[2001:db8::1]", "2001:db8:0::0001"))
  assert.ok(sameHost("::ffff:192.0.2.1", "192.0.2.1"))
  assert.ok(sameHost("Host", "host"))
  assert.ok(!sameHost("192.0.2.1", "192.0.2.2"))
})

test("blocks hold their addresses and no others", () => {
  const holds = (block: string, host: string) => isWithin(host, parseCidr(block)!)
  assert.ok(holds("192.0.2.0/25", "192.0.2.127"))
  assert.ok(!holds("192.0.2.0/25", "192.0.2.128"))
  assert.ok(holds("192.0.2.0/24", "::ffff:192.0.2.9"))
  assert.ok(holds("2001:db8::/33", "2001:db8:7fff::1"))
  assert.ok(!holds("2001:db8::/33", "2001:db8:8000::1"))
  assert.ok(holds("10.0.0.1", "10.0.0.1"))
  assert.ok(!holds("0.0.0.0/0", "::1"))
  for (const text of ["10.0.0.0/33", "host/8", "10.0.0.0/8/8", "10.0.0.0/x"])
    assert.equal(parseCidr(text), undefined)
})
