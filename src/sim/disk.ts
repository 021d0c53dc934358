import { after, type Duration, type Instant } from "../core/kit/time.ts"
import type { StorageChange } from "../core/storage/change.ts"
import type { Agenda } from "./agenda.ts"

interface Clock {
  readonly agenda: Agenda
  readonly diskDelay: Duration
  now(): Instant
}

/** What a node has made durable; it outlives the node's crash. */
export class Disk {
  readonly #records = new Map<string, StorageChange>()
  #underWay: readonly StorageChange[][] = []
  /** Whatever is written fails. */
  isFull = false

  /** Makes the changes durable, which takes a while; then says so, or why not. */
  write(clock: Clock, changes: readonly StorageChange[], done: (failure: string | undefined) => void): void {
    const batch = [...changes]
    this.#underWay = [...this.#underWay, batch]
    clock.agenda.plan(after(clock.now(), clock.diskDelay), () => {
      if (!this.#underWay.includes(batch)) return // A crash before the disk was done: nothing was promised.
      this.#underWay = this.#underWay.filter((each) => each !== batch)
      if (!this.isFull) this.apply(batch)
      done(this.isFull ? "no space left on device" : undefined)
    })
  }

  /**
   * Power fails: of the writes that were under way this share is on the disk nevertheless, the oldest first.
   * None is there in part, since what belongs together bears one checksum.
   */
  tear(share: number): void {
    const batches = this.isFull ? [] : this.#underWay
    this.#underWay = []
    for (const batch of batches.slice(0, Math.round(share * batches.length))) this.apply(batch)
  }

  /** Another disk takes its place. */
  erase(): void {
    this.#records.clear()
  }

  apply(changes: readonly StorageChange[]): void {
    for (const change of changes) {
      if (change.kind === "certificate") this.#records.set(`certificate ${change.fingerprint}`, change)
      else if (change.kind === "forget-certificate") this.#records.delete(`certificate ${change.fingerprint}`)
      else if (change.kind === "put") this.#records.set(place(change), change)
      else this.#records.delete(place(change))
    }
  }

  /** As the host gives it back at the next start: certificates first. */
  contents(): readonly StorageChange[] {
    const all = [...this.#records.values()]
    return [...all.filter(({ kind }) => kind === "certificate"), ...all.filter(({ kind }) => kind === "put")]
  }
}

const place = (change: Extract<StorageChange, { kind: "put" | "delete" }>) =>
  `${change.resource} ${change.kindId} ${change.slot}`
