import assert from "node:assert/strict"
import { test } from "node:test"
import { NO_ANSWER, NODES } from "../../../test/support/fabric-records.ts"
import type { Address } from "../kit/address.ts"
import { toUtf8 } from "../kit/bytes.ts"
import { NodeHops, type NodeHopsEffect } from "./node-hops.ts"

const [, NODE, OTHER] = NODES
const ADDRESS: Address = { host: "192.0.2.2", port: 6084 }

const send = (id: string, node: string) =>
  ({ kind: "send", id, hop: { kind: "node", node }, bytes: toUtf8(`message ${id}`) }) as const

const sent = (id: string, node: string, address: Address = ADDRESS): NodeHopsEffect => ({
  kind: "send",
  id,
  hop: { kind: "node", node, address },
  bytes: toUtf8(`message ${id}`),
})

/** The ticket of the one AppAttach among the effects. */
function ticketOf(effects: readonly NodeHopsEffect[]): number {
  const [first, ...more] = effects
  assert.ok(first?.kind === "app-attach" && more.length === 0)
  assert.equal(first.application, 5061)
  return first.ticket
}

const found = (ticket: number, address: Address = ADDRESS) =>
  ({ kind: "app-attached", ticket, result: { kind: "found", address } }) as const
const failed = (ticket: number) => ({ kind: "app-attached", ticket, result: NO_ANSWER }) as const

test("the first message to a node asks for its address, those behind it wait, and all go out in order", () => {
  const hops = new NodeHops(2)
  const ticket = ticketOf(hops.handle(send("a", NODE)))
  assert.deepEqual(hops.handle(send("b", NODE)), [])
  assert.deepEqual(hops.handle(found(ticket)), [sent("a", NODE), sent("b", NODE)])
})

test("an address once found is used at once, for its own node only", () => {
  const hops = new NodeHops(2)
  hops.handle(found(ticketOf(hops.handle(send("a", NODE)))))
  assert.deepEqual(hops.handle(send("b", NODE)), [sent("b", NODE)])
  ticketOf(hops.handle(send("c", OTHER)))
})

test("two nodes are asked for at once, and each answer releases its own messages", () => {
  const hops = new NodeHops(2)
  const first = ticketOf(hops.handle(send("a", NODE)))
  const second = ticketOf(hops.handle(send("b", OTHER)))
  const address = { host: "192.0.2.3", port: 6084 }
  assert.deepEqual(hops.handle(found(second, address)), [sent("b", OTHER, address)])
  assert.deepEqual(hops.handle(found(first)), [sent("a", NODE)])
})

test("a node that cannot be found fails all that wait for it; the next message asks anew", () => {
  const hops = new NodeHops(2)
  const ticket = ticketOf(hops.handle(send("a", NODE)))
  hops.handle(send("b", NODE))
  const reason = `node ${NODE} cannot be found: ${NO_ANSWER.cause}`
  assert.deepEqual(hops.handle(failed(ticket)), [
    { kind: "send-failed", id: "a", reason },
    { kind: "send-failed", id: "b", reason },
  ])
  const again = ticketOf(hops.handle(send("c", NODE)))
  assert.deepEqual(hops.handle(found(again)), [sent("c", NODE)])
})

test("the address of a peer that went down, or could not be reached, is forgotten", () => {
  for (const kind of ["peer-down", "unreachable"] as const) {
    const hops = new NodeHops(2)
    hops.handle(found(ticketOf(hops.handle(send("a", NODE)))))
    assert.deepEqual(hops.handle({ kind, node: OTHER }), [])
    assert.deepEqual(hops.handle(send("b", NODE)), [sent("b", NODE)])
    assert.deepEqual(hops.handle({ kind, node: NODE }), [])
    const moved = { host: "192.0.2.9", port: 6084 }
    const again = ticketOf(hops.handle(send("c", NODE)))
    assert.deepEqual(hops.handle(found(again, moved)), [sent("c", NODE, moved)])
  }
})

test("messages over flows and to addresses pass as they are", () => {
  const hops = new NodeHops(2)
  const hop = { kind: "address", transport: "UDP", address: ADDRESS, serverName: undefined } as const
  const message = { kind: "send", id: "a", hop, bytes: toUtf8("x") } as const
  assert.deepEqual(hops.handle(message), [message])
})

test("of a flood to a node that does not answer, what is over 1024 messages fails at once", () => {
  const hops = new NodeHops(2)
  const ticket = ticketOf(hops.handle(send("0", NODE)))
  for (let i = 1; i < 1_024; i++) assert.deepEqual(hops.handle(send(String(i), NODE)), [])
  const reason = `1024 messages wait for the address of node ${NODE}`
  assert.deepEqual(hops.handle(send("more", NODE)), [{ kind: "send-failed", id: "more", reason }])
  assert.equal(hops.handle(failed(ticket)).length, 1_024)
})

test("an answer that nobody waits for does nothing", () => {
  const hops = new NodeHops(2)
  const ticket = ticketOf(hops.handle(send("a", NODE)))
  assert.equal(hops.handle(found(ticket)).length, 1)
  assert.deepEqual(hops.handle(found(ticket)), [])
})

test("what waits for the address of a node that goes down fails at once, and a late answer fails nothing newer", () => {
  const hops = new NodeHops(2)
  const ticket = ticketOf(hops.handle(send("a", NODE)))
  const reason = `node ${NODE} lives no more`
  assert.deepEqual(hops.handle({ kind: "peer-down", node: NODE }), [{ kind: "send-failed", id: "a", reason }])
  const again = ticketOf(hops.handle(send("b", NODE)))
  assert.deepEqual(hops.handle(failed(ticket)), [])
  assert.deepEqual(hops.handle(found(again)), [sent("b", NODE)])
})
