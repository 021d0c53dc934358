import { HEADER_TABLE } from "./header-table.ts"

/** A name that the header table does not know. */
export const UNKNOWN = -1

/** The number of a known header field: its place in the header table. Throws for a name that is none. */
export function headerNumber(name: string): number {
  const number = HEADER_TABLE.findIndex((definition) => definition.name === name)
  if (number < 0) throw new RangeError(`no header field is called ${name}`)
  return number
}

/** Makes letters lower case and leaves the hyphen; a CR becomes one, so that names may not hold any. */
const LOWER_CASE = 0x20
const FOUR_LOWER_CASE = 0x20202020

const spellings = HEADER_TABLE.flatMap(({ name, compact }, number) =>
  [name, compact ?? ""].filter((text) => text !== "").map((text) => ({ text: text.toLowerCase(), number })),
)
/** Words of four letters for each spelling, of which the last one ends with it, and may overlap the one before. */
const WORDS = 1 + Math.max(...spellings.map(({ text }) => Math.ceil(text.length / 4)))
const words = new Int32Array(WORDS * spellings.length)
const lengths = Int32Array.from(spellings, ({ text }) => text.length)
const numbers = Int32Array.from(spellings, ({ number }) => number)

const SLOTS = 1_024
/** First spelling of each slot, and for each spelling the next one of its slot; -1 ends the chain. */
const heads = new Int32Array(SLOTS).fill(-1)
const nexts = new Int32Array(spellings.length)

/** By the first two letters and how long the name is: most slots hold one. */
const slotOf = (first: number, second: number, length: number): number =>
  ((first | LOWER_CASE) * 5 + (second | LOWER_CASE) * 37 + length * 3) & (SLOTS - 1)

for (const [spelling, { text }] of spellings.entries()) {
  const bytes = Uint8Array.from(`${text}:`.padEnd(4), (letter) => letter.charCodeAt(0))
  const view = new DataView(bytes.buffer)
  for (let word = 0; word < WORDS; word++) {
    const at = Math.max(0, Math.min(4 * word, text.length - 4))
    words[spelling * WORDS + word] = view.getInt32(at, true)
  }
  const slot = slotOf(bytes[0]!, bytes[1]!, text.length)
  nexts[spelling] = heads[slot]!
  heads[slot] = spelling
}

/**
 * The number of the header field whose name, in any case or in compact form, stands in those bytes before a colon and
 * holds no control character; UNKNOWN where the table has none. `offset`: where the bytes begin in the view. Allocates
 * nothing.
 */
export function recognize(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  start: number,
  length: number,
): number {
  for (let at = heads[slotOf(bytes[start]!, bytes[start + 1]!, length)]!; at >= 0; at = nexts[at]!) {
    if (lengths[at] !== length) continue
    if (length < 4 ? isShort(bytes, start, at) : isLong(view, offset + start, at)) return numbers[at]!
  }
  return UNKNOWN
}

function isShort(bytes: Uint8Array, start: number, spelling: number): boolean {
  let written = 0
  for (let at = lengths[spelling]! - 1; at >= 0; at--)
    written = (written << 8) | (bytes[start + at]! | LOWER_CASE)
  const bits = 8 * lengths[spelling]!
  return ((written ^ words[spelling * WORDS]!) & ((1 << bits) - 1)) === 0
}

function isLong(view: DataView, start: number, spelling: number): boolean {
  const last = lengths[spelling]! - 4
  const place = spelling * WORDS
  let word = 0
  let difference = 0
  for (; 4 * word < last; word++)
    difference |= (view.getInt32(start + 4 * word, true) | FOUR_LOWER_CASE) ^ words[place + word]!
  return (difference | ((view.getInt32(start + last, true) | FOUR_LOWER_CASE) ^ words[place + word]!)) === 0
}
