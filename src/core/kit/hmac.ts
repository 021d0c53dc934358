import { concat } from "./bytes.ts"
import type { Hashes } from "./crypto.ts"

const BLOCK = 64

/**
 * HMAC-SHA256 (RFC 2104) with a key that stays, over the plain hash: where the platform makes key
 * objects for every HMAC, this takes a third of the time, and every REGISTER needs one or two.
 */
export class Hmac {
  readonly #hashes: Pick<Hashes, "sha256">
  readonly #inner: Uint8Array
  readonly #outer: Uint8Array

  constructor(hashes: Pick<Hashes, "sha256">, key: Uint8Array) {
    const padded = new Uint8Array(BLOCK)
    padded.set(key.length > BLOCK ? hashes.sha256(key) : key)
    this.#hashes = hashes
    this.#inner = padded.map((byte) => byte ^ 0x36)
    this.#outer = padded.map((byte) => byte ^ 0x5c)
  }

  /** 32 bytes. */
  of(...message: readonly Uint8Array[]): Uint8Array {
    return this.#hashes.sha256(concat(this.#outer, this.#hashes.sha256(concat(this.#inner, ...message))))
  }
}
