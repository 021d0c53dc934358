import { DigestSet } from "../kit/digest-set.ts"
import { fromHex } from "../kit/hex.ts"
import { LIMITS } from "../kit/limits.ts"
import { Writer } from "../wire/writer.ts"
import type { AlgorithmNumbers, Certificate, Cryptography, Identity } from "./certificate.ts"

/**
 * The same cryptography with a bounded memory of what has been verified: a value's signature costs
 * a hash instead of a verification (2 µs instead of 100) when it passes again, as it does when it is
 * replicated, fetched and repaired. Only successes are remembered, so nonsense evicts nothing.
 *
 * For values and certificates. Messages differ every time and are better verified without it.
 */
export class RememberingCryptography implements Cryptography {
  readonly #inner: Cryptography
  readonly #signatures: DigestSet
  readonly #issued = new WeakMap<readonly Uint8Array[], DigestSet>()
  readonly #limit: number

  constructor(inner: Cryptography, limit: number = LIMITS.reload.rememberedSignatures) {
    this.#inner = inner
    this.#limit = limit
    this.#signatures = new DigestSet(limit)
  }

  verify(
    certificate: Certificate,
    algorithm: AlgorithmNumbers,
    signed: Uint8Array,
    value: Uint8Array,
  ): boolean {
    const key = this.#keyOf(certificate, algorithm, signed, value)
    if (this.#signatures.has(key)) return true
    const verified = this.#inner.verify(certificate, algorithm, signed, value)
    if (verified) this.#signatures.add(key)
    return verified
  }

  /** The same identity. What it signs counts as verified: our own values come back to us as copies. */
  remembering(identity: Identity): Identity {
    const { nodeId, certificate, algorithm } = identity
    return {
      nodeId,
      certificate,
      algorithm,
      sign: (bytes) => {
        const value = identity.sign(bytes)
        this.#signatures.add(this.#keyOf(certificate, algorithm, bytes, value))
        return value
      },
    }
  }

  isIssuedBy(certificate: Certificate, roots: readonly Uint8Array[]): boolean {
    const known = this.#issued.get(roots) ?? new DigestSet(this.#limit)
    this.#issued.set(roots, known)
    const fingerprint = fromHex(certificate.fingerprint)
    if (known.has(fingerprint)) return true
    const issued = this.#inner.isIssuedBy(certificate, roots)
    if (issued) known.add(fingerprint)
    return issued
  }

  readCertificate(der: Uint8Array): Certificate {
    return this.#inner.readCertificate(der)
  }

  sha1(bytes: Uint8Array): Uint8Array {
    return this.#inner.sha1(bytes)
  }

  sha256(bytes: Uint8Array): Uint8Array {
    return this.#inner.sha256(bytes)
  }

  hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array {
    return this.#inner.hmacSha256(key, bytes)
  }

  digestHex(algorithm: "md5" | "sha256", latin1: string): string {
    return this.#inner.digestHex(algorithm, latin1)
  }

  seal(key: Uint8Array, plain: Uint8Array, context: string): Uint8Array {
    return this.#inner.seal(key, plain, context)
  }

  unseal(key: Uint8Array, sealed: Uint8Array, context: string): Uint8Array | undefined {
    return this.#inner.unseal(key, sealed, context)
  }

  /** The length of `value` tells where it begins, so no two pairs make the same bytes. */
  #keyOf(
    { fingerprint }: Certificate,
    { hash, signature }: AlgorithmNumbers,
    signed: Uint8Array,
    value: Uint8Array,
  ): Uint8Array {
    const writer = new Writer()
    writer.hex(fingerprint)
    writer.unsigned(1, hash)
    writer.unsigned(1, signature)
    writer.unsigned(4, value.length)
    writer.bytes(signed)
    writer.bytes(value)
    const key = this.#inner.sha256(writer.written(0))
    writer.discard()
    return key
  }
}
