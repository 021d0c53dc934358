import type { Hashes, Sealing } from "../kit/crypto.ts"
import type { Instant } from "../kit/time.ts"
import type { NodeId } from "./node-id.ts"

/** A function that a node serves; what its certificate allows it. */
export type Role = string

/**
 * What the fabric reads in a certificate. RFC 6940 §11.3: an empty subject, Node-IDs as
 * `reload://` URIs and exactly one rfc822Name; roles stand in a private extension.
 */
export interface Certificate {
  readonly der: Uint8Array
  /** SHA-256 over `der`, lower-case hexadecimal. Identifies the certificate everywhere. */
  readonly fingerprint: string
  readonly nodeIds: readonly NodeId[]
  /** The rfc822Name, such as `node-7f3a@example.org` or `alice@example.org`. */
  readonly userName: string
  /** The overlay named in the `reload://` URIs. */
  readonly overlay: string
  readonly roles: readonly Role[]
  readonly notBefore: Instant
  readonly notAfter: Instant
}

/** Hash and signature algorithm by their TLS 1.2 numbers: {4, 3} is ECDSA with SHA-256. */
export interface AlgorithmNumbers {
  readonly hash: number
  readonly signature: number
}

/** All cryptography of the fabric, synchronous. Implementations remember certificates they have read. */
export interface Cryptography extends Hashes, Sealing {
  /** Reads DER; judges nothing. Throws FormatError for what is no certificate of a RELOAD node. */
  readCertificate(der: Uint8Array): Certificate
  /** Whether one of `roots` (DER) signed it, directly. Validity times are the caller's to check. */
  isIssuedBy(certificate: Certificate, roots: readonly Uint8Array[]): boolean
  /** False also for algorithms that are not supported: only {4,1} and {4,3} are. */
  verify(
    certificate: Certificate,
    algorithm: AlgorithmNumbers,
    signed: Uint8Array,
    value: Uint8Array,
  ): boolean
}

/** Who we are: a certificate and the means to sign in its name. */
export interface Identity {
  readonly nodeId: NodeId
  readonly certificate: Certificate
  readonly algorithm: AlgorithmNumbers
  /** The bytes are lent: who keeps them makes a copy. */
  sign(bytes: Uint8Array): Uint8Array
}
