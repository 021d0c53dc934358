import type { Ticket } from "../overlay/interface.ts"

/** How many machines of one node ask the overlay. */
const OWNERS = 8

/**
 * The questions that one machine has put to the overlay, each with what is to be remembered until
 * the answer comes. `owner` tells whose a ticket is, so that a node can hand answers out.
 */
export class Tickets<Context> {
  readonly #owner: number
  readonly #pending = new Map<Ticket, Context>()
  #issued = 0

  /** `owner` from 0 to 7, a different one for each machine of a node. */
  constructor(owner: number) {
    this.#owner = owner
  }

  get pending(): number {
    return this.#pending.size
  }

  issue(context: Context): Ticket {
    const ticket = OWNERS * this.#issued++ + this.#owner
    this.#pending.set(ticket, context)
    return ticket
  }

  /** What was remembered; undefined where nobody waits any more. */
  redeem(ticket: Ticket): Context | undefined {
    const context = this.#pending.get(ticket)
    this.#pending.delete(ticket)
    return context
  }
}

export const ownerOf = (ticket: Ticket): number => ticket % OWNERS
