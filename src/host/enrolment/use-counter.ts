import { setTimeout as wait } from "node:timers/promises"
import type { Instant } from "../../core/kit/time.ts"
import type { CountUse } from "../authority/authority.ts"
import type { Invite } from "./invite.ts"
import type { RunningFabric } from "./running-fabric.ts"

/** Several nodes that show a last use at once contest it; with such waits, by chance, one is first. */
const ATTEMPTS = 6
const LONGEST_WAIT = 400

/** Beyond its expiry an invite is refused by its date; until then, and while clocks differ, its uses count. */
const REMEMBERED_BEYOND = 3_600

/** Counts uses of the invite in records of the fabric, so that all nodes that enrol count alike. */
export function useCounter(fabric: RunningFabric, { id, uses, expires }: Invite, now: Instant): CountUse {
  const lifetime = REMEMBERED_BEYOND + Math.max(0, Math.ceil((expires - now) / 1_000))
  return async ({ key, node }) => {
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
