import { roomFor } from "../../kit/growing.ts"

/** 24 bytes of a nonce as numbers. */
export const NONCE_WORDS = 6
/** Beside them the highest count. */
const STRIDE = NONCE_WORDS + 1
const FIRST_SLOTS = 1_024
/** Used slots of all. */
const FULLEST = 0.75
const WORD = 2 ** 32
/** Of the code that authenticates it: nobody can choose nonces that crowd one place. */
const HASH_WORD = 3

/**
 * How often nonces have been used: a hash table in one piece of memory, 28 bytes a slot and at most three quarters full, without an
 * object or a text for each. A count is never 0, so 0 marks a free slot.
 */
export class NonceUses {
  #slots = new Int32Array(FIRST_SLOTS * STRIDE)
  size = 0

  /** The highest count that the nonce was used with; 0 where it is not known. */
  count(nonce: Int32Array): number {
    return this.#slots[find(this.#slots, nonce) + NONCE_WORDS]! >>> 0
  }

  /** `count`: 1 to 2^32 - 1. */
  set(nonce: Int32Array, count: number): void {
    let at = find(this.#slots, nonce)
    if (this.#slots[at + NONCE_WORDS] === 0) {
      if (this.size + 1 > (FULLEST * this.#slots.length) / STRIDE) {
        this.#grow()
        at = find(this.#slots, nonce)
      }
      this.size++
      this.#slots.set(nonce, at)
    }
    this.#slots[at + NONCE_WORDS] = count
  }

  #grow(): void {
    const slots = new Int32Array(roomFor(FIRST_SLOTS, this.#slots.length / STRIDE) * STRIDE)
    for (let at = 0; at < this.#slots.length; at += STRIDE) {
      if (this.#slots[at + NONCE_WORDS] === 0) continue
      const nonce = this.#slots.subarray(at, at + STRIDE)
      slots.set(nonce, find(slots, nonce))
    }
    this.#slots = slots
  }
}

/** Where the nonce stands, or the free slot where it would. */
function find(slots: Int32Array, nonce: Int32Array): number {
  const count = slots.length / STRIDE
  for (let slot = Math.floor(((nonce[HASH_WORD]! >>> 0) * count) / WORD); ; slot = (slot + 1) % count) {
    const at = slot * STRIDE
    if (slots[at + NONCE_WORDS] === 0) return at
    let word = 0
    while (word < NONCE_WORDS && slots[at + word] === nonce[word]) word++
    if (word === NONCE_WORDS) return at
  }
}
