import assert from "node:assert/strict"
import { test } from "node:test"
import { cryptography, NODES, NOW } from "../../../test/support/fabric-records.ts"
import { fakeAuthority } from "../identity/fake-cryptography.ts"
import { after, type Duration, type Instant } from "../kit/time.ts"
import type { OverlayStatus } from "../overlay/interface.ts"
import type { NodeSettings } from "./interface.ts"
import { describeNode } from "./status.ts"

const [SELF, PEER, THIRD] = NODES
const authority = fakeAuthority(cryptography, { overlay: "example.org", seed: 1 })
const DAY = 86_400_000

const identity = authority.issue({
  nodeId: SELF,
  roles: ["registrar", "proxy"],
  notAfter: (NOW + 10 * DAY - 1) as Instant,
})
const peerOf = (node: typeof SELF, roles: readonly string[]) => ({
  node,
  certificate: authority.issue({ nodeId: node, roles }).certificate,
  address: { host: "192.0.2.2", port: 6084 },
  linked: true,
})

const sip = { pendingInvites: 1, pendingTransactions: 2, answeredCalls: 3, registrations: 4 }

const overlay: OverlayStatus = {
  state: "joined",
  peers: [peerOf(PEER, ["registrar"]), { ...peerOf(THIRD, []), address: undefined }],
  clocks: [{ node: PEER, ahead: 12 as Duration }],
  obstacle: undefined,
  records: { held: 30, due: 10, short: 0, extra: 0, repairing: 0, fewest: 3 },
}

function describe(more: Partial<OverlayStatus> = {}) {
  const settings: Pick<NodeSettings, "identity" | "advertised" | "version"> & {
    readonly configuration: Pick<NodeSettings["configuration"], "sipDomain" | "instanceName" | "expiration">
  } = {
    identity,
    advertised: { host: "2001:db8::1", port: 6084 },
    version: "0.1.0",
    configuration: {
      sipDomain: "example.org",
      instanceName: "farm.example.org",
      expiration: after(NOW, (700.5 * 86_400_000) as Duration),
    },
  }
  return describeNode({
    settings: settings as NodeSettings,
    identity,
    configuration: settings.configuration as NodeSettings["configuration"],
    overlay: { ...overlay, ...more },
    sip,
    versions: new Map([[PEER as string, "0.0.9"]]),
    health: { state: "healthy" },
    started: NOW - 61_999,
    now: NOW,
  })
}

test("a node describes itself and all it knows of the fabric", () => {
  assert.deepEqual(describe(), {
    version: "0.1.0",
    node: SELF,
    domain: "example.org",
    overlay: "farm.example.org",
    health: { state: "healthy" },
    uptimeSeconds: 61,
    advertised: "[2001:db8::1]:6084",
    roles: ["registrar", "proxy"],
    nodes: [
      {
        node: SELF,
        address: "[2001:db8::1]:6084",
        roles: ["registrar", "proxy"],
        self: true,
        version: "0.1.0",
      },
      { node: PEER, address: "192.0.2.2:6084", roles: ["registrar"], self: false, version: "0.0.9" },
      { node: THIRD, address: "unknown", roles: [], self: false },
    ],
    clocks: [{ node: PEER, ahead: 12 }],
    roleCounts: { registrar: 2, proxy: 1 },
    mayDie: 2,
    records: { held: 30, due: 10, short: 0, extra: 0, repairing: 0 },
    sip,
    certificateDaysLeft: 9,
    configurationDaysLeft: 700,
    authorityDaysLeft: 700,
  })
})

test("as many nodes may die as the record with the fewest copies can bear, and never the last one", () => {
  const peers = [...overlay.peers, peerOf(NODES[1], []), peerOf(NODES[2], [])]
  const mayDie = (others: number, fewest: number) =>
    describe({ peers: peers.slice(0, others), records: { ...overlay.records, fewest } }).mayDie
  assert.deepEqual([mayDie(0, 3), mayDie(1, 3), mayDie(2, 3), mayDie(4, 3)], [0, 1, 2, 2])
  assert.deepEqual([mayDie(0, 1), mayDie(1, 2), mayDie(2, 2), mayDie(4, 2)], [0, 1, 1, 1])
  assert.deepEqual([mayDie(1, 1), mayDie(4, 1)], [0, 0])
})
