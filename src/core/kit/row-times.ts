import { type Instant, NEVER } from "./time.ts"

/** What an instant takes in a row. */
export const TIME_BYTES = 6

const HIGH = 2 ** 32
const HIGH_BYTES = 2
/** All bits. */
const NEVER_HIGH = 0xffff
/** Of the instants that a row may hold; some eight thousand years from now. */
export const LATEST = (NEVER_HIGH * HIGH - 1) as Instant

/** Writes an instant, cut to whole milliseconds. */
export function writeTime(view: DataView, at: number, time: Instant): void {
  view.setUint16(at, time === NEVER ? NEVER_HIGH : Math.floor(time / HIGH))
  view.setUint32(at + HIGH_BYTES, time)
}

export function readTime(view: DataView, at: number): Instant {
  const high = view.getUint16(at)
  return (high === NEVER_HIGH ? NEVER : high * HIGH + view.getUint32(at + HIGH_BYTES)) as Instant
}
