import { roomFor } from "../../kit/growing.ts"

/** 24 bytes of a nonce as numbers. */
export const NONCE_WORDS = 6
/**
 * By these it is known again: its time, and 64 bits of the code that authenticates time and salt. Whoever makes another nonce with
 * them has one that is as old and as often used, and must answer it with the password like any other.
 */
const TIME = 0
const CODE_A = 3
const CODE_B = 4
/** A slot: the three, and the highest count. */
const STRIDE = 4
const COUNT_AT = 3
const FIRST_SLOTS = 1_024
/** Used slots of all. */
const FULLEST = 0.75
const WORD = 2 ** 32

/**
 * How often nonces have been used: a hash table in one piece of memory, 16 bytes a slot and at most three quarters full, without an
 * object or a text for each. A count is never 0, so 0 marks a free slot.
 */
export class NonceUses {
  #slots = new Int32Array(FIRST_SLOTS * STRIDE)
  size = 0

  /** The highest count that the nonce was used with; 0 where it is not known. */
  count(nonce: Int32Array): number {
    return this.#slots[this.#find(nonce) + COUNT_AT]! >>> 0
  }

  /** `count`: 1 to 2^32 - 1. */
  set(nonce: Int32Array, count: number): void {
    let at = this.#find(nonce)
    if (this.#slots[at + COUNT_AT] === 0) {
      if (this.size + 1 > (FULLEST * this.#slots.length) / STRIDE) {
        this.#grow()
        at = this.#find(nonce)
      }
      this.size++
      this.#slots[at] = nonce[TIME]!
      this.#slots[at + 1] = nonce[CODE_A]!
      this.#slots[at + 2] = nonce[CODE_B]!
    }
    this.#slots[at + COUNT_AT] = count
  }

  #find(nonce: Int32Array): number {
    return find(this.#slots, nonce[TIME]!, nonce[CODE_A]!, nonce[CODE_B]!)
  }

  #grow(): void {
    const slots = new Int32Array(roomFor(FIRST_SLOTS, this.#slots.length / STRIDE) * STRIDE)
    for (let at = 0; at < this.#slots.length; at += STRIDE) {
      if (this.#slots[at + COUNT_AT] === 0) continue
      const to = find(slots, this.#slots[at]!, this.#slots[at + 1]!, this.#slots[at + 2]!)
      for (let word = 0; word < STRIDE; word++) slots[to + word] = this.#slots[at + word]!
    }
    this.#slots = slots
  }
}

/** Where the nonce stands, or the free slot where it would. By the code: nobody can choose nonces that crowd one place. */
function find(slots: Int32Array, time: number, codeA: number, codeB: number): number {
  const count = slots.length / STRIDE
  for (let slot = Math.floor(((codeA >>> 0) * count) / WORD); ; slot = slot + 1 === count ? 0 : slot + 1) {
    const at = slot * STRIDE
    if (slots[at + COUNT_AT] === 0) return at
    if (slots[at] === time && slots[at + 1] === codeA && slots[at + 2] === codeB) return at
  }
}
