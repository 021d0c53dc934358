import { type Duration, type Instant, milliseconds, seconds } from "../../core/kit/time.ts"

/** How long a fabric may take to be in order again, once nothing is wrong any more. */
export const REST = seconds(180)
/** A parting that was over too soon for anybody to notice is noticed by now: a link may be silent for four seconds, and longer if its peer was slow. */
export const NOTICED = seconds(10)
/** How often it is looked at. */
export const STEP = milliseconds(500)

interface Running {
  readonly now: Instant
  run(span: Duration): void
}

/** Until nothing is amiss: with the complaint that stays. */
export function settle(
  world: Running,
  when: string,
  complaint: () => string | undefined,
  patience = REST,
): string | undefined {
  const end = world.now + patience
  for (;;) {
    const found = complaint()
    if (found === undefined) return undefined
    if (world.now >= end) return `${when}: ${found}`
    world.run(STEP)
  }
}
