import { HEADER_TABLE } from "./header-table.ts"

/** A name that the header table does not know. */
export const UNKNOWN = -1

/** The number of a known header field: its place in the header table. Throws for a name that is none. */
export function headerNumber(name: string): number {
  const number = HEADER_TABLE.findIndex((definition) => definition.name === name)
  if (number < 0) throw new RangeError(`no header field is called ${name}`)
  return number
}

/** Spellings in lower case, one behind the other, and where each begins. */
const spellings = HEADER_TABLE.flatMap(({ name, compact }, number) =>
  [name, compact ?? ""].filter((text) => text !== "").map((text) => ({ text: text.toLowerCase(), number })),
)
const text = Uint8Array.from(spellings.map((each) => each.text).join(""), (letter) => letter.charCodeAt(0))
const starts = new Int32Array(spellings.length)
const lengths = new Int32Array(spellings.length)
const numbers = Int32Array.from(spellings, ({ number }) => number)

const SLOTS = 1_024
/** First spelling of each slot, and for each spelling the next one of its slot; -1 ends the chain. */
const heads = new Int32Array(SLOTS).fill(-1)
const nexts = new Int32Array(spellings.length)

/** Length, first, middle and last letter tell nearly all names apart. `0x20` makes letters lower case and leaves the hyphen. */
const slotOf = (bytes: Uint8Array, start: number, length: number): number =>
  ((bytes[start]! | 0x20) * 5 +
    (bytes[start + (length >> 1)]! | 0x20) * 37 +
    (bytes[start + length - 1]! | 0x20) * 11 +
    length * 3) &
  (SLOTS - 1)

let end = 0
for (const [spelling, each] of spellings.entries()) {
  starts[spelling] = end
  lengths[spelling] = each.text.length
  const slot = slotOf(text, end, each.text.length)
  nexts[spelling] = heads[slot]!
  heads[slot] = spelling
  end += each.text.length
}

/**
 * The number of the header field whose name, in any case or in compact form, stands in those bytes, all of them
 * characters of a token; UNKNOWN where the table has none. Allocates nothing.
 */
export function recognize(bytes: Uint8Array, start: number, length: number): number {
  for (let at = heads[slotOf(bytes, start, length)]!; at >= 0; at = nexts[at]!) {
    if (lengths[at] !== length) continue
    const from = starts[at]!
    let same = 0
    while (same < length && text[from + same] === lowerCase(bytes[start + same]!)) same++
    if (same === length) return numbers[at]!
  }
  return UNKNOWN
}

const lowerCase = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte)
