import { performance } from "node:perf_hooks"
import type { Instant } from "../core/kit/time.ts"

/** Tells the time; never goes backwards. */
export type Clock = () => Instant

/**
 * Unix milliseconds, whole ones, since they go into signed values. Counted from the process's start
 * by the monotonic clock, so that a step of the system's clock moves no deadline.
 */
export const systemClock: Clock = () => Math.floor(performance.timeOrigin + performance.now()) as Instant
