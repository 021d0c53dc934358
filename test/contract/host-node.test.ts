import assert from "node:assert/strict"
import { after, test } from "node:test"
import type { Health } from "../../src/core/node/interface.ts"
import { parseResourceId } from "../../src/core/reload/header.ts"
import type { StorageChange } from "../../src/core/storage/change.ts"
import { createNodeHost } from "../../src/host/node-host.ts"
import { FakeNode, makeCertificates, startHost, temporaryDirectory } from "./host-fixtures.ts"

const certificates = makeCertificates()
after(() => certificates.close())

const CHANGE: StorageChange = {
  kind: "put",
  resource: parseResourceId("00".repeat(20)),
  kindId: 12,
  slot: "",
  generation: 1,
  value: Uint8Array.of(1, 2, 3),
  storedAt: 1_700_000_000_000,
}

test("a host that starts again restores what was persisted and tries the peers it knew", async (t) => {
  const data = temporaryDirectory(t)
  const known = { host: "192.0.2.1", port: 6084 }
  const given = { host: "192.0.2.2", port: 6084 }
  const first = await startHost(t, certificates, { data, bootstrap: [given] })
  assert.deepEqual((await first.node.told("start")).bootstrap, [given])
  first.node.ask(
    first.host,
    { kind: "persist", ticket: 5, changes: [CHANGE] },
    { kind: "peers", addresses: [known, given] },
  )
  assert.equal((await first.node.told("persisted")).ticket, 5)
  await first.host.stop()

  const second = await startHost(t, certificates, { data, bootstrap: [given] })
  assert.deepEqual((await second.node.told("start")).bootstrap, [given, known])
  assert.deepEqual(second.node.restored, [CHANGE])
})

test("a command is answered once, by its ticket, and refused where no node runs", async (t) => {
  const { node, host } = await startHost(t, certificates)
  node.react = (input) =>
    input.kind === "command" && input.command.kind === "remove-user"
      ? [{ kind: "answer", ticket: input.ticket, answer: { kind: "user-removed", name: input.command.name } }]
      : []
  const answers = await Promise.all(
    ["alice", "bob"].map((name) => host.command({ kind: "remove-user", name })),
  )
  assert.deepEqual(answers, [
    { kind: "user-removed", name: "alice" },
    { kind: "user-removed", name: "bob" },
  ])
  const open = host.command({ kind: "drain" })
  await host.stop()
  for (const answer of [await open, await host.command({ kind: "drain" })]) {
    assert.deepEqual(answer, { kind: "refused", code: "unavailable", cause: "this node is not running" })
  }
})

test("names are resolved, health, logs and counts are passed on", async (t) => {
  const told: unknown[] = []
  const { node, host, counted } = await startHost(t, certificates, {
    health: (health: Health) => told.push(health),
    log: ({ event }) => told.push(event),
  })
  node.ask(
    host,
    { kind: "resolve", ticket: 3, question: { type: "A", name: "localhost" } },
    { kind: "health", health: { state: "healthy" } },
    { kind: "log", level: "info", event: "test.event", fields: {} },
    { kind: "count", counter: "test_total", labels: { a: "b" }, by: 1 },
  )
  const { ticket, records } = await node.told("resolved")
  assert.deepEqual([ticket, records], [3, [{ type: "A", address: "127.0.0.1" }]])
  assert.deepEqual(told, [{ state: "healthy" }, "test.event"])
  assert.deepEqual(counted, ["test_total b"])
})

test("a fault of the node is logged with its stack and told, and the node is driven no further", async (t) => {
  const faults: unknown[] = []
  const logged: string[] = []
  const { node, host } = await startHost(t, certificates, {
    fatal: (fault) => faults.push(fault),
    log: ({ event, fields }) => logged.push(`${event} ${fields["cause"]}`),
  })
  await node.told("start")
  const fault = new Error("cannot be")
  node.react = () => {
    throw fault
  }
  void host.command({ kind: "drain" })
  void host.command({ kind: "drain" })
  assert.deepEqual(faults, [fault])
  assert.match(logged[0] ?? "", /^host\.fault Error: cannot be\n +at /)
  assert.equal(node.untold("command"), 1)
})

test("a host that never ran can be stopped, and its ports are those it was told", async (t) => {
  const { settings } = await startHost(t, certificates)
  const idle = createNodeHost(new FakeNode(), { ...settings, ports: { sip: 1, sips: 2, reload: 3 } })
  assert.deepEqual(idle.ports, { sip: 1, sips: 2, reload: 3 })
  await idle.stop()
})
