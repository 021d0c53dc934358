import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { openSslHashes } from "../../../../test/support/hashes.ts"
import { SeededRandom } from "../../kit/random.ts"
import type { Flow } from "../../sip/transport.ts"
import { Tokens } from "./tokens.ts"

const settings = {
  hashes: openSslHashes,
  fabricKey: new Uint8Array(32).fill(1),
  node: "00112233445566778899aabbccddeeff",
}
const tokens = new Tokens(settings, new SeededRandom(1))
const stream: Flow = {
  transport: "TCP",
  local: { host: "192.0.2.1", port: 5060 },
  remote: { host: "192.0.2.2", port: 40_000 },
  connection: 4_000_000_001,
  node: undefined,
}
const datagram: Flow = { ...stream, transport: "UDP", connection: undefined }
const ip6: Flow = {
  ...datagram,
  local: { host: "2001:db8::1", port: 5060 },
  remote: { host: "::1", port: 1 },
}

test("a token leads back to its flow, at any node that has the fabric's key", () => {
  const other = new Tokens({ ...settings, node: "f".repeat(32) }, new SeededRandom(2))
  const read = (flow: Flow) => other.read(tokens.flow(flow, "call")!, "call")?.token
  const edge = "001122334455"
  const found = read(stream)
  assert.ok(found?.kind === "stream" && found.edge === edge && found.connection === 4_000_000_001)
  assert.ok(tokens.isOfThisLife(found))
  assert.ok(!new Tokens(settings, new SeededRandom(3)).isOfThisLife(found))
  for (const flow of [datagram, ip6])
    assert.deepEqual(read(flow), { kind: "datagram", edge, local: flow.local, remote: flow.remote })
})

test("tokens for connections and IPv4 have at most 60 characters, all fit for a user part", () => {
  for (const token of [tokens.out("call"), tokens.flow(stream, "call")!, tokens.flow(datagram, undefined)!])
    assert.match(token, /^[A-Za-z0-9_-]{1,60}$/)
})

test("a token is good for its dialog only, unless it is made for all", () => {
  assert.equal(tokens.read(tokens.out("call"), "another"), undefined)
  const free = tokens.flow(stream, undefined)!
  const read = tokens.read(free, "any")
  assert.ok(read?.unbound && read.token.kind === "stream")
  assert.equal(tokens.bind(read.token, "call"), tokens.flow(stream, "call"))
  assert.equal(tokens.read(tokens.bind(read.token, "call"), "call")?.unbound, false)
})

test("no changed or invented text is a token", () => {
  const good = tokens.flow(datagram, "call")!
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.constantFrom(..."AZaz09-_"), (at, digit) => {
      const changed = good.slice(0, at) + digit + good.slice(at + 1)
      // The last digit of an odd length has spare bits that say nothing.
      if (changed !== good && at < good.length - 1) assert.equal(tokens.read(changed, "call"), undefined)
    }),
  )
  fc.assert(fc.property(fc.string(), (text) => assert.equal(tokens.read(text, "call"), undefined)))
})

test("a token authenticates its whole Call-ID, however long it is and whatever is in it", () => {
  const { fabricKey, hashes } = settings
  for (const callId of ["call", "c\xe4ll", "c".repeat(167), "c".repeat(168), "\xff".repeat(300)]) {
    const signed = Buffer.concat([Buffer.from("carillon token 1"), Buffer.of(0x80), Buffer.from(callId)])
    const mac = hashes.hmacSha256(fabricKey, new Uint8Array(signed)).subarray(0, 8)
    assert.equal(tokens.out(callId), Buffer.concat([Buffer.of(0x80), mac]).toString("base64url"))
    assert.equal(tokens.read(tokens.out(callId), callId)?.token.kind, "out")
    assert.equal(tokens.read(tokens.out(callId), `${callId}x`), undefined)
  }
})
