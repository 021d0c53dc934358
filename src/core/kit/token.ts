import type { Random } from "./random.ts"

const SPAN = 36 ** 8

/** Eight random lower-case letters and digits, 41 bits: SIP tags, branches and the like. */
export const randomToken = (random: Random): string =>
  Math.floor(random.next() * SPAN)
    .toString(36)
    .padStart(8, "0")
