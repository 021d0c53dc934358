import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import fc from "fast-check"
import { Farm, type FarmNode, nodeId, type Phone, valuesIn } from "../../../test/support/sip-farm.ts"
import { TORTURE } from "../../../test/vectors/torture.ts"

const MORSELS = [
  ...[
    ";",
    ",",
    "<",
    ">",
    '"',
    "%",
    "@",
    "[",
    "::",
    "\r\n",
    "\0",
    "\u00ff",
    "*",
    "sip:",
    "sips:",
    "tel:1",
    "lr",
    "ob",
  ],
  "Contact: *\r\n",
  'Contact: <sip:x@[::1]>;reg-id=1;+sip.instance="<>";q=9\r\n',
  "Expires: 99999999999\r\n",
  "Route: <sip:10.0.0.1;lr>\r\n",
  "Path: <sip:a@b;ob>,<tel:1>\r\n",
  "Require: a b\r\n",
  'Authorization: Digest realm="example.org"\r\n',
  "Max-Forwards: 0\r\n",
]

/** Sound messages of every kind that a server meets, tokens and credentials included. */
function seeds(node: FarmNode, alice: Phone, bob: Phone): readonly string[] {
  bob.register(node)
  alice.ask(node, "INVITE", { uri: "sip:bob@example.org", callId: "c1" })
  const invite = bob.got("INVITE")
  const headers = valuesIn(invite, "Record-Route").map((route) => `Route: ${route}`)
  const within = {
    uri: alice.contact.slice(1, -1),
    callId: "c1",
    to: "<sip:alice@example.org>;tag=alice",
    headers,
  }
  alice.send(node, alice.text("REGISTER"))
  const credentials = alice.credentials(alice.lastAnswer(), "REGISTER", "sip:example.org")
  const own = [
    alice.text("REGISTER", { headers: [credentials, "Expires: 60"] }),
    bob.text("BYE", within),
    bob.text("ACK", within),
    bob.text("NOTIFY", within),
    alice.text("INVITE", { uri: "sip:bob@example.org", callId: "c2" }),
    alice.text("OPTIONS"),
    alice.text("CANCEL", { uri: "sip:bob@example.org", callId: "c1" }),
  ]
  return [...Array<string[]>(10).fill(own).flat(), ...TORTURE.map(({ file }) => readFileSync(file, "latin1"))]
}

test("no message, however broken, is more than refused", () => {
  const farm = new Farm(1)
  for (const user of ["alice", "bob"]) farm.addUser(user, "secret")
  const node = farm.nodes[0]!
  const alice = farm.phone("alice", "TCP", "192.0.2.1", 40_001)
  const texts = seeds(node, alice, farm.phone("bob", "TLS", "192.0.2.2", 40_002))
  const mutation = fc.record({
    at: fc.nat(999).map((thousandths) => thousandths / 1_000),
    cut: fc.nat(12),
    put: fc.constantFrom("", ...MORSELS),
  })
  const lineStarts = (text: string) => [...text.matchAll(/\r\n/g)].map(({ index }) => index + 2)
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      fc.array(mutation, { maxLength: 4 }),
      fc.boolean(),
      (seed, mutations, fromNode) => {
        let text = seed
        for (const { at, cut, put } of mutations) {
          const starts = lineStarts(text)
          const isLine = put.endsWith("\r\n") && put.length > 2
          const where = isLine ? starts[Math.floor(at * (starts.length - 1))]! : Math.floor(at * text.length)
          text = text.slice(0, where) + put + text.slice(isLine ? where : where + cut)
        }
        // Nodes are believed without a password, which lets the broken things further in.
        const flow = { ...alice.flowTo(node), node: fromNode ? nodeId(1) : undefined }
        node.handle({ kind: "received", flow, bytes: new Uint8Array(Buffer.from(text, "latin1")) })
        farm.advance(20)
        node.effects.length = 0
        node.lost.length = 0
      },
    ),
    { numRuns: 1_500, seed: 3261 },
  )
  farm.advance(300_000)
  assert.equal(node.server.statistics.pendingTransactions, 0, "all of it is over in the end")
})
