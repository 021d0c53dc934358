import assert from "node:assert/strict"
import { test } from "node:test"
import { openSslHashes } from "../../../test/support/hashes.ts"
import { toUtf8 } from "../kit/bytes.ts"
import type { AlgorithmNumbers, Certificate } from "./certificate.ts"
import { FakeCryptography, fakeAuthority } from "./fake-cryptography.ts"
import { parseNodeId } from "./node-id.ts"
import { RememberingCryptography } from "./remembering.ts"

class Counting extends FakeCryptography {
  verified = 0
  asked = 0

  override verify(
    by: Certificate,
    algorithm: AlgorithmNumbers,
    signed: Uint8Array,
    value: Uint8Array,
  ): boolean {
    this.verified++
    return super.verify(by, algorithm, signed, value)
  }

  override isIssuedBy(certificate: Certificate, roots: readonly Uint8Array[]): boolean {
    this.asked++
    return super.isIssuedBy(certificate, roots)
  }
}

const nodeId = parseNodeId("00112233445566778899aabbccddeeff")

function world(limit?: number) {
  const inner = new Counting(openSslHashes)
  const authority = fakeAuthority(inner, { overlay: "example.org", seed: 1 })
  const identity = authority.issue({ nodeId })
  const cryptography = new RememberingCryptography(inner, limit)
  const verify = (text: string, value: Uint8Array) =>
    cryptography.verify(identity.certificate, identity.algorithm, toUtf8(text), value)
  return {
    inner,
    authority,
    identity,
    cryptography,
    verify,
    sign: (text: string) => identity.sign(toUtf8(text)),
  }
}

test("a signature that held once is not verified again", () => {
  const { inner, verify, sign } = world()
  const value = sign("a")
  assert.deepEqual([verify("a", value), verify("a", value)], [true, true])
  assert.equal(inner.verified, 1)
})

test("what did not hold is not remembered, and does not pass for what did", () => {
  const { inner, verify, sign } = world()
  verify("ab", sign("ab"))
  assert.deepEqual([verify("x", sign("ab")), verify("x", sign("ab"))], [false, false])
  const shifted = Uint8Array.of(...toUtf8("b"), ...sign("ab"))
  assert.equal(verify("a", shifted), false, "the same bytes, cut elsewhere")
  assert.equal(inner.verified, 4)
})

test("the memory is bounded: the oldest goes first", () => {
  const { inner, verify, sign } = world(2)
  for (const text of ["a", "b", "c", "c", "b", "a"]) assert.ok(verify(text, sign(text)))
  assert.equal(inner.verified, 4)
})

test("who issued a certificate is asked once for each set of roots", () => {
  const { inner, cryptography, authority, identity } = world()
  const roots = [authority.root]
  assert.ok(cryptography.isIssuedBy(identity.certificate, roots))
  assert.ok(cryptography.isIssuedBy(identity.certificate, roots))
  assert.equal(inner.asked, 1)
  assert.equal(cryptography.isIssuedBy(identity.certificate, []), false)
})
