import assert from "node:assert/strict"
import { describe, test } from "node:test"
import fc from "fast-check"
import { FormatError } from "../kit/errors.ts"
import {
  canonicalUser,
  equalUris,
  escapeUser,
  formatUri,
  parseSipUri,
  parseUri,
  unescapeUser,
} from "./uri.ts"

const equal = (a: string, b: string) => equalUris(parseUri(a), parseUri(b))

describe("SIP URI", () => {
  test("is taken apart into user, password, host, port, parameters and headers", () => {
    const uri = parseSipUri(
      "SIPS:alice%20b:secret@Atlanta.COM:5071;Transport=TCP;lr?subject=x&priority=urgent",
    )
    assert.deepEqual(
      { ...uri, parameters: uri.parameters.list },
      {
        kind: "sip",
        scheme: "sips",
        user: "alice%20b",
        password: "secret",
        host: "atlanta.com",
        port: 5071,
        parameters: [
          { name: "transport", value: "TCP" },
          { name: "lr", value: undefined },
        ],
        headers: "subject=x&priority=urgent",
      },
    )
    assert.equal(
      formatUri(uri),
      "sips:alice%20b:secret@atlanta.com:5071;transport=TCP;lr?subject=x&priority=urgent",
    )
  })

  test("needs neither user nor anything else but a host", () => {
    const uri = parseSipUri("sip:example.org")
    assert.deepEqual(
      [uri.user, uri.password, uri.host, uri.port],
      [undefined, undefined, "example.org", undefined],
    )
  })

  test("may have headers without parameters, and an empty password", () => {
    const uri = parseSipUri("sip:a:@b?x=y")
    assert.deepEqual([uri.password, uri.headers, formatUri(uri)], ["", "x=y", "sip:a:@b?x=y"])
  })

  test("takes what a user dials, # included, and spells it properly", () => {
    assert.equal(canonicalUser(parseSipUri("sip:*72#@example.org")), "*72#")
    assert.equal(escapeUser("*72# 50%"), "*72%23%2050%25")
  })

  for (const nonsense of [
    "",
    "sip",
    "sip:",
    "sip:@example.org",
    "sip:a b@example.org",
    "sip:a@b@c",
    "sip:a@",
    "sip:a@b:0",
    "sip:a@b:65536",
    "sip:a@b:5060x",
    "sip:a@b:",
    "sip:a@b;",
    "sip:a@b;;lr",
    "sip:a@b;lr;LR",
    "sip:a@b; lr",
    "sip:a@b;x=",
    "sip:%zz@b",
    "sip:%4@b",
    "sip:a@[2001:db8::1",
    "sip:a@[::1]x",
    "sip:a@[1.2.3.4]",
    "sip:a@[fe80::1%25eth0]",
    "sip:2001:db8::10",
    '"sip:a@b"',
    "<sip:a@b>",
    "tel:+1 202",
    "1a:b",
  ]) {
    test(`refuses ${JSON.stringify(nonsense)}`, () => assert.throws(() => parseUri(nonsense), FormatError))
  }
})

test("a tel URI is of another scheme, kept as it came", () => {
  const uri = parseUri("TEL:+1-201-555-0123;phone-context=x")
  assert.deepEqual(uri, { kind: "other", scheme: "tel", opaque: "+1-201-555-0123;phone-context=x" })
  assert.throws(() => parseSipUri("tel:+1-201-555-0123"), FormatError)
})

describe("equalUris, by the examples of RFC 3261 §19.1.4", () => {
  const same: readonly (readonly [string, string])[] = [
    ["sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"],
    ["sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"],
    ["sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"],
    ["sip:carol@chicago.com", "sip:carol@chicago.com;security=on"],
    [
      "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
      "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ],
    [
      "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
      "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ],
    ["sip:carol@chicago.com", "sip:carol@chicago.com;security=off"],
  ]
  const different: readonly (readonly [string, string])[] = [
    ["SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"],
    ["sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"],
    ["sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"],
    ["sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"],
  ]
  const rules: readonly (readonly [string, string])[] = [
    ["sip:bob@biloxi.com", "sips:bob@biloxi.com"],
    ["sip:biloxi.com", "sip:bob@biloxi.com"],
    ["sip:bob@biloxi.com", "sip:bob:@biloxi.com"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com;maddr=192.0.2.1"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com;user=ip"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com;ttl=1"],
    ["sip:bob@biloxi.com", "sip:bob@biloxi.com;method=INVITE"],
    ["sip:a%3Bb@biloxi.com", "sip:a;b@biloxi.com"],
    ["sip:a%2561@biloxi.com", "sip:a%61@biloxi.com"],
    ["tel:1", "sip:1@biloxi.com"],
  ]
  for (const [a, b] of same) test(`${a} is ${b}`, () => assert.ok(equal(a, b) && equal(b, a)))
  for (const [a, b] of [...different, ...rules]) {
    test(`${a} is not ${b}`, () => assert.ok(!equal(a, b) && !equal(b, a)))
  }
})

test("any user survives escaping, whatever its bytes", () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(bytes, (codes) => {
      const user = String.fromCharCode(...codes)
      const uri = parseSipUri(`sip:${escapeUser(user)}@example.org`)
      assert.equal(canonicalUser(uri), user)
      assert.equal(unescapeUser(escapeUser(user)), user)
    }),
  )
})
