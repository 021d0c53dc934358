import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createSecretKey,
  hash,
  type KeyObject,
  randomBytes,
  randomFillSync,
  sign,
  verify,
  X509Certificate,
} from "node:crypto"
import type {
  AlgorithmNumbers,
  Certificate,
  Cryptography,
  Identity,
} from "../../core/identity/certificate.ts"
import { FormatError } from "../../core/kit/errors.ts"
import type { Random } from "../../core/kit/random.ts"
import { readCertificateNames } from "./certificate-reader.ts"

// TLS 1.2 numbers, RFC 5246 §7.4.1.4.1.
const SHA256 = 4
const RSA = 1
const ECDSA = 3

/** Certificates remembered: those of a fabric in full mesh, many times over. */
const REMEMBERED_CERTIFICATES = 4_096

const NONCE_BYTES = 12
const TAG_BYTES = 16

interface Known {
  readonly certificate: Certificate
  readonly x509: X509Certificate
  readonly publicKey: KeyObject
  /** By the fingerprint of a root: whether it signed this certificate. */
  readonly issued: Map<string, boolean>
}

/** Cryptography of the fabric over the OpenSSL that Node is built with. */
export function openSslCryptography(): Cryptography {
  const known = new Map<string, Known>()
  const roots = new Map<string, X509Certificate>()

  function recall(der: Uint8Array, fingerprint: string): Known {
    const found = known.get(fingerprint)
    if (found !== undefined) return found
    const bytes = Uint8Array.from(der) // Its own copy: `der` may be a window on a packet.
    const x509 = parseX509(bytes)
    const certificate = { der: bytes, fingerprint, ...readCertificateNames(bytes) }
    const fresh = { certificate, x509, publicKey: publicKeyIn(x509), issued: new Map() }
    remember(known, fingerprint, fresh)
    return fresh
  }

  function isIssuedByRoot(leaf: Known, der: Uint8Array): boolean {
    const fingerprint = sha256Hex(der)
    const before = leaf.issued.get(fingerprint)
    if (before !== undefined) return before
    const root = roots.get(fingerprint) ?? parseX509(der)
    remember(roots, fingerprint, root)
    // BasicConstraints count: a node's certificate cannot vouch for another. RFC 6940 §11.3.
    const issued = root.ca && leaf.x509.checkIssued(root) && isSignedBy(leaf.x509, publicKeyIn(root))
    leaf.issued.set(fingerprint, issued)
    return issued
  }

  return {
    sha1: (bytes) => plain(hash("sha1", bytes, "buffer")),
    sha256: (bytes) => plain(hash("sha256", bytes, "buffer")),
    hmacSha256: (key, bytes) => plain(createHmac("sha256", key).update(bytes).digest()),
    digestHex: (algorithm, latin1) => hash(algorithm, Buffer.from(latin1, "latin1"), "hex"),
    seal,
    unseal,
    readCertificate: (der) => recall(der, sha256Hex(der)).certificate,
    isIssuedBy: ({ der, fingerprint }, candidates) =>
      candidates.some((root) => isIssuedByRoot(recall(der, fingerprint), root)),
    verify: ({ der, fingerprint }, algorithm, signed, value) =>
      verifySignature(recall(der, fingerprint).publicKey, algorithm, signed, value),
  }
}

/** Secure, and drawn from the kernel in large pieces, since a node asks many times for each request. */
export function secureRandom(): Random {
  const pool = Buffer.alloc(6 * 1_024)
  let at = pool.length
  return {
    next() {
      if (at === pool.length) {
        randomFillSync(pool)
        at = 0
      }
      const drawn = pool.readUIntBE(at, 6)
      at += 6
      return drawn / 2 ** 48
    },
  }
}

/**
 * Who we are, from our private key and certificate; it signs with ECDSA P-256 and SHA-256.
 * Throws FormatError where the key does not belong to the certificate.
 */
export function loadIdentity(
  keyPem: string,
  certificateDer: Uint8Array,
  cryptography: Cryptography,
): Identity {
  const certificate = cryptography.readCertificate(certificateDer)
  const key = parsePrivateKey(keyPem)
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new FormatError("the node's private key is not of the curve P-256")
  }
  if (!parseX509(certificateDer).checkPrivateKey(key)) {
    throw new FormatError(`the private key is not that of the certificate of ${certificate.userName}`)
  }
  const [nodeId] = certificate.nodeIds
  if (nodeId === undefined) throw new FormatError(`the certificate of ${certificate.userName} has no Node-ID`)
  return {
    nodeId,
    certificate,
    algorithm: { hash: SHA256, signature: ECDSA },
    // The key by itself: within options, Node looks into it anew each time, and 53 µs become 94. DER is the default.
    sign: (bytes) => plain(sign("sha256", bytes, key)),
  }
}

export const sha256Hex = (bytes: Uint8Array): string => hash("sha256", bytes, "hex")

function parseX509(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der)
  } catch (cause) {
    throw new FormatError(`${der.length} bytes are no X.509 certificate`, { cause })
  }
}

function parsePrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw new FormatError("the node's private key is not readable PEM", { cause })
  }
}

/** OpenSSL parses a certificate's key only when it is asked for it. */
function publicKeyIn(x509: X509Certificate): KeyObject {
  try {
    return x509.publicKey
  } catch (cause) {
    throw new FormatError("the certificate's public key cannot be read", { cause })
  }
}

function isSignedBy(x509: X509Certificate, key: KeyObject): boolean {
  try {
    return x509.verify(key)
  } catch {
    return false
  }
}

function verifySignature(
  key: KeyObject,
  algorithm: AlgorithmNumbers,
  signed: Uint8Array,
  value: Uint8Array,
): boolean {
  const type = algorithm.signature === ECDSA ? "ec" : algorithm.signature === RSA ? "rsa" : undefined
  if (algorithm.hash !== SHA256 || key.asymmetricKeyType !== type) return false
  return verifiesSha256(key, signed, value)
}

/** Never throws: what OpenSSL cannot even parse is no signature. Within options, 117 µs become 170. */
export function verifiesSha256(key: KeyObject, signed: Uint8Array, value: Uint8Array): boolean {
  try {
    return verify("sha256", signed, key, value)
  } catch {
    return false
  }
}

/** AES-256-GCM: nonce, ciphertext, tag; the context is authenticated and not carried. */
function seal(key: Uint8Array, secret: Uint8Array, context: string): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv("aes-256-gcm", sealingKey(key), nonce).setAAD(Buffer.from(context))
  return plain(Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]))
}

function unseal(key: Uint8Array, sealed: Uint8Array, context: string): Uint8Array | undefined {
  const end = sealed.length - TAG_BYTES
  if (end < NONCE_BYTES) return undefined
  const decipher = createDecipheriv("aes-256-gcm", sealingKey(key), sealed.subarray(0, NONCE_BYTES))
    .setAAD(Buffer.from(context))
    .setAuthTag(sealed.subarray(end))
  try {
    return plain(Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, end)), decipher.final()]))
  } catch {
    return undefined
  }
}

/** A fabric key as OpenSSL takes it at once: one made anew for each record costs 31 µs of 63. */
function sealingKey(key: Uint8Array): KeyObject {
  const known = sealingKeys.get(key) ?? createSecretKey(key)
  sealingKeys.set(key, known)
  return known
}

const sealingKeys = new WeakMap<Uint8Array, KeyObject>()

/** The core takes no Buffer: its `slice` is a window where a Uint8Array's is a copy. */
const plain = (bytes: Buffer): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)

/** Forgets the oldest first, so that strangers' certificates cannot fill the memory. */
function remember<T>(memory: Map<string, T>, key: string, value: T): void {
  if (memory.size >= REMEMBERED_CERTIFICATES && !memory.has(key)) {
    memory.delete(memory.keys().next().value!)
  }
  memory.set(key, value)
}
