import type { Few } from "../kit/few.ts"
import type { Instant } from "../kit/time.ts"
import type { HeldValue } from "./held-value.ts"
import type { KindDefinition } from "./kind.ts"

/** All values of one Kind at one Resource-ID. */
export interface KindRecord {
  readonly definition: KindDefinition
  generation: number
  readonly values: Few<string, HeldValue>
}

/** The value in a slot; what has expired is no longer there, though it may still be held. */
export function valueIn(record: KindRecord | undefined, slot: string, now: Instant): HeldValue | undefined {
  const held = record?.values.get(slot)
  return held && held.expiresAt > now ? held : undefined
}

export function livingValues(record: KindRecord | undefined, now: Instant): readonly HeldValue[] {
  return record ? record.values.values().filter(({ expiresAt }) => expiresAt > now) : []
}
