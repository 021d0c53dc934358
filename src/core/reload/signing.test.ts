import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { test } from "node:test"
import { dump } from "../../../test/support/dump.ts"
import { openSslHashes } from "../../../test/support/hashes.ts"
import type { Certificate, Identity } from "../identity/certificate.ts"
import { FakeCryptography, fakeAuthority } from "../identity/fake-cryptography.ts"
import { parseNodeId } from "../identity/node-id.ts"
import { concat, toUtf8 } from "../kit/bytes.ts"
import { fromHex, toHex } from "../kit/hex.ts"
import { parseResourceId, type TransactionId } from "./header.ts"
import { type MessageContents, readPayload } from "./message.ts"
import { signMessage, signValue, verifyMessage, verifyValue } from "./signing.ts"

const cryptography = new FakeCryptography(openSslHashes)
const authority = fakeAuthority(cryptography, { overlay: "example.org", seed: 1 })
const ALICE = parseNodeId("00112233445566778899aabbccddeeff")
const BOB = parseNodeId("ffeeddccbbaa99887766554433221100")
const alice = authority.issue({ nodeId: ALICE })
const bob = authority.issue({ nodeId: BOB })

const contents: MessageContents = { body: { kind: "ping-req", padding: Uint8Array.of(0xaa) }, extensions: [] }
const place = { overlay: 0x0a0b0c0d, transaction: "0102030405060708" as TransactionId }

/** An identity that keeps what it was asked to sign. */
function watched(identity: Identity): Identity & { readonly signed: Uint8Array[] } {
  const signed: Uint8Array[] = []
  const sign = (bytes: Uint8Array) => {
    signed.push(bytes.slice())
    return identity.sign(bytes)
  }
  return { ...identity, sign, signed }
}

/** cert_hash of a certificate: SHA-256, 32 bytes. */
const signerIdentity = ({ der }: Certificate) =>
  concat(fromHex("0100220420"), new Uint8Array(createHash("sha256").update(der).digest()))

test("a message's signature covers overlay, transaction, contents and signer", () => {
  const identity = watched(alice)
  const payload = signMessage(identity, { ...place, contents })
  const expected = concat(
    dump("0a0b0c0d 0102030405060708 0017 00000003 0001 aa 00000000"),
    signerIdentity(alice.certificate),
  )
  assert.deepEqual(identity.signed, [expected])
  const { contentsBytes, security } = readPayload(payload)
  assert.equal(verifyMessage(cryptography, { ...place, contentsBytes, security }), alice.certificate)
})

test("whoever changes a message, or moves it to another transaction or overlay, is found out", () => {
  const { contentsBytes, security } = readPayload(signMessage(alice, { ...place, contents }))
  const message = { ...place, contentsBytes, security }
  const other = "0102030405060709" as TransactionId
  const { signature } = security
  const wrong = { refused: `the message's signature is not that of ${alice.certificate.userName}` }
  assert.deepEqual(
    verifyMessage(cryptography, { ...message, contentsBytes: contentsBytes.with(8, 1) }),
    wrong,
  )
  assert.deepEqual(verifyMessage(cryptography, { ...message, transaction: other }), wrong)
  assert.deepEqual(verifyMessage(cryptography, { ...message, overlay: 1 }), wrong)
  const unsupported = { ...security, signature: { ...signature, algorithm: { hash: 2, signature: 3 } } }
  assert.deepEqual(verifyMessage(cryptography, { ...message, security: unsupported }), wrong)
})

test("a signature that names somebody else's certificate is refused", () => {
  const { contentsBytes, security } = readPayload(
    signMessage(alice, { ...place, contents, certificates: [bob.certificate.der] }),
  )
  const identity = {
    kind: "cert-hash",
    hashAlgorithm: 4,
    hash: fromHex(bob.certificate.fingerprint),
  } as const
  const forged = { ...security, signature: { ...security.signature, identity } }
  const verdict = verifyMessage(cryptography, { ...place, contentsBytes, security: forged })
  assert.match("refused" in verdict ? verdict.refused : "", /not that of node-ffeeddcc@example\.org/)
})

test("a signer may be known from elsewhere; an unknown one is refused, and so is nobody", () => {
  const { contentsBytes, security } = readPayload(signMessage(alice, { ...place, contents }))
  const bare = { ...place, contentsBytes, security: { ...security, certificates: [] } }
  const known = new Map([[alice.certificate.fingerprint, alice.certificate]])
  assert.deepEqual(verifyMessage(cryptography, bare), { refused: "its signer's certificate is not at hand" })
  assert.equal(verifyMessage(cryptography, { ...bare, known }), alice.certificate)
  const none = { ...security.signature, identity: { kind: "none" } } as const
  const unsigned = { ...bare, security: { certificates: [], signature: none } }
  assert.deepEqual(verifyMessage(cryptography, { ...unsigned, known }), { refused: "nobody signed it" })
})

test("rubbish among the certificates does no harm", () => {
  const payload = signMessage(alice, { ...place, contents, certificates: [toUtf8("rubbish")] })
  const { contentsBytes, security } = readPayload(payload)
  assert.equal(security.certificates.length, 2)
  assert.equal(verifyMessage(cryptography, { ...place, contentsBytes, security }), alice.certificate)
})

test("a bucket never outgrows its list, and always has room for our own certificate", () => {
  const many = Array.from({ length: 500 }, (_, index) => new Uint8Array(1_000).fill(index))
  const { security } = readPayload(signMessage(alice, { ...place, contents, certificates: many }))
  assert.ok(security.certificates.length < 66)
  assert.deepEqual(security.certificates[0]!.der, alice.certificate.der)
})

test("cert_hash_node_id names a certificate by Node-ID and DER; one with several Node-IDs is refused", () => {
  const { contentsBytes, security } = readPayload(signMessage(alice, { ...place, contents }))
  const hash = cryptography.sha256(concat(fromHex(ALICE), alice.certificate.der))
  const identity = { kind: "cert-hash-node-id", hashAlgorithm: 4, hash } as const
  const input = concat(dump("0a0b0c0d 0102030405060708"), contentsBytes, fromHex(`0200220420${toHex(hash)}`))
  const signature = { ...security.signature, identity, value: alice.sign(input) }
  const message = { ...place, contentsBytes, security: { ...security, signature } }
  assert.equal(verifyMessage(cryptography, message), alice.certificate)

  const two = authority.issue({ nodeId: ALICE, otherNodeIds: [BOB] }).certificate
  const ambiguous = { kind: "cert-hash", hashAlgorithm: 4, hash: fromHex(two.fingerprint) } as const
  const verdict = verifyMessage(cryptography, {
    ...message,
    security: { ...security, signature: { ...signature, identity: ambiguous } },
    known: new Map([[two.fingerprint, two]]),
  })
  assert.deepEqual(verdict, { refused: "its signer's certificate is not at hand" })
  const certificates = [{ type: "x509", der: two.der }] as const
  const carried = { certificates, signature: { ...signature, identity: ambiguous } }
  assert.deepEqual(verifyMessage(cryptography, { ...message, security: carried }), {
    refused: "its signer's certificate holds 2 Node-IDs",
  })
})

const resource = parseResourceId("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf")
const certificates = new Map([[alice.certificate.fingerprint, alice.certificate]])

test("a value's signature covers place, Kind, time, value and signer, but not its lifetime", () => {
  const identity = watched(alice)
  const value = {
    model: "dictionary",
    key: Uint8Array.of(0xca, 0xfe),
    exists: true,
    value: toUtf8("x"),
  } as const
  const data = signValue(identity, {
    resource,
    kind: 0xf0000001,
    storageTime: 0x0102030405,
    lifetime: 60,
    value,
  })
  const expected = concat(
    dump(`
      10 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf   # resource_id, with its length
      f0000001                              # kind
      0000000102030405                      # storage_time
      0002 cafe 01 00000001 78              # StoredDataValue
    `),
    signerIdentity(alice.certificate),
  )
  assert.deepEqual(identity.signed, [expected])
  const stored = { resource, kind: 0xf0000001, data, certificates }
  assert.equal(verifyValue(cryptography, stored), alice.certificate)
  assert.equal(verifyValue(cryptography, { ...stored, data: { ...data, lifetime: 59 } }), alice.certificate)
  assert.ok("refused" in verifyValue(cryptography, { ...stored, kind: 0xf0000002 }))
  assert.ok("refused" in verifyValue(cryptography, { ...stored, data: { ...data, storageTime: 1 } }))
})

test("an array's value keeps its signature at whatever index it ends up", () => {
  const value = { model: "array", index: 0xffffffff, exists: true, value: toUtf8("x") } as const
  const data = signValue(alice, { resource, kind: 3, storageTime: 1, lifetime: 60, value })
  const appended = { ...data, value: { ...value, index: 4 } }
  assert.equal(
    verifyValue(cryptography, { resource, kind: 3, data: appended, certificates }),
    alice.certificate,
  )
})
