import { setTimeout as wait } from "node:timers/promises"
import { type Duration, type Instant, seconds } from "../../core/kit/time.ts"
import type { Counted, CountUse } from "../authority/authority.ts"
import type { Invite } from "./invite.ts"
import type { RunningFabric } from "./running-fabric.ts"

/** Several nodes that show a last use at once contest it; with such waits, by chance, one is first. */
const ATTEMPTS = 6
const LONGEST_WAIT = 400

/**
 * The node that asks is told in time that it has to ask again, before its patience or that of our own port ends
 * (HOST_LIMITS.enrolment). What is counted after that is counted for its key, and costs no second use.
 */
const ANSWERED = seconds(8)

/** Beyond its expiry an invite is refused by its date; until then, and while clocks differ, its uses count. */
const REMEMBERED_BEYOND = 3_600

/** Counts uses of the invite in records of the fabric, so that all nodes that enrol count alike. */
export function useCounter(
  fabric: RunningFabric,
  { id, uses, expires }: Invite,
  now: Instant,
  answered = ANSWERED,
): CountUse {
  const lifetime = REMEMBERED_BEYOND + Math.max(0, Math.ceil((expires - now) / 1_000))
  return (use) => within(answered, count(use))

  async function count({ key, node }: Parameters<CountUse>[0]): Promise<Counted> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const use = { invite: id, uses, key, node, lifetime }
      const answer = await fabric.command({ kind: "count-use", use })
      switch (answer.kind) {
        case "use-counted":
          return { kind: "counted", node: answer.node }
        case "invite-used-up":
          return { kind: "used-up" }
        case "refused":
          return { kind: "unavailable", cause: answer.cause }
        default:
          await wait(Math.random() * LONGEST_WAIT)
      }
    }
    return { kind: "unavailable", cause: "others use the same invite at this moment: try again" }
  }
}

async function within(span: Duration, counting: Promise<Counted>): Promise<Counted> {
  const done = new AbortController()
  const cause = "the fabric cannot tell yet how often the invite has been used: try again"
  const tooLate = wait(span, { kind: "unavailable", cause } as const, { signal: done.signal })
  try {
    return await Promise.race([counting, tooLate])
  } finally {
    tooLate.catch(() => undefined)
    done.abort()
  }
}
