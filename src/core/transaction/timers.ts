import { type Duration, milliseconds, seconds } from "../kit/time.ts"

/** RFC 3261 table 4, with RFC 6026. T1 estimates a round trip; Timers A, E and G start from it. */
export interface SipTimers {
  readonly t1: Duration
  readonly t2: Duration
  readonly t4: Duration
  /** How long an INVITE waits for any answer. */
  readonly b: Duration
  /** How long the final answer to an INVITE may still be repeated, on an unreliable transport. */
  readonly d: Duration
  /** How long another request waits for its final answer. */
  readonly f: Duration
  /** How long a refusal of an INVITE waits for its ACK. */
  readonly h: Duration
  /** How long such an ACK may still be repeated, on an unreliable transport. */
  readonly i: Duration
  /** How long a client on an unreliable transport may still repeat its request. */
  readonly j: Duration
  /** How long the final answer to another request may still be repeated, on an unreliable transport. */
  readonly k: Duration
  /** How long an accepted INVITE may still be repeated, or more 2xx be passed. RFC 6026. */
  readonly l: Duration
  /** How long more 2xx may follow the first. RFC 6026. */
  readonly m: Duration
  /** When an INVITE without any answer is told that it is being worked on. RFC 3261 §17.2.1. */
  readonly trying: Duration
  /** When another request is: as its Timer E reaches T2. RFC 4320 §4.1. */
  readonly stillTrying: Duration
}

export const STANDARD_TIMERS: SipTimers = {
  t1: milliseconds(500),
  t2: seconds(4),
  t4: seconds(5),
  b: milliseconds(64 * 500),
  d: milliseconds(64 * 500),
  f: milliseconds(64 * 500),
  h: milliseconds(64 * 500),
  i: seconds(5),
  j: milliseconds(64 * 500),
  k: seconds(5),
  l: milliseconds(64 * 500),
  m: milliseconds(64 * 500),
  trying: milliseconds(200),
  stillTrying: milliseconds(3_500),
}

/** The next interval of a timer that doubles at each repetition. */
export const doubled = (interval: Duration): Duration => (interval * 2) as Duration

/** The same, but no longer than `most`. */
export const doubledUpTo = (interval: Duration, most: Duration): Duration =>
  Math.min(interval * 2, most) as Duration
