import assert from "node:assert/strict"
import { test } from "node:test"
import { lastAuthority } from "./drain.ts"

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
