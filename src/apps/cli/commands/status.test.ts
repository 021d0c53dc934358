import assert from "node:assert/strict"
import { test } from "node:test"
import type { StatusReport } from "../../control/schemas.ts"
import { describeStatus } from "./status.ts"

const nodeOf = (digit: string, version?: string) => ({
  node: digit.repeat(32),
  address: `192.0.2.${digit}:6084`,
  roles: ["proxy"],
  self: digit === "1",
  version,
})

/** What is said of three nodes, this one included. */
function linesOf(changes: Partial<StatusReport>): string {
  const status: StatusReport = {
    version: "0.2.0",
    node: "1".repeat(32),
    domain: "example.org",
    overlay: "example.org",
    health: { state: "healthy" },
    uptimeSeconds: 12,
    advertised: "192.0.2.1:6084",
    roles: ["proxy"],
    nodes: [nodeOf("1", "0.2.0"), nodeOf("2", "0.2.0"), nodeOf("3")],
    clocks: [{ node: "2".repeat(32), ahead: -7 }],
    roleCounts: { proxy: 3 },
    mayDie: 2,
    records: { held: 1, due: 1, short: 0, extra: 0, repairing: 0 },
    sip: { pendingInvites: 0, pendingTransactions: 0, answeredCalls: 0, registrations: 0 },
    certificateDaysLeft: 89,
    configurationDaysLeft: 3_649,
    authorityDaysLeft: 3_649,
    ...changes,
  }
  return describeStatus(status).join("\n")
}

test("each node has its version and its clock, and nothing is said where all is in order", () => {
  const lines = linesOf({})
  assert.match(lines, /^22222222 +192\.0\.2\.2:6084 +proxy +0\.2\.0 +-7 ms$/m)
  assert.match(lines, /^33333333 +192\.0\.2\.3:6084 +proxy +unknown +unknown$/m)
  assert.doesNotMatch(lines, /^(versions|clocks|own clock|record store)/m)
})

test("nodes that run different versions are counted by version", () => {
  const nodes = [nodeOf("1", "0.2.0"), nodeOf("2", "0.1.0"), nodeOf("3")]
  assert.match(
    linesOf({ nodes }),
    /^versions +nodes run different versions: 0\.1\.0 on 1 node, 0\.2\.0 on 1 node, unknown on 1 node$/m,
  )
})

test("clocks that lie apart by seconds are named, and so is one that was set under the node", () => {
  const clocks = [
    { node: "2".repeat(32), ahead: 3_600_000 },
    { node: "3".repeat(32), ahead: -2_500 },
  ]
  const lines = linesOf({ clocks, clockStep: -60_000 })
  assert.match(
    lines,
    /^clocks +apart from this node's: 22222222 ahead by 3600\.0 s, 33333333 behind by 2\.5 s; set them by NTP$/m,
  )
  assert.match(lines, /^own clock +the system's is 60\.0 s behind the one this node goes by; /m)
})

test("a database that was damaged is named, and what became of it", () => {
  const store = {
    at: 0,
    problem: "is damaged (file is not a database)",
    aside: "/d/aside",
    state: "fetched",
  } as const
  assert.match(
    linesOf({ store }),
    /^record store +is damaged \(file is not a database\) at 1970-01-01T00:00:00\.000Z, set aside as \/d\/aside; its records have come from the other nodes$/m,
  )
})

test("a node that does not join says why", () => {
  assert.match(
    linesOf({ health: { state: "joining", cause: "the clock is wrong" } }),
    /^health +joining: the clock is wrong$/m,
  )
  assert.match(linesOf({ health: { state: "joining" } }), /^health +joining$/m)
})
