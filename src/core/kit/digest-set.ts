import { roomFor } from "./growing.ts"
import { RowIndex } from "./row-index.ts"

/** Of SHA-256. */
const DIGEST_BYTES = 32
const FIRST_DIGESTS = 64

/**
 * Digests of SHA-256, of which the oldest is forgotten when there are too many: in one piece of memory, some 45 bytes each, where a Set
 * of texts took ten times as much.
 */
export class DigestSet {
  readonly #limit: number
  readonly #index = new RowIndex()
  #bytes = new Uint8Array(FIRST_DIGESTS * DIGEST_BYTES)
  #view = new DataView(this.#bytes.buffer)
  /** The place of the next one; where it is full, that of the oldest. */
  #next = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  has(digest: Uint8Array): boolean {
    const index = this.#index
    for (let slot = index.first(hashOf(digest)); slot >= 0; slot = index.next(slot))
      if (this.#isAt(index.row(slot), digest)) return true
    return false
  }

  /** One that is there already keeps its age. */
  add(digest: Uint8Array): void {
    if (this.has(digest)) return
    const place = this.#next
    if (this.#index.size === this.#limit) this.#index.delete(this.#view.getInt32(place * DIGEST_BYTES), place)
    else this.#makeRoom(place + 1)
    this.#bytes.set(digest, place * DIGEST_BYTES)
    this.#index.add(hashOf(digest), place)
    this.#next = place + 1 === this.#limit ? 0 : place + 1
  }

  #isAt(place: number, digest: Uint8Array): boolean {
    const start = place * DIGEST_BYTES
    for (let byte = 0; byte < DIGEST_BYTES; byte++)
      if (this.#bytes[start + byte] !== digest[byte]) return false
    return true
  }

  #makeRoom(digests: number): void {
    const present = this.#bytes.length / DIGEST_BYTES
    if (digests <= present) return
    const bytes = new Uint8Array(Math.min(this.#limit, roomFor(digests, present)) * DIGEST_BYTES)
    bytes.set(this.#bytes)
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer)
  }
}

/** A digest is mixed well as it is. */
const hashOf = (digest: Uint8Array): number =>
  (digest[0]! << 24) | (digest[1]! << 16) | (digest[2]! << 8) | digest[3]!
