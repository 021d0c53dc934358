import { createHmac, hash } from "node:crypto"
import type { Hashes } from "../core/kit/crypto.ts"

/** Hashes by OpenSSL: what they are for cannot be invented. */
export const openSslHashes: Hashes = {
  sha1: (bytes) => new Uint8Array(hash("sha1", bytes, "buffer")),
  sha256: (bytes) => new Uint8Array(hash("sha256", bytes, "buffer")),
  hmacSha256: (key, bytes) => new Uint8Array(createHmac("sha256", key).update(bytes).digest()),
  digestHex: (algorithm, latin1) => hash(algorithm, Buffer.from(latin1, "latin1"), "hex"),
}
