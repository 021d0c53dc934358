import { type Instant, seconds } from "../kit/time.ts"

/** Calls that are being set up when a drain begins get so long to be answered. */
export const DRAIN_PATIENCE = seconds(5)

/** What `status` says of a node that its fabric has revoked. */
export const REVOKED =
  "this node has been revoked: the fabric hears it no longer. Stop it, and join anew with an empty --data"

export type Stage =
  | { readonly name: "joining" }
  | { readonly name: "serving" }
  /** Waits for calls being set up, then hands its share over. */
  | { readonly name: "draining"; readonly until: Instant; readonly leaving: boolean }
  | { readonly name: "drained" }
  /** The fabric hears this node no longer. */
  | { readonly name: "revoked" }
