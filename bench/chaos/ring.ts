import { createHash } from "node:crypto"

const COPIES = 3

/** RFC 6940 §10.2: the first 16 bytes of the SHA-1 of its name, as hexadecimal digits. */
export const resourceIdOf = (name: string): string =>
  createHash("sha1").update(name, "utf8").digest("hex").slice(0, 32)

/** The three Node-IDs from the Resource-ID on, clockwise. Worked out here, so that no node's word is taken for it. */
export function holdersOf(nodes: readonly string[], resource: string): readonly string[] {
  const ring = nodes.toSorted()
  const first = Math.max(
    0,
    ring.findIndex((node) => node >= resource),
  )
  return [...ring.slice(first), ...ring.slice(0, first)].slice(0, COPIES)
}

/** Of records spread evenly, the share that is lost on average when `dead` of `nodes`, drawn at random, die at once. */
export function expectedLoss(nodes: number, dead: number): number {
  let share = 1
  for (let i = 0; i < Math.min(COPIES, nodes); i++) share *= Math.max(0, dead - i) / (nodes - i)
  return share
}
