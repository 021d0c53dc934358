/** Of so many bytes pieces are made, from which others are cut. */
const PIECE = 65_536
/** What is larger gets memory of its own. */
const LARGEST = 8_192

let piece = new Uint8Array(PIECE)
let cut = 0

/**
 * Memory for bytes that are soon let go of, such as messages on their way. V8 allocates each array of more than 64 bytes
 * outside its heap, which takes 0.3 µs and as much again when it is freed, where a view on what is there takes 0.05.
 * Whoever keeps such bytes for long makes a copy, since they keep all of their piece alive.
 */
export function briefMemory(length: number): Uint8Array {
  if (length > LARGEST) return new Uint8Array(length)
  if (cut + length > PIECE) {
    piece = new Uint8Array(PIECE)
    cut = 0
  }
  const start = cut
  cut += length
  return piece.subarray(start, cut)
}
