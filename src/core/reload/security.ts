import { enumeration, list, opaque, select, struct, u8, u16, type Value } from "../wire/codec.ts"

// RFC 6940 §6.3.4: certificates and the signature that every message and every value ends with.

const CertificateType = enumeration(u8, { x509: 0 })

export type GenericCertificate = Value<typeof GenericCertificate>
export const GenericCertificate = struct({ type: CertificateType, der: opaque(u16) })

/** TLS 1.2 registries (RFC 5246 §7.4.1.4.1), as numbers so that {0, 0} of synthetic values passes. */
export type SignatureAlgorithm = Value<typeof SignatureAlgorithm>
export const SignatureAlgorithm = struct({ hash: u8, signature: u8 })

export const NO_ALGORITHM: SignatureAlgorithm = { hash: 0, signature: 0 }
export const RSA_SHA256: SignatureAlgorithm = { hash: 4, signature: 1 }
export const ECDSA_SHA256: SignatureAlgorithm = { hash: 4, signature: 3 }

const SignerIdentityType = enumeration(u8, { "cert-hash": 1, "cert-hash-node-id": 2, none: 3 })
const CertificateHash = struct({ hashAlgorithm: u8, hash: opaque(u8) })

export type SignerIdentity = Value<typeof SignerIdentity>
export const SignerIdentity = select(
  SignerIdentityType,
  { "cert-hash": CertificateHash, "cert-hash-node-id": CertificateHash, none: struct({}) },
  { length: u16 },
)

export type Signature = Value<typeof Signature>
export const Signature = struct({
  algorithm: SignatureAlgorithm,
  identity: SignerIdentity,
  value: opaque(u16),
})

/** Of the synthetic values that say "there is none". §7.4.2.2. */
export const NO_SIGNATURE: Signature = {
  algorithm: NO_ALGORITHM,
  identity: { kind: "none" },
  value: new Uint8Array(),
}

/** The bucket that verifies a message's signatures. */
export const Certificates = list(u16, GenericCertificate)

export type SecurityBlock = Value<typeof SecurityBlock>
export const SecurityBlock = struct({ certificates: Certificates, signature: Signature })
