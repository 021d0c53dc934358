import type { Instant } from "../kit/time.ts"
import type { HeldValue } from "./held-value.ts"
import type { KindDefinition } from "./kind.ts"

/** All values of one Kind at one Resource-ID: a look at where they are kept, good until something there changes. */
export interface KindRecord {
  readonly definition: KindDefinition
  readonly generation: number
  /** Values, removals and what has expired included. */
  readonly size: number
  /** Whether there is a value or a removal that has not expired. */
  isLiving(now: Instant): boolean
  get(slot: string): HeldValue | undefined
  /** In the order in which their slots came to be. */
  values(): readonly HeldValue[]
}

/** The value in a slot; what has expired is no longer there, though it may still be held. */
export function valueIn(record: KindRecord | undefined, slot: string, now: Instant): HeldValue | undefined {
  const held = record?.get(slot)
  return held && held.expiresAt > now ? held : undefined
}

export function livingValues(record: KindRecord | undefined, now: Instant): readonly HeldValue[] {
  return record ? record.values().filter(({ expiresAt }) => expiresAt > now) : []
}
