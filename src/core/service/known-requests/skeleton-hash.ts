const P = 0x9e3779b1
const Q = 0x85ebca77
const R = 0xc2b2ae3d

/**
 * A hash of 64 bits over pieces of a message: 0.2 µs for a REGISTER. It keeps apart what phones send, and nobody gains
 * by making two of their own messages alike; it is no cryptography.
 */
export class SkeletonHash {
  a = 0
  b = 0
  #view: DataView = new DataView(new ArrayBuffer(0))
  #offset = 0
  /** Up to here all is hashed or cut out. */
  #at = 0

  /** `view`: on all the memory that the bytes lie in. */
  begin(bytes: Uint8Array, view: DataView): void {
    this.#view = view
    this.#offset = bytes.byteOffset
    this.startAt(0)
  }

  /** A hash of its own from `start` on, in the same bytes. */
  startAt(start: number): void {
    this.a = P
    this.b = Q
    this.#at = start
  }

  /** A piece of the skeleton: what lies between. Where a piece ends counts as well. */
  add(to: number): void {
    const view = this.#view
    const end = this.#offset + to
    let at = this.#offset + this.#at
    const isLong = end - at >= 8
    let a = this.a ^ (end - at)
    let b = this.b
    // Both halves take every word, mixed another way, so that what makes one alike does not make the other so.
    for (; at + 8 <= end; at += 8) {
      const v = view.getInt32(at, true)
      const w = view.getInt32(at + 4, true)
      a = Math.imul(a ^ (v + Math.imul(w, R)), P)
      b = Math.imul(b ^ (w + Math.imul(v, R)), Q)
      a ^= a >>> 15
      b ^= b >>> 14
    }
    let v = 0
    let w = 0
    if (isLong) {
      // The last eight bytes, some of which have been taken.
      v = view.getInt32(end - 8, true)
      w = view.getInt32(end - 4, true)
    } else {
      for (; at < end; at++) {
        w = (w << 8) | (v >>> 24)
        v = (v << 8) | view.getUint8(at)
      }
    }
    a = Math.imul(a ^ (v + Math.imul(w, R)), P)
    b = Math.imul(b ^ (w + Math.imul(v, R)), Q)
    this.a = a ^ (a >>> 15)
    this.b = b ^ (b >>> 14)
    this.#at = to
  }

  /** What lies from `start` to `end` may be anything. */
  cut(start: number, end: number): void {
    this.add(start)
    this.#at = end
  }

  /** All up to there, since the last piece, is as if it had not been written. */
  leap(end: number): void {
    this.#at = end
  }
}
