import { type Duration, seconds } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import type { StorageChange } from "../storage/change.ts"
import type { OverlayEffect, Ticket } from "./interface.ts"

/** How a persist ended: undefined is success. */
export type Persisted = (failure: string | undefined) => void

type Deletion = Extract<StorageChange, { kind: "delete" }>

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
 * until it is taken: otherwise a record would seem complete that a power cut takes away. So is what the disk did not forget:
 * after a restart it might come back when everybody else has long forgotten that it was removed.
 */
export class Durability {
  readonly #parts: DurabilityParts
  readonly #underWay = new Map<
    Ticket,
    { readonly changes: readonly StorageChange[]; readonly done: Persisted }
  >()
  readonly #barriers: { readonly before: Ticket; readonly done: Persisted }[] = []
  /** By record, what of it is still on the disk that should not be, by place. */
  readonly #unwritten = new Map<ResourceId, Map<string, Deletion>>()
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
    this.#underWay.set(ticket, { changes, done })
    this.#parts.emit({ kind: "persist", ticket, changes })
  }

  /** Says so once everything is durable that is held now, or that the disk does not take it. */
  whenDurable(done: Persisted): void {
    if (this.#underWay.size === 0) done(this.#complaint())
    else this.#barriers.push({ before: this.#tickets, done })
  }

  ended(ticket: Ticket, failure: string | undefined): void {
    const { changes = [], done } = this.#underWay.get(ticket) ?? {}
    this.#underWay.delete(ticket)
    if (failure !== undefined) {
      this.#parts.failed(failure)
      for (const change of changes) this.#offerLater(change)
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

  #offerLater(change: StorageChange): void {
    if (!("resource" in change)) return
    const deletions = this.#unwritten.get(change.resource) ?? new Map<string, Deletion>()
    if (change.kind === "delete") deletions.set(placeOf(change), change)
    this.#unwritten.set(change.resource, deletions)
  }

  #offerAgain(): void {
    const again = [...this.#unwritten].slice(0, AT_A_TIME)
    for (const [resource] of again) this.#unwritten.delete(resource)
    const held = this.#parts.held(again.map(([resource]) => resource))
    // What has come again meanwhile stays.
    const kept = new Set(held.flatMap((change) => (change.kind === "put" ? [placeOf(change)] : [])))
    const gone = again.flatMap(([, deletions]) =>
      [...deletions.values()].filter((change) => !kept.has(placeOf(change))),
    )
    // Until it is taken nothing counts as durable, and so it does, being under way.
    this.persist([...gone, ...held], () => this.#plan())
  }
}

const placeOf = ({ resource, kindId, slot }: Pick<Deletion, "resource" | "kindId" | "slot">): string =>
  `${resource} ${kindId} ${slot}`
