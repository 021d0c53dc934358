import assert from "node:assert/strict"
import { test } from "node:test"
import type { Identity } from "../../core/identity/certificate.ts"
import { parseNodeId } from "../../core/identity/node-id.ts"
import { MembershipError } from "../../host/kit/membership-error.ts"
import { ControlError } from "../control/control-error.ts"
import { revoker } from "./revoker.ts"

const idOf = (start: string) => parseNodeId(start.padEnd(32, "0"))
const node = (start: string, ...roles: readonly string[]) => ({
  node: idOf(start),
  address: "192.0.2.1:6084",
  roles,
  self: start === "aaaa",
})

function revoking(nodes: readonly ReturnType<typeof node>[], fail?: Error) {
  const revoked: string[] = []
  const membership = {
    identity: { nodeId: idOf("aaaa") } as Identity,
    async revoke(which: string) {
      if (fail) throw fail
      revoked.push(which)
    },
  }
  return { revoked, revoke: revoker(membership, () => ({ nodes })) }
}

const refused = (attempt: Promise<unknown>, status: number, code: string) =>
  assert.rejects(
    attempt,
    (cause) => cause instanceof ControlError && cause.status === status && cause.code === code,
  )

test("a node is revoked by how its Node-ID begins, and one that is away by all of it", async () => {
  const nodes = [node("aaaa", "enrolment"), node("bbbb1", "enrolment"), node("bbbb2")]
  const { revoked, revoke } = revoking(nodes)
  assert.deepEqual(await revoke("bbbb1"), { node: idOf("bbbb1"), heldAuthority: true })
  assert.deepEqual(await revoke("bbbb2"), { node: idOf("bbbb2"), heldAuthority: false })
  assert.deepEqual(await revoke(idOf("cccc")), { node: idOf("cccc"), heldAuthority: false })
  assert.deepEqual(revoked, [idOf("bbbb1"), idOf("bbbb2"), idOf("cccc")])
})

test("nobody is revoked by a name that is of two nodes or of none", async () => {
  const { revoked, revoke } = revoking([node("aaaa", "enrolment"), node("bbbb1"), node("bbbb2")])
  await refused(revoke("bbbb"), 400, "bad-node")
  await refused(revoke("cccc"), 404, "no-such-node")
  assert.deepEqual(revoked, [])
})

test("a node revokes neither itself nor the last that holds the CA", async () => {
  const { revoke } = revoking([node("aaaa"), node("bbbb", "enrolment")])
  await refused(revoke("aaaa"), 409, "own-node")
  await refused(revoke("bbbb"), 409, "last-authority")
})

test("where no enrolment node answers, the operator is told so", async () => {
  const gone = new MembershipError("unreachable", "no enrolment node answers at 192.0.2.1:6084")
  const { revoke } = revoking([node("aaaa", "enrolment"), node("bbbb")], gone)
  await refused(revoke("bbbb"), 503, gone.code)
})
