import assert from "node:assert/strict"
import { test } from "node:test"
import { openSslHashes } from "../../test/support/hashes.ts"
import { log } from "../core/kit/log.ts"
import type { Instant } from "../core/kit/time.ts"
import { EventLog } from "./event-log.ts"

const at = (time: number) => time as Instant

function logOf(events: readonly (readonly [number, string, string])[]): EventLog {
  const made = new EventLog(openSslHashes)
  for (const [time, who, what] of events) made.note(at(time), who, what)
  return made
}

test("the same events make the same hash, and any other time, place, deed or order another", () => {
  const [a, b] = [[1, "n1", "joins"] as const, [2, "n2", "joins"] as const]
  const digest = logOf([a, b]).digest()
  assert.match(digest, /^[0-9a-f]{64}$/)
  assert.equal(logOf([a, b]).digest(), digest)
  const others = [[], [a], [b, a], [a, b, b], [a, [3, "n2", "joins"]], [a, [2, "n3", "joins"]]] as const
  for (const other of others) assert.notEqual(logOf(other).digest(), digest)
  assert.notEqual(logOf([a, [2, "n2", "leaves"]]).digest(), digest)
})

test("asking for the hash changes nothing, however often and whenever", () => {
  const asked = new EventLog(openSslHashes)
  const unasked = new EventLog(openSslHashes)
  for (let i = 0; i < 5_000; i++) {
    for (const each of [asked, unasked]) each.note(at(i), "somebody", "does something worth a line")
    if (i % 1_000 === 0) assert.equal(asked.digest(), asked.digest())
  }
  assert.equal(asked.digest(), unasked.digest())
  assert.equal(asked.events, 5_000)
})

test("what a line of a node's log says is part of the run", () => {
  const digestOf = (fields: Record<string, string | number>) => {
    const made = new EventLog(openSslHashes)
    made.noteLog(at(1), "n1", log("info", "node.healthy", fields))
    return made.digest()
  }
  assert.equal(digestOf({ peers: 2 }), digestOf({ peers: 2 }))
  assert.notEqual(digestOf({ peers: 2 }), digestOf({ peers: 3 }))
})
