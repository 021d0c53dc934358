import { performance } from "node:perf_hooks"
import type { Instant } from "../../core/kit/time.ts"

/** Tells the time; never goes backwards. */
export type Clock = () => Instant

/** What the process has slept through, as a virtual machine does that is paused: its monotonic clock stood still. */
let slept = 0

/**
 * Unix milliseconds, whole ones, since they go into signed values. Counted from the process's start
 * by the monotonic clock, so that a step of the system's clock moves no deadline and expires no registration.
 */
export const systemClock: Clock = () =>
  Math.floor(performance.timeOrigin + performance.now() + slept) as Instant

/** How far the system's clock is ahead of `systemClock`, in milliseconds: it has been set, or we have slept. */
export const clockStep = (): number => Date.now() - systemClock()

/** From now on `systemClock` is ahead by so much more; it never goes back. */
export function advanceClock(by: number): void {
  slept += Math.max(0, by)
}
