import assert from "node:assert/strict"
import { test } from "node:test"
import { phoneFlow } from "../../../../test/support/phone-flow.ts"
import { fromLatin1 } from "../../kit/bytes.ts"
import { Names } from "../names.ts"
import { Newcomers } from "./newcomers.ts"
import { Skeleton } from "./skeleton.ts"

const FLOW = phoneFlow("192.0.2.1", "10.0.0.1")

const REGISTER = [
  "REGISTER sip:example.org SIP/2.0",
  "Via: SIP/2.0/UDP 192.168.1.7:5060;branch=z9hG4bKabc;rport",
  'From: "Alice" <sip:alice@example.org>;tag=f1',
  "To: <sip:alice@10.0.0.1:5060>",
  "Call-ID: c1@192.168.1.7",
  "CSeq: 7 REGISTER",
  "Max-Forwards: 70",
  'Contact: <sip:alice@192.168.1.7:5060;ob>;+sip.instance="<urn:uuid:1>";reg-id=1',
  "Expires: 600",
  "Content-Length: 0",
  "",
  "",
].join("\r\n")

const names = new Names({
  domain: "example.org",
  aliases: () => ["10.0.0.1"],
  listeners: [{ transport: "UDP", advertised: { host: "10.0.0.1", port: 5060 } }],
})

function read(text: string, flow = FLOW) {
  const skeleton = new Skeleton()
  const bytes = fromLatin1(text)
  assert.ok(skeleton.read(bytes), text)
  return new Newcomers(names).read(bytes, skeleton, flow)
}

test("a plain REGISTER says whom it is for, by whichever name of the domain", () => {
  const { aor, callId, via } = read(REGISTER)!
  assert.deepEqual([aor, callId], ["alice@example.org", "c1@192.168.1.7"])
  assert.deepEqual([via.sentBy, via.branch], ["192.168.1.7:5060", "z9hG4bKabc"])
  for (const contact of ["*", "<sip:alice@192.168.1.7>", "sip:alice@192.168.1.7"])
    assert.equal(read(REGISTER.replace(/(?<=Contact: ).*/, contact))?.aor, "alice@example.org", contact)
  assert.ok(read(REGISTER.replace(/Contact: .*\r\n/, "")))
})

test("what is to be refused, relayed or read more closely is left to the general way", () => {
  const left = [
    REGISTER.replace("REGISTER sip:example.org", "REGISTER sip:example.net"),
    REGISTER.replace("REGISTER sip:example.org", "REGISTER sip:example.org?Subject=x"),
    REGISTER.replace("REGISTER sip:example.org", "REGISTER tel:911"),
    REGISTER.replace("To: <sip:alice@10.0.0.1:5060>", "To: <sip:alice@example.net>"),
    REGISTER.replace("To: <sip:alice@10.0.0.1:5060>", "To: <sip:example.org>"),
    REGISTER.replace("To: <sip:alice@10.0.0.1:5060>", "To: <sip:al%69ce@example.org>"),
    REGISTER.replace("To: <sip:alice@10.0.0.1:5060>", "To: <sip:alice@example.org>;tag=t"),
    REGISTER.replace("<sip:alice@example.org>;tag=f1", "<sip:alice@example.org"),
    REGISTER.replace(";rport", ""),
    REGISTER.replace(";rport", ";rport;maddr=192.0.2.9"),
    REGISTER.replace("192.168.1.7:5060;branch", "192.168.1.7:99999;branch"),
    REGISTER.replace("c1@192.168.1.7", "c1 c2"),
    REGISTER.replace("7 REGISTER", "7 INVITE"),
    REGISTER.replace("Max-Forwards: 70", "Max-Forwards: many"),
    REGISTER.replace(/(?<=Contact: ).*/, "<sip:alice@[192.168.1.7>"),
    REGISTER.replace(/(?<=Contact: ).*/, "<sip:a@192.168.1.7>, <sip:b@192.168.1.7>"),
    REGISTER.replace("Expires: 600", "Contact: <sip:alice@192.168.1.8>"),
    ...["Require: teleport", "Proxy-Require: x", "Route: <sip:10.0.0.9;lr>", "Path: <sip:10.0.0.9;lr>"].map(
      (line) => REGISTER.replace("Expires: 600", line),
    ),
  ]
  for (const text of left) assert.equal(read(text), undefined, text)
  assert.equal(read(REGISTER, { ...FLOW, transport: "TCP", connection: 1 }), undefined)
})
