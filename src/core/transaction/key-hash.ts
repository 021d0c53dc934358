import { PassingTable } from "../kit/passing-table.ts"
import type { Random } from "../kit/random.ts"

/** FNV-1a's; what the steps between do makes nothing easier to choose whose beginning is not known. */
const PRIME = 0x01000193

/** Hashes of texts that strangers choose, from a beginning that they do not know. */
export class KeyHash {
  readonly #seed: number

  constructor(random: Random) {
    this.#seed = Math.floor(random.next() * 0x1_0000_0000) | 0
  }

  /** 32 bits with sign. */
  of(key: string): number {
    let hash = this.#seed
    for (let at = 0; at < key.length; at++) {
      hash = Math.imul(hash ^ key.charCodeAt(at), PRIME)
      hash ^= hash >>> 15
    }
    return hash
  }
}

/** A table by such texts. */
export function tableByText<Value extends object>(random: Random): PassingTable<string, Value> {
  const hash = new KeyHash(random)
  return new PassingTable((key) => hash.of(key))
}
