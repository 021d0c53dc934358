/** A bug of one line: what stands there, and what stands there instead. */
export interface Mutant {
  readonly bug: string
  readonly file: string
  /** All of the line but the space before it. It stands there once. */
  readonly line: string
  readonly instead: string
  /** The test file to be tried first, since it is about just that. */
  readonly near: string
}

/** The fast run: what the rooms of the fabric prove of themselves, and lean peers beside. */
export const TESTS: readonly string[] = [
  "src/core/topology/**/*.test.ts",
  "src/core/storage/**/*.test.ts",
  "src/core/overlay/**/*.test.ts",
  "src/sim/lean/*.test.ts",
]

const RULES = "src/core/topology/chord/rules.ts"
const MACHINE = "src/core/topology/chord/machine.ts"
const PLAN = "src/core/storage/store-plan.ts"

export const MUTANTS: readonly Mutant[] = [
  {
    bug: "the end of an interval of the ring does not belong to it",
    file: RULES,
    line: "return from < to ? from < point && point <= to : from < point || point <= to",
    instead: "return from < to ? from < point && point < to : from < point || point < to",
    near: "src/core/topology/chord/detours.test.ts",
  },
  {
    bug: "a peer owns what lies behind its successor, not behind its predecessor",
    file: RULES,
    line: "return peers.size === 0 || isWithin<Id | Spot>(target, around(peers, indexAt(peers, self), -1), self)",
    instead:
      "return peers.size === 0 || isWithin<Id | Spot>(target, around(peers, indexAt(peers, self), 0), self)",
    near: "src/core/topology/chord/detours.test.ts",
  },
  {
    bug: "a message is passed on to the first peer behind its target, not to the last before it",
    file: RULES,
    line: "return isWithin<Id | Spot>(closest, self, target) ? closest : around(peers, index, 0)",
    instead: "return isWithin<Id | Spot>(closest, target, self) ? closest : around(peers, index, 0)",
    near: "src/core/topology/chord/detours.test.ts",
  },
  {
    bug: "a wide ring keeps three neighbors, however wide it is",
    file: RULES,
    line: "Math.max(NEIGHBORS, logarithm(view))",
    instead: "Math.max(NEIGHBORS, Math.min(NEIGHBORS, logarithm(view)))",
    near: "src/core/topology/chord/chord.test.ts",
  },
  {
    bug: "that a peer has us as a neighbor is forgotten",
    file: MACHINE,
    line: "if (isNeighbor) state.setNeedsUs(from, true)",
    instead: "if (isNeighbor) state.setNeedsUs(from, false)",
    near: "src/core/topology/chord/chord.test.ts",
  },
  {
    bug: "an older copy replaces a newer one",
    file: PLAN,
    line: "if (held.expiresAt > now && (!present || supersedes(held, present))) this.#placed.set(held.slot, held)",
    instead: "if (held.expiresAt > now) this.#placed.set(held.slot, held)",
    near: "src/core/storage/copies.test.ts",
  },
  {
    bug: "a write with the storage_time of what is there is taken",
    file: PLAN,
    line: "if (present && held.storageTime <= present.storageTime)",
    instead: "if (present && held.storageTime < present.storageTime)",
    near: "src/core/storage/storage.test.ts",
  },
  {
    bug: "a write is acknowledged when one holder has not confirmed it yet",
    file: "src/core/overlay/writes.ts",
    line: "if (acknowledged.size + 1 - (isBeside ? 1 : 0) < Math.min(COPIES, able)) return",
    instead: "if (acknowledged.size + 2 - (isBeside ? 1 : 0) < Math.min(COPIES, able)) return",
    near: "src/core/overlay/overlay.test.ts",
  },
  {
    bug: "a record is let go of before those that ought to hold it have it",
    file: "src/core/overlay/repair.ts",
    line: "if (targets.length === 0 && !this.#placement.isDue(resource)) this.#letGo(resource)",
    instead: "if (!this.#placement.isDue(resource)) this.#letGo(resource)",
    near: "src/core/overlay/letting-go.test.ts",
  },
  {
    bug: "an answer goes back over the peers of its way in the wrong order",
    file: "src/core/overlay/messenger.ts",
    line: 'const destination = [...header.via, { kind: "node", node: link.node } as const].reverse()',
    instead: 'const destination = [...header.via, { kind: "node", node: link.node } as const]',
    near: "src/core/overlay/wide-ring.test.ts",
  },
]

/** Why the bug cannot be planted in that text of its file; undefined where it can. */
export function misplaced({ file, line }: Mutant, text: string): string | undefined {
  const found = text.split("\n").filter((each) => each.trim() === line).length
  return found === 1
    ? undefined
    : `${file} has the line "${line}" ${found} times, not once: mend bench/mutants/list.ts`
}
