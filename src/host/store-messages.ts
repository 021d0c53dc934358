import type { StorageChange } from "../core/storage/change.ts"

// What the loop's thread and the store's thread say to each other.

export type ToStoreWorker =
  | { readonly kind: "persist"; readonly persists: readonly ToPersist[] }
  | { readonly kind: "close" }

export interface ToPersist {
  readonly ticket: number
  readonly changes: readonly StorageChange[]
}

export type FromStoreWorker =
  /** What the store holds, in parts. */
  | { readonly kind: "loaded"; readonly changes: readonly StorageChange[]; readonly isLast: boolean }
  /** It could not be opened; a sentence. The worker ends. */
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "answers"; readonly answers: readonly StoreWorkerAnswer[] }

export interface StoreWorkerAnswer {
  readonly ticket: number
  /** A sentence; undefined where the changes are on disk. */
  readonly failure: string | undefined
}
