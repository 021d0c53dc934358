import { CarillonError } from "../../core/kit/errors.ts"

// What a node is told of a record store that does not serve it.

/** The record store cannot be opened: in use, of a newer version, not writable. */
export class StoreError extends CarillonError {
  readonly code = "host.store"
}

/** A record store that was not what it should have been. */
export interface LostRecords {
  /** When it was noticed, in Unix milliseconds. */
  readonly at: number
  /** What was wrong: `is damaged (database disk image is malformed)`. */
  readonly problem: string
  /** What the damaged file is called now; undefined where there was none. */
  readonly aside: string | undefined
}

/** How it goes on without them. */
export type LossState =
  /** The other nodes have copies, and this one waits for them: it does not serve before. */
  | "fetching"
  | "fetched"
  /** The operator wants it so. */
  | "accepted"
  /** The node was running, and knew all that was in it. */
  | "written-anew"

export interface StoreLoss extends LostRecords {
  readonly state: LossState
}
