import type { NodeId } from "../identity/node-id.ts"

interface PeerSet {
  readonly name: string
  readonly nodes: readonly NodeId[]
  /** How many name it. */
  users: number
}

/** The number of the set of nobody. */
export const NOBODY = 0

/**
 * Sets of peers that many records have in common, by small numbers: the same few peers hold what stands between two of
 * them. One that nobody names any more is forgotten, as peers come and go.
 */
export class PeerSets {
  readonly #sets: (PeerSet | undefined)[] = [{ name: "", nodes: [], users: 0 }]
  readonly #numbers = new Map<string, number>([["", NOBODY]])
  readonly #free: number[] = []

  of(number: number): readonly NodeId[] {
    return this.#sets[number]!.nodes
  }

  /** Somebody named the set `before` and names that of those nodes instead, by the number that comes back. */
  exchange(before: number, nodes: readonly NodeId[]): number {
    const number = this.#take(nodes)
    this.release(before)
    return number
  }

  release(number: number): void {
    const set = this.#sets[number]!
    if (number === NOBODY || --set.users > 0) return
    this.#numbers.delete(set.name)
    this.#sets[number] = undefined
    this.#free.push(number)
  }

  #take(nodes: readonly NodeId[]): number {
    const sorted = [...nodes].sort()
    const name = sorted.join(" ")
    const known = this.#numbers.get(name)
    const number = known ?? this.#free.pop() ?? this.#sets.length
    if (known === undefined) {
      this.#sets[number] = { name, nodes: sorted, users: 0 }
      this.#numbers.set(name, number)
    }
    this.#sets[number]!.users++
    return number
  }
}
