import type { StorageChange } from "../../core/storage/change.ts"

// What the loop's thread and the store's thread say to each other.

export type ToStoreWorker =
  | { readonly kind: "persist"; readonly persists: readonly ToPersist[] }
  /** All that is to be in a new store, in the place of the damaged one; undefined where nobody knows. */
  | { readonly kind: "rebuild"; readonly changes: readonly StorageChange[] | undefined }
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
  /** It is not what was written. Before `loaded` the worker ends; afterwards it waits for `rebuild`. */
  | { readonly kind: "damaged"; readonly reason: string }
  /** The damaged one has this name now, and a new one in its place holds everything. */
  | { readonly kind: "rebuilt"; readonly aside: string; readonly reason: string }
  | { readonly kind: "answers"; readonly answers: readonly StoreWorkerAnswer[] }

export interface StoreWorkerAnswer {
  readonly ticket: number
  /** A sentence; undefined where the changes are on disk. */
  readonly failure: string | undefined
}
