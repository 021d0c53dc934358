import type { StorageChange } from "../core/storage/change.ts"

/** What a node has made durable; it outlives the node's crash. */
export class Disk {
  readonly #records = new Map<string, StorageChange>()

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
