import { type Duration, seconds } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import type { StorageChange } from "../storage/change.ts"
import type { OverlayEffect, Ticket } from "./interface.ts"

/** How a persist ended: undefined is success. */
export type Persisted = (failure: string | undefined) => void

/** How soon what the disk did not take is offered again. */
const AGAIN = seconds(1)
/** Records offered again in one go. */
const AT_A_TIME = 256

export interface DurabilityParts {
  emit(effect: OverlayEffect): void
  in(wait: Duration, run: () => void): unknown
  failed(reason: string): void
  /** What is held at those places now, with the certificates that verify it. */
  held(resources: readonly ResourceId[]): readonly StorageChange[]
}

/**
 * What is on its way to the disk. What the disk did not take stays in memory, so it is offered again, as it is then,
 * until it is taken: otherwise a record would seem complete that a power cut takes away.
 */
export class Durability {
  readonly #parts: DurabilityParts
  readonly #underWay = new Map<
    Ticket,
    { readonly resources: readonly ResourceId[]; readonly done: Persisted }
  >()
  readonly #barriers: { readonly before: Ticket; readonly done: Persisted }[] = []
  readonly #unwritten = new Set<ResourceId>()
  #isPlanned = false
  #tickets = 0

  constructor(parts: DurabilityParts) {
    this.#parts = parts
  }

  get isBusy(): boolean {
    return this.#underWay.size > 0
  }

  /** Makes it durable, then says so. What is nothing is durable at once. */
  persist(changes: readonly StorageChange[], done: Persisted): void {
    if (changes.length === 0) return done(undefined)
    const ticket = this.#tickets++
    const resources = changes.flatMap((change) => ("resource" in change ? [change.resource] : []))
    this.#underWay.set(ticket, { resources, done })
    this.#parts.emit({ kind: "persist", ticket, changes })
  }

  /** Says so once everything is durable that is held now, or that the disk does not take it. */
  whenDurable(done: Persisted): void {
    if (this.#underWay.size === 0) done(this.#complaint())
    else this.#barriers.push({ before: this.#tickets, done })
  }

  ended(ticket: Ticket, failure: string | undefined): void {
    const { resources = [], done } = this.#underWay.get(ticket) ?? {}
    this.#underWay.delete(ticket)
    if (failure !== undefined) {
      this.#parts.failed(failure)
      for (const resource of resources) this.#unwritten.add(resource)
      this.#plan()
    }
    done?.(failure)
    // Tickets are kept in their order, so the first is the oldest.
    const [oldest = this.#tickets] = this.#underWay.keys()
    while (this.#barriers[0] !== undefined && this.#barriers[0].before <= oldest)
      this.#barriers.shift()!.done(this.#complaint())
  }

  #complaint(): string | undefined {
    return this.#unwritten.size === 0 ? undefined : "the disk has not taken what was written before"
  }

  #plan(): void {
    if (this.#isPlanned || this.#unwritten.size === 0) return
    this.#isPlanned = true
    this.#parts.in(AGAIN, () => {
      this.#isPlanned = false
      this.#offerAgain()
    })
  }

  #offerAgain(): void {
    const resources = [...this.#unwritten].slice(0, AT_A_TIME)
    for (const resource of resources) this.#unwritten.delete(resource)
    // Until it is taken nothing counts as durable, and so it does, being under way.
    this.persist(this.#parts.held(resources), () => this.#plan())
  }
}
