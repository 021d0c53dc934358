import assert from "node:assert/strict"
import { test } from "node:test"
import type { NodeId } from "../../core/identity/node-id.ts"
import { type Instant, milliseconds } from "../../core/kit/time.ts"
import type { NodeAnswer, NodeCommand } from "../../core/node/interface.ts"
import type { Invite } from "./invite.ts"
import { useCounter } from "./use-counter.ts"

const now = 1_700_000_000_000 as Instant
const node = "0".repeat(31).concat("1") as NodeId
const earlier = "0".repeat(31).concat("2") as NodeId
const invite: Invite = {
  epoch: 1,
  id: "i",
  overlay: "example.org",
  addresses: [],
  rootFingerprint: "",
  roles: ["proxy"],
  uses: 2,
  expires: (now + 60_500) as Instant,
}

/** A fabric that answers as told, the last answer again and again, or never; and what it was asked. */
function counting(...answers: readonly NodeAnswer[]) {
  const asked: NodeCommand[] = []
  const fabric = {
    nodes: () => [],
    snapshot: () => [],
    reconfigure: () => undefined,
    async command(command: NodeCommand) {
      asked.push(command)
      return answers[asked.length - 1] ?? answers.at(-1) ?? new Promise<NodeAnswer>(() => undefined)
    },
  }
  const patience = milliseconds(answers.length === 0 ? 20 : 8_000)
  return { asked, count: () => useCounter(fabric, invite, now, patience)({ key: "ab", node }) }
}

test("a use is counted in the fabric until an hour after the invite has expired", async () => {
  const { asked, count } = counting({ kind: "use-counted", node: earlier })
  assert.deepEqual(await count(), { kind: "counted", node: earlier })
  assert.deepEqual(asked, [
    { kind: "count-use", use: { invite: "i", uses: 2, key: "ab", node, lifetime: 3_661 } },
  ])
})

test("what the fabric refuses or cannot count is told as such", async () => {
  assert.deepEqual(await counting({ kind: "invite-used-up" }).count(), { kind: "used-up" })
  const cause = "no peer answers"
  assert.deepEqual(await counting({ kind: "refused", code: "unavailable", cause }).count(), {
    kind: "unavailable",
    cause,
  })
})

test("a use that another node contests is tried again, and given up in the end", async () => {
  const won = counting({ kind: "use-contested" }, { kind: "use-counted", node })
  assert.deepEqual(await won.count(), { kind: "counted", node })
  const lost = counting({ kind: "use-contested" })
  assert.equal((await lost.count()).kind, "unavailable")
  assert.equal(lost.asked.length, 6)
})

test("a fabric that does not answer in time is no reason to keep the node waiting that asks", async () => {
  const late = await counting().count()
  assert.equal(late.kind, "unavailable")
  assert.match(late.kind === "unavailable" ? late.cause : "", /try again/)
})
