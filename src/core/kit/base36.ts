// `toString(36)` goes digit by digit through the C library's division of doubles: 0.5 µs for a tag, several of which are made for every
// message. Here it is a few divisions of small integers.

const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
const PAIRS = Array.from(
  { length: 36 * 36 },
  (_, pair) => DIGITS.charAt(pair / 36) + DIGITS.charAt(pair % 36),
)
const PAIR = 36 * 36

/** Of four digits: one more than the largest such number. */
export const FOUR_DIGITS = PAIR * PAIR

/** A whole number below FOUR_DIGITS. */
export const fourDigits = (value: number): string => PAIRS[(value / PAIR) | 0]! + PAIRS[value % PAIR]!

/** A whole number of 32 bits without sign. */
export function sevenDigits(value: number): string {
  const high = Math.floor(value / FOUR_DIGITS)
  return DIGITS.charAt(high / PAIR) + PAIRS[high % PAIR]! + fourDigits(value - high * FOUR_DIGITS)
}

/** A whole number below 36^8. */
export function eightDigits(value: number): string {
  const high = Math.floor(value / FOUR_DIGITS)
  return fourDigits(high) + fourDigits(value - high * FOUR_DIGITS)
}
