import { eightDigits } from "./base36.ts"
import type { Random } from "./random.ts"

const SPAN = 36 ** 8

/** Eight random lower-case letters and digits, 41 bits: SIP tags, branches and the like. */
export const randomToken = (random: Random): string => eightDigits(Math.floor(random.next() * SPAN))
