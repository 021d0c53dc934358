/** Tables grow by this: what they have room for and do not use yet stays a small part of them. */
const GROWTH = 1.25

/** Room for at least so many, by as few steps as are worth their copying. */
export const roomFor = (needed: number, present: number): number =>
  Math.max(needed, Math.ceil(GROWTH * present))

/** The same numbers with room for `length`. */
export function grownInts(numbers: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(length)
  grown.set(numbers)
  return grown
}

export function grownDoubles(numbers: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(length)
  grown.set(numbers)
  return grown
}
