import type { Address } from "../kit/address.ts"
import { EDGE_DIGITS } from "../service/routing/tokens.ts"

/** How many addresses a node remembers for its next start. */
const REMEMBERED = 64

/** Which nodes live, as the SIP tower has to know at once: by Node-ID, by token, by address. */
export class PeerDirectory {
  readonly #self: string
  readonly #ownAliases: readonly string[]
  readonly #alive = new Set<string>()
  /** Living nodes, this one included, by what tokens carry of their Node-IDs. */
  readonly #prefixes = new Map<string, string>()
  #aliases: readonly string[]
  #remembered: readonly Address[] = []

  constructor(self: string, aliases: readonly string[]) {
    this.#self = self
    this.#ownAliases = aliases
    this.#aliases = aliases
    this.#prefixes.set(self.slice(0, EDGE_DIGITS), self)
  }

  /** Living nodes other than this one. */
  get size(): number {
    return this.#alive.size
  }

  /** Names and addresses that mean the domain, because they are this node's or a living one's. */
  get aliases(): readonly string[] {
    return this.#aliases
  }

  isAlive(node: string): boolean {
    return node === this.#self || this.#alive.has(node)
  }

  nodeWithPrefix(prefix: string): string | undefined {
    return this.#prefixes.get(prefix)
  }

  up(node: string): void {
    this.#alive.add(node)
    this.#prefixes.set(node.slice(0, EDGE_DIGITS), node)
  }

  down(node: string): void {
    this.#alive.delete(node)
    this.#prefixes.delete(node.slice(0, EDGE_DIGITS))
  }

  /** Takes in where nodes are; gives all that is worth asking at the next start, newest first. */
  remember(addresses: readonly Address[]): readonly Address[] {
    const known = new Map([...addresses, ...this.#remembered].map((address) => [keyOf(address), address]))
    this.#remembered = [...known.values()].slice(0, REMEMBERED)
    return this.#remembered
  }

  /** Peers known now: their hosts are other names of the domain. */
  name(addresses: readonly Address[]): void {
    this.#aliases = [...new Set([...this.#ownAliases, ...addresses.map(({ host }) => host)])]
  }
}

const keyOf = ({ host, port }: Address) => `${host} ${port}`
