import type { Random } from "../kit/random.ts"

/** FNV-1a's; what the steps between do makes nothing easier to choose whose beginning is not known. */
const PRIME = 0x01000193

/** Hashes of texts that strangers choose, from a beginning that they do not know. */
export class KeyHash {
  readonly #seed: number
  /** What is asked for is asked for again at once: whether it is there, to put it in, to take it out. */
  #latest = ""
  #latestHash = 0

  constructor(random: Random) {
    this.#seed = Math.floor(random.next() * 0x1_0000_0000) | 0
    this.#latestHash = this.#seed
  }

  /** 32 bits with sign. */
  of(key: string): number {
    if (key === this.#latest) return this.#latestHash
    let hash = this.#seed
    for (let at = 0; at < key.length; at++) {
      hash = Math.imul(hash ^ key.charCodeAt(at), PRIME)
      hash ^= hash >>> 15
    }
    this.#latest = key
    this.#latestHash = hash
    return hash
  }
}
