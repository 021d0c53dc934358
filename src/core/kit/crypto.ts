/**
 * Cryptography that the core needs, as a port: synchronous, passed in, and faked in no protocol
 * code. The host implements it over OpenSSL; the simulator over something cheap.
 */
export interface Hashes {
  sha1(bytes: Uint8Array): Uint8Array
  sha256(bytes: Uint8Array): Uint8Array
  hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array
  /** Lower-case hexadecimal digest of text whose characters are bytes (latin1). RFC 7616 §3. */
  digestHex(algorithm: "md5" | "sha256", latin1: string): string
}

/** Authenticated encryption of secrets at rest and in flight. AES-256-GCM in the host. */
export interface Sealing {
  /** `key` is 32 bytes. The result carries its own random nonce. */
  seal(key: Uint8Array, plain: Uint8Array, context: string): Uint8Array
  /** Undefined where key or context are wrong, or the bytes were changed. */
  unseal(key: Uint8Array, sealed: Uint8Array, context: string): Uint8Array | undefined
}
