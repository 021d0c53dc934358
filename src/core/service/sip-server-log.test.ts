import assert from "node:assert/strict"
import { test } from "node:test"
import { Farm, type FarmNode, type Phone, statusOf } from "../../../test/support/sip-farm.ts"

const BOB = "sip:bob@example.org"
const PASSWORD = "correct-horse"

interface Scene {
  readonly farm: Farm
  readonly node: FarmNode
  readonly alice: Phone
  readonly bob: Phone
}

function scene(): Scene {
  const farm = new Farm(1)
  for (const user of ["alice", "bob"]) farm.addUser(user, PASSWORD)
  const [node] = farm.nodes as [FarmNode]
  const alice = farm.phone("alice", "UDP", "192.0.2.1")
  const bob = farm.phone("bob", "TCP", "192.0.2.2", 40_002)
  alice.password = PASSWORD
  bob.password = PASSWORD
  bob.register(node)
  return { farm, node, alice, bob }
}

const call = { uri: BOB, callId: "call" }

/** What is refused, with which status, and the cause that the one line of the log must tell. */
const REFUSALS: readonly (readonly [string, number, RegExp, (it: Scene) => string])[] = [
  [
    "a wrong password",
    401,
    /wrong password of alice/,
    ({ node, alice }) => {
      alice.password = "guess"
      return alice.register(node)
    },
  ],
  [
    "a password written into a From",
    403,
    /nobody in it|relaying/,
    ({ node, alice }) =>
      alice.ask(node, "INVITE", {
        uri: "sip:x@198.51.100.1",
        callId: "c",
        from: `<sip:eve:${PASSWORD}@elsewhere.net>;tag=1`,
      }),
  ],
  [
    "another's name",
    403,
    /alice@example\.org is not bob/,
    ({ node, alice }) => alice.ask(node, "INVITE", { ...call, from: `<${BOB}>;tag=1` }),
  ],
  [
    "a user who does not exist",
    404,
    /no such user nobody/,
    ({ node, alice }) => alice.ask(node, "INVITE", { uri: "sip:nobody@example.org", callId: "c" }),
  ],
  [
    "a phone that is not there",
    480,
    /alice@example\.org cannot be reached/,
    ({ node, alice }) => alice.ask(node, "INVITE", { uri: "sip:alice@example.org", callId: "c" }),
  ],
  [
    "a connection that breaks",
    480,
    /the connection was closed/,
    ({ node, alice, bob }) => {
      alice.ask(node, "INVITE", call)
      bob.hangUpConnection(node)
      return alice.lastAnswer()
    },
  ],
  [
    "a phone that says nothing",
    408,
    /no final answer came in time/,
    ({ farm, node, alice, bob }) => {
      alice.ask(node, "INVITE", call)
      bob.answer(node, bob.got("INVITE"), "100 Trying")
      farm.advance(300_000)
      return alice.inbox.findLast((text) => statusOf(text) === 408) ?? alice.lastAnswer()
    },
  ],
  [
    "relaying for strangers",
    403,
    /relaying is for users/,
    ({ node, alice }) =>
      alice.ask(node, "INVITE", {
        uri: "sip:x@198.51.100.1",
        callId: "c",
        from: "<sip:eve@elsewhere.net>;tag=1",
      }),
  ],
  [
    "an unknown Proxy-Require",
    420,
    /Proxy-Require asks/,
    ({ node, alice }) => alice.ask(node, "INVITE", { ...call, headers: ["Proxy-Require: wings"] }),
  ],
  [
    "an unknown Require of a REGISTER",
    420,
    /requires wings/,
    ({ node, alice }) => alice.ask(node, "REGISTER", { headers: ["Require: wings"] }),
  ],
  [
    "a CANCEL for nothing",
    481,
    /no such INVITE/,
    ({ node, alice }) => alice.ask(node, "CANCEL", { ...call, contact: "" }),
  ],
  [
    "work while draining",
    503,
    /drained/,
    ({ node, alice }) => {
      node.refusal = "the node is being drained"
      return alice.ask(node, "INVITE", call)
    },
  ],
  [
    "a fabric that cannot answer",
    503,
    /no holder answers/,
    ({ farm, node, alice }) => {
      farm.storeFault = "unavailable"
      return alice.register(node)
    },
  ],
  [
    "nonsense",
    400,
    /Bad CSeq/,
    ({ node, alice }) => {
      alice.send(node, alice.text("OPTIONS").replace(/CSeq: .*/, "CSeq: none OPTIONS"))
      return alice.lastAnswer()
    },
  ],
]

for (const [what, status, cause, happen] of REFUSALS) {
  test(`${what} is refused with ${status} and one line that tells why, and no secret`, () => {
    const it = scene()
    it.node.effects.length = 0
    const answer = happen(it)
    assert.equal(statusOf(answer), status, answer)
    const lines = it.node.logged("sip.refused")
    assert.deepEqual(
      lines.map((line) => line["status"]),
      [status],
    )
    assert.match(`${lines[0]!["cause"]}`, cause)
    const written = JSON.stringify(it.node.effects.filter(({ kind }) => kind === "log" || kind === "count"))
    const [, nonce = "none"] = /nonce="([^"]+)"/.exec(it.alice.inbox.join()) ?? []
    const { ha1 } = it.farm.subscribers.get("alice@example.org")!
    for (const secret of [PASSWORD, nonce, ha1.md5, ha1.sha256])
      assert.ok(!written.includes(secret), `${secret} in ${written}`)
  })
}

test("the challenge that every phone meets on its way in is counted, and makes no line", () => {
  const { node, alice } = scene()
  node.effects.length = 0
  alice.send(node, alice.text("REGISTER"))
  assert.equal(statusOf(alice.lastAnswer()), 401)
  assert.deepEqual(node.logged("sip.refused"), [])
  assert.ok(node.effects.some((effect) => effect.kind === "count" && effect.counter === "sip_refused_total"))
})
