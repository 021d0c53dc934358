import { sevenDigits } from "./base36.ts"

const FIRST = 0x811c9dc5
const PRIME = 0x01000193
const LINE_FEED = 10

/**
 * FNV-1a of latin1 text, 32 bits in seven letters and digits. It tells apart what nobody tries to
 * make alike; it is no cryptography.
 */
export const checksum = (latin1: string, seed = FIRST): string => written(mixed(seed, latin1))

/** The same of the texts with a line feed between each two, without making one text of them. */
export function checksumOfLines(lines: readonly string[]): string {
  let hash = FIRST
  for (let index = 0; index < lines.length; index++)
    hash = mixed(index === 0 ? hash : Math.imul(hash ^ LINE_FEED, PRIME), lines[index]!)
  return written(hash)
}

function mixed(seed: number, latin1: string): number {
  let hash = seed
  for (let i = 0; i < latin1.length; i++) hash = Math.imul(hash ^ latin1.charCodeAt(i), PRIME)
  return hash
}

const written = (hash: number): string => sevenDigits(hash >>> 0)
