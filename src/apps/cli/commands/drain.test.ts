import assert from "node:assert/strict"
import { test } from "node:test"
import { heldHereAlone, lastAuthority } from "./drain.ts"

const nodeOf = (node: string, ...roles: readonly string[]) => ({
  node,
  roles,
  address: "192.0.2.1:6084",
  self: node === "a",
})

const warns = (...nodes: readonly ReturnType<typeof nodeOf>[]) =>
  lastAuthority({ node: "a", nodes }) !== undefined

test("who drains the last living node that holds the CA is told, and nobody else", () => {
  assert.equal(warns(nodeOf("a", "proxy", "enrolment"), nodeOf("b", "proxy")), true)
  assert.equal(warns(nodeOf("a", "proxy", "enrolment"), nodeOf("b", "enrolment")), false)
  assert.equal(warns(nodeOf("a", "proxy"), nodeOf("b", "enrolment")), false)
  assert.equal(warns(nodeOf("a", "enrolment")), false, "with it the fabric ends")
})

test("who drains a node that sees no other is told that its records stay there", () => {
  const records = (held: number) => ({ held, due: held, extra: 0, short: 0, repairing: 0 })
  assert.match(
    heldHereAlone({ nodes: [nodeOf("a")], records: records(7) }) ?? "",
    /7 records stay on this node alone/,
  )
  assert.equal(heldHereAlone({ nodes: [nodeOf("a")], records: records(0) }), undefined)
  assert.equal(heldHereAlone({ nodes: [nodeOf("a"), nodeOf("b")], records: records(7) }), undefined)
})
