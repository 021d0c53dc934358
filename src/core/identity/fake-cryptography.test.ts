import assert from "node:assert/strict"
import { test } from "node:test"
import { openSslHashes } from "../../../test/support/hashes.ts"
import { toUtf8 } from "../kit/bytes.ts"
import { FormatError } from "../kit/errors.ts"
import type { Instant } from "../kit/time.ts"
import { FakeCryptography, fakeAuthority } from "./fake-cryptography.ts"
import { parseNodeId } from "./node-id.ts"

const cryptography = new FakeCryptography(openSslHashes)
const overlay = "example.org"
const authority = fakeAuthority(cryptography, { overlay, seed: 1 })
const nodeId = parseNodeId("00112233445566778899aabbccddeeff")

test("a fake certificate says what was asked for, also to somebody who only has its bytes", () => {
  const dates = { notBefore: 5 as Instant, notAfter: 9 as Instant }
  const { certificate } = authority.issue({ nodeId, roles: ["registrar"], ...dates })
  const { fingerprint, ...read } = new FakeCryptography(openSslHashes).readCertificate(certificate.der)
  assert.equal(fingerprint, certificate.fingerprint)
  assert.partialDeepStrictEqual(read, {
    nodeIds: [nodeId],
    userName: "node-00112233@example.org",
    overlay,
    roles: ["registrar"],
    ...dates,
  })
})

test("each authority vouches for its own certificates only", () => {
  const { certificate } = authority.issue({ nodeId })
  const foreign = fakeAuthority(cryptography, { overlay, seed: 2 })
  assert.ok(cryptography.isIssuedBy(certificate, [foreign.root, authority.root]))
  assert.ok(!cryptography.isIssuedBy(certificate, [foreign.root]))
})

test("a signature holds for its signer, its bytes and its algorithm, and for nothing else", () => {
  const [alice, bob] = [authority.issue({ nodeId }), authority.issue({ nodeId })]
  const bytes = toUtf8("message")
  const value = alice.sign(bytes)
  assert.ok(cryptography.verify(alice.certificate, alice.algorithm, bytes, value))
  assert.ok(!cryptography.verify(bob.certificate, bob.algorithm, bytes, value))
  assert.ok(!cryptography.verify(alice.certificate, alice.algorithm, toUtf8("other"), value))
  assert.ok(!cryptography.verify(alice.certificate, { hash: 0, signature: 0 }, bytes, value))
})

test("the same seed makes the same certificates", () => {
  const again = fakeAuthority(new FakeCryptography(openSslHashes), { overlay, seed: 7 })
  const first = fakeAuthority(cryptography, { overlay, seed: 7 })
  assert.deepEqual(first.issue({ nodeId }).certificate.der, again.issue({ nodeId }).certificate.der)
})

test("what is no certificate is refused with FormatError", () => {
  for (const text of ["", "{", "[]", "null", '{"signed":"{}","signature":""}', '{"signed":1}'])
    assert.throws(() => cryptography.readCertificate(toUtf8(text)), FormatError, text)
})

test("what is sealed opens with the same key and context, unchanged, and no other way", () => {
  const key = openSslHashes.sha256(toUtf8("key"))
  const plain = toUtf8("a secret of more than thirty-two bytes, so the mask repeats")
  const sealed = cryptography.seal(key, plain, "subscriber")
  assert.deepEqual(cryptography.unseal(key, sealed, "subscriber"), plain)
  assert.equal(cryptography.unseal(key, sealed, "voicemail"), undefined)
  assert.equal(cryptography.unseal(openSslHashes.sha256(key), sealed, "subscriber"), undefined)
  assert.equal(cryptography.unseal(key, sealed.with(40, sealed[40]! ^ 1), "subscriber"), undefined)
  assert.equal(cryptography.unseal(key, sealed.subarray(0, 20), "subscriber"), undefined)
  assert.notDeepEqual(cryptography.seal(key, plain, "subscriber"), sealed)
})
