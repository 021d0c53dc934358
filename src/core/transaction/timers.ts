import { type Duration, milliseconds, seconds } from "../kit/time.ts"

/** RFC 3261 table 4. T1 estimates a round trip; the rest follows from it. */
export interface SipTimers {
  readonly t1: Duration
  readonly t2: Duration
  readonly t4: Duration
  /** Timer J: how long a client on an unreliable transport may still repeat its request. */
  readonly j: Duration
}

export const STANDARD_TIMERS: SipTimers = {
  t1: milliseconds(500),
  t2: seconds(4),
  t4: seconds(5),
  j: milliseconds(64 * 500),
}
