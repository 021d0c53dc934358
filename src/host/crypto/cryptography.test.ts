import assert from "node:assert/strict"
import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto"
import { describe, test } from "node:test"
import fc from "fast-check"
import { parseNodeId } from "../../core/identity/node-id.ts"
import { fromLatin1, toUtf8 } from "../../core/kit/bytes.ts"
import { FormatError } from "../../core/kit/errors.ts"
import { toHex } from "../../core/kit/hex.ts"
import type { Instant } from "../../core/kit/time.ts"
import { loadIdentity, openSslCryptography, secureRandom } from "./cryptography.ts"
import {
  issueNodeCertificate,
  issuePhoneCertificate,
  issueRoot,
  NODE_LIFE,
  newKey,
  publicKeyOf,
} from "./issuing.ts"

const cryptography = openSslCryptography()
const now = Date.UTC(2030, 0, 1) as Instant

const rootKey = newKey()
const root = { keyPem: rootKey, certificate: issueRoot(rootKey, "root", now) }
const strangerKey = newKey()
const stranger = { keyPem: strangerKey, certificate: issueRoot(strangerKey, "root", now) }

const nodeId = parseNodeId("00112233445566778899aabbccddeeff")
const names = {
  nodeId,
  overlay: "example.org",
  userName: "node-1@example.org",
  roles: ["registrar", "gateway"],
}
const key = newKey()
const leaf = issueNodeCertificate(root, publicKeyOf(key), names, now, NODE_LIFE)

const refused = (der: Uint8Array, problem: RegExp) =>
  assert.throws(
    () => cryptography.readCertificate(der),
    (cause) => cause instanceof FormatError && problem.test(cause.message),
  )

describe("certificates", () => {
  test("show Node-ID, overlay, user name, roles and validity", () => {
    const certificate = cryptography.readCertificate(leaf)
    assert.deepEqual(
      { ...certificate, der: undefined, fingerprint: undefined },
      {
        der: undefined,
        fingerprint: undefined,
        nodeIds: [nodeId],
        overlay: "example.org",
        userName: "node-1@example.org",
        roles: ["registrar", "gateway"],
        notBefore: Date.UTC(2029, 11, 31, 23),
        notAfter: Date.UTC(2030, 3, 1),
      },
    )
    assert.equal(certificate.fingerprint, toHex(cryptography.sha256(leaf)))
    assert.deepEqual(certificate.der, leaf)
  })

  test("are told from those of another CA of the same name, and from self-made chains", () => {
    const certificate = cryptography.readCertificate(leaf)
    assert.equal(cryptography.isIssuedBy(certificate, [stranger.certificate, root.certificate]), true)
    assert.equal(cryptography.isIssuedBy(certificate, [stranger.certificate]), false)
    assert.equal(cryptography.isIssuedBy(certificate, []), false)
    const parent = { keyPem: key, certificate: leaf }
    const child = cryptography.readCertificate(
      issueNodeCertificate(parent, publicKeyOf(key), names, now, NODE_LIFE),
    )
    assert.equal(cryptography.isIssuedBy(child, [leaf]), false, "a node is no CA")
  })

  test("of phones, of a root, or with a changed byte are none of a node", () => {
    const phone = issuePhoneCertificate(
      root,
      publicKeyOf(key),
      "",
      [{ type: "dns", value: "example.org" }],
      now,
      NODE_LIFE,
    )
    refused(phone, /subject|SubjectAltName/)
    refused(root.certificate, /names a subject/)
    refused(toUtf8("garbage"), /no X.509 certificate/)
    refused(Uint8Array.from([...leaf, 0]), /.+/)
    refused(
      issueNodeCertificate(root, publicKeyOf(key), { ...names, userName: "a b" }, now, NODE_LIFE),
      /user name/,
    )
    refused(
      issueNodeCertificate(root, publicKeyOf(key), { ...names, overlay: "a/b" }, now, NODE_LIFE),
      /RELOAD URI/,
    )
  })

  test("that are changed anywhere are refused, or no longer signed by the root; nothing else happens", () => {
    fc.assert(
      fc.property(fc.nat(leaf.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Uint8Array.from(leaf, (byte, i) => (i === at ? byte ^ change : byte))
        try {
          assert.equal(
            cryptography.isIssuedBy(cryptography.readCertificate(changed), [root.certificate]),
            false,
          )
        } catch (cause) {
          assert.ok(cause instanceof FormatError, String(cause))
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe("signatures", () => {
  const identity = loadIdentity(key, leaf, cryptography)
  const message = toUtf8("over this")

  test("verify under their own certificate, algorithm and bytes only", () => {
    const { certificate, algorithm } = identity
    const value = identity.sign(message)
    assert.deepEqual(algorithm, { hash: 4, signature: 3 })
    assert.equal(cryptography.verify(certificate, algorithm, message, value), true)
    assert.equal(cryptography.verify(certificate, algorithm, toUtf8("over that"), value), false)
    assert.equal(cryptography.verify(certificate, { hash: 4, signature: 1 }, message, value), false)
    assert.equal(cryptography.verify(certificate, { hash: 2, signature: 3 }, message, value), false)
    assert.equal(
      cryptography.verify(certificate, { hash: 0, signature: 0 }, message, new Uint8Array()),
      false,
    )
    const foreign = sign("sha256", message, createPrivateKey(newKey()))
    assert.equal(cryptography.verify(certificate, algorithm, message, foreign), false)
  })

  test("with RSA PKCS #1 and SHA-256 verify too, as RFC 6940 §6.3.4 demands", () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 })
    const publicKey = rsa.publicKey.export({ type: "spki", format: "der" })
    const certificate = cryptography.readCertificate(
      issueNodeCertificate(root, publicKey, names, now, NODE_LIFE),
    )
    const value = sign("sha256", message, rsa.privateKey)
    assert.equal(cryptography.verify(certificate, { hash: 4, signature: 1 }, message, value), true)
    assert.equal(cryptography.verify(certificate, { hash: 4, signature: 3 }, message, value), false)
  })

  test("are not made with a key that is not the certificate's", () => {
    assert.throws(() => loadIdentity(newKey(), leaf, cryptography), /not that of the certificate/)
    assert.throws(() => loadIdentity("nonsense", leaf, cryptography), FormatError)
  })
})

test("hashes are those of the standards", () => {
  assert.equal(toHex(cryptography.sha1(toUtf8("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d")
  assert.match(toHex(cryptography.sha256(toUtf8("abc"))), /^ba7816bf8f01cfea414140de5dae2223/)
  // RFC 4231 §4.2.
  assert.match(
    toHex(cryptography.hmacSha256(new Uint8Array(20).fill(0x0b), toUtf8("Hi There"))),
    /^b0344c61d8db38535ca8afceaf0bf12b/,
  )
  assert.equal(cryptography.digestHex("md5", "abc"), "900150983cd24fb0d6963f7d28e17f72")
  // One byte 0xe9, not the two of UTF-8.
  assert.equal(cryptography.digestHex("md5", "\u00e9"), "3406877694691ddd1dfb0aca54681407")
})

test("what is sealed opens only with its key and context, and unchanged", () => {
  const secretKey = new Uint8Array(32).fill(7)
  const sealed = cryptography.seal(secretKey, toUtf8("secret"), "HA1 of alice")
  assert.deepEqual(cryptography.unseal(secretKey, sealed, "HA1 of alice"), toUtf8("secret"))
  assert.equal(cryptography.unseal(secretKey, sealed, "HA1 of bob"), undefined)
  assert.equal(cryptography.unseal(new Uint8Array(32), sealed, "HA1 of alice"), undefined)
  for (let at = 0; at < sealed.length; at++) {
    const changed = Uint8Array.from(sealed, (byte, i) => (i === at ? byte ^ 1 : byte))
    assert.equal(cryptography.unseal(secretKey, changed, "HA1 of alice"), undefined)
    assert.equal(cryptography.unseal(secretKey, sealed.subarray(0, at), "HA1 of alice"), undefined)
  }
  assert.notDeepEqual(cryptography.seal(secretKey, toUtf8("secret"), "HA1 of alice"), sealed)
})

test("chance lies in [0, 1) and does not repeat", () => {
  const random = secureRandom()
  const drawn = Array.from({ length: 5_000 }, () => random.next())
  assert.ok(drawn.every((each) => each >= 0 && each < 1))
  assert.equal(new Set(drawn).size, drawn.length)
  const mean = drawn.reduce((sum, each) => sum + each, 0) / drawn.length
  assert.ok(Math.abs(mean - 0.5) < 0.05)
})

test("no bytes that leave are a Buffer, whose slice is no copy", () => {
  for (const bytes of [
    cryptography.sha256(fromLatin1("x")),
    cryptography.seal(new Uint8Array(32), fromLatin1("x"), ""),
  ])
    assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype)
})
