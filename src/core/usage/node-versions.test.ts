import assert from "node:assert/strict"
import { test } from "node:test"
import { NO_ANSWER, NODES, NOW, PATH, verified } from "../../../test/support/fabric-records.ts"
import { fromHex, toHex } from "../kit/hex.ts"
import type { Instant } from "../kit/time.ts"
import { parseResourceId } from "../reload/header.ts"
import { NODE_HEALTH } from "../storage/kinds.ts"
import { decode } from "../wire/codec.ts"
import { NodeHealthValue, nodeHealthBytes } from "./node-health-value.ts"
import { NodeVersions } from "./node-versions.ts"

const [PEER] = NODES
const RESOURCE = parseResourceId("ab".repeat(16))
const at = (milliseconds: number) => (NOW + milliseconds) as Instant

const machine = () => new NodeVersions({ resourceId: () => RESOURCE }, 6)

const found = (ticket: number, value: string) => {
  const data = verified({ model: "single", exists: true, value: fromHex(value) })
  const values = new Map([[NODE_HEALTH.id, [data]]])
  return { kind: "fetched", ticket, result: { kind: "found", values, path: PATH } } as const
}

test("a node's record is its Node-ID and, since a later version, what it runs", () => {
  assert.equal(toHex(nodeHealthBytes(PEER, "0.1.0")), `${PEER}05302e312e30`)
  assert.deepEqual(decode(NodeHealthValue, fromHex(PEER), "value"), { node: PEER, version: undefined })
  // What a still later one may write after it is passed over.
  assert.deepEqual(decode(NodeHealthValue, fromHex(`${PEER}05302e312e30ffff`), "value"), {
    node: PEER,
    version: "0.1.0",
  })
  assert.ok(nodeHealthBytes(PEER, "x".repeat(200)).length <= NODE_HEALTH.maxSize)
})

test("a new peer is asked when it has written its record, and again every five minutes", () => {
  const versions = machine()
  assert.deepEqual(versions.handle({ kind: "up", node: PEER }, NOW), [])
  assert.equal(versions.deadline, at(6_000))
  const question = { kind: "fetch", resource: RESOURCE, wanted: [{ kind: 0xf0000004 }] } as const
  assert.deepEqual(versions.expire(at(6_000)), [{ ...question, ticket: 6 }])
  versions.handle(found(6, `${PEER}05302e312e30`), at(6_010))
  assert.deepEqual([...versions.versions], [[PEER, "0.1.0"]])
  assert.equal(versions.deadline, at(306_010))
  assert.deepEqual(versions.expire(at(306_010)), [{ ...question, ticket: 14 }])
})

test("one that says nothing, or cannot be asked, is asked again soon; one that has gone is forgotten", () => {
  const versions = machine()
  versions.handle({ kind: "up", node: PEER }, NOW)
  versions.expire(at(6_000))
  versions.handle(found(6, PEER), at(6_000))
  assert.deepEqual([...versions.versions], [])
  assert.equal(versions.deadline, at(26_000))
  versions.expire(at(26_000))
  versions.handle({ kind: "fetched", ticket: 14, result: NO_ANSWER }, at(26_000))
  assert.equal(versions.deadline, at(46_000))
  versions.expire(at(46_000))
  versions.handle({ kind: "down", node: PEER }, at(46_500))
  versions.handle(found(22, `${PEER}05302e312e30`), at(47_000))
  assert.deepEqual([...versions.versions], [])
  assert.equal(versions.deadline, Number.POSITIVE_INFINITY)
})
