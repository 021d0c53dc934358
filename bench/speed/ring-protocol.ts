/** What a ring of nodes in a process of its own is told. */
export type ToRing =
  | { readonly kind: "begin"; readonly nodes: number; readonly users: number }
  /** All nodes look up users, as fast as they are answered. */
  | { readonly kind: "ask" }
  | { readonly kind: "count" }
  | { readonly kind: "end" }

/** Since the ring began. */
export interface RingCount {
  readonly kind: "count"
  readonly fetches: number
  /** Of all fetches together. */
  readonly hops: number
  readonly signatures: number
  readonly verifications: number
}

export type FromRing = { readonly kind: "begun" } | RingCount
