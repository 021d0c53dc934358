/** 24 bytes of a nonce as numbers. */
export const NONCE_WORDS = 6
/** Beside them the highest count. */
const STRIDE = NONCE_WORDS + 1
const FIRST_SLOTS = 1_024
/** Of the code that authenticates it: nobody can choose nonces that crowd one place. */
const HASH_WORD = 3

/**
 * How often nonces have been used: a hash table in one piece of memory, 28 bytes a slot and at most half full, without an
 * object or a text for each. A count is never 0, so 0 marks a free slot.
 */
export class NonceUses {
  #slots = new Int32Array(FIRST_SLOTS * STRIDE)
  #mask = FIRST_SLOTS - 1
  size = 0

  /** The highest count that the nonce was used with; 0 where it is not known. */
  count(nonce: Int32Array): number {
    return this.#slots[this.#find(this.#slots, this.#mask, nonce) + NONCE_WORDS]! >>> 0
  }

  /** `count`: 1 to 2^32 - 1. */
  set(nonce: Int32Array, count: number): void {
    let at = this.#find(this.#slots, this.#mask, nonce)
    if (this.#slots[at + NONCE_WORDS] === 0) {
      if (2 * (this.size + 1) > this.#mask) {
        this.#grow()
        at = this.#find(this.#slots, this.#mask, nonce)
      }
      this.size++
      this.#slots.set(nonce, at)
    }
    this.#slots[at + NONCE_WORDS] = count
  }

  /** Where the nonce stands, or the free slot where it would. */
  #find(slots: Int32Array, mask: number, nonce: Int32Array): number {
    for (let slot = nonce[HASH_WORD]! & mask; ; slot = (slot + 1) & mask) {
      const at = slot * STRIDE
      if (slots[at + NONCE_WORDS] === 0) return at
      let word = 0
      while (word < NONCE_WORDS && slots[at + word] === nonce[word]) word++
      if (word === NONCE_WORDS) return at
    }
  }

  #grow(): void {
    const mask = 2 * this.#mask + 1
    const slots = new Int32Array((mask + 1) * STRIDE)
    for (let at = 0; at < this.#slots.length; at += STRIDE) {
      if (this.#slots[at + NONCE_WORDS] === 0) continue
      const nonce = this.#slots.subarray(at, at + STRIDE)
      slots.set(nonce, this.#find(slots, mask, nonce))
    }
    this.#slots = slots
    this.#mask = mask
  }
}
