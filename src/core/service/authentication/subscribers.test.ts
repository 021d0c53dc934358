import assert from "node:assert/strict"
import { test } from "node:test"
import { type Instant, NEVER } from "../../kit/time.ts"
import type { Questions } from "../questions.ts"
import { Subscribers } from "./subscribers.ts"

const at = (seconds: number) => (1_800_000_000_000 + 1_000 * seconds) as Instant

test("a user is remembered for ten seconds, and nothing of one half a minute later, though nobody comes", () => {
  const found = { kind: "present", subscriber: { name: "", ha1: { md5: "", sha256: "" } } } as const
  const questions: Pick<Questions, "findSubscriber"> = {
    findSubscriber: (_, now, resume) => resume(found, now),
  }
  const subscribers = new Subscribers(questions as Questions, () => [])
  assert.equal(subscribers.deadline, NEVER)
  const ask = (name: string, now: Instant) => subscribers.find(name, now, () => [])
  ask("alice", at(0))
  ask("bob", at(9))
  assert.equal(subscribers.recall("alice", at(9.9)), found)
  assert.equal(subscribers.recall("alice", at(10)), undefined)
  let turns = 0
  let now = at(10)
  for (; subscribers.deadline < NEVER; turns++) {
    now = Math.max(now, subscribers.deadline) as Instant
    subscribers.expire(now)
    if (now < at(19)) assert.equal(subscribers.recall("bob", now), found)
  }
  assert.ok(turns > 0 && now <= at(30))
  assert.equal(subscribers.recall("bob", at(9)), undefined, "though its time were not over")
})
