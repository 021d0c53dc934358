import assert from "node:assert/strict"
import { test } from "node:test"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Farm, statusOf } from "../support/sip-farm.ts"

// A guard against slow decay: bytes allocated for one operation of a hot path. Unlike times they are the same on a busy
// machine, and most of what makes a message slower shows in them. A baseline is what was measured when it was written;
// half as much again is let pass. Whoever makes a path leaner lowers its baseline.

const BASELINES = { refresh: 9_600, challenge: 6_400, stranger: 25_500, options: 5_900, call: 90_000 }
const MARGIN = 1.5

const WARM_UP = 2_000
const BATCHES = 60
const BATCH = 20

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

/** The median over batches, since a collection in the midst of one falsifies it. */
function bytesFor(operation: () => void): number {
  for (let i = 0; i < WARM_UP; i++) operation()
  const samples: number[] = []
  for (let batch = 0; batch < BATCHES; batch++) {
    if (batch % 10 === 0) collect()
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < BATCH; i++) operation()
    samples.push((process.memoryUsage().heapUsed - before) / BATCH)
  }
  samples.sort((a, b) => a - b)
  return samples[samples.length >> 1]!
}

function guard(name: keyof typeof BASELINES, operation: () => void): void {
  const bytes = Math.round(bytesFor(operation))
  const most = BASELINES[name] * MARGIN
  assert.ok(bytes > 0, "nothing was measured")
  assert.ok(bytes <= most, `${name} allocates ${bytes} bytes; the baseline is ${BASELINES[name]}`)
}

function scene() {
  const farm = new Farm(1)
  for (const user of ["alice", "bob"]) farm.addUser(user, "secret")
  const node = farm.nodes[0]!
  const alice = farm.phone("alice", "UDP", "192.0.2.1")
  const bob = farm.phone("bob", "UDP", "192.0.2.2")
  /** Nothing of the test itself piles up; time passes, so that transactions end. */
  const clear = () => {
    node.effects.length = 0
    alice.inbox.length = 0
    bob.inbox.length = 0
    farm.advance(20)
  }
  return { farm, node, alice, bob, clear }
}

test("a REGISTER that refreshes allocates no more than it did", () => {
  const { node, alice, clear } = scene()
  alice.send(node, alice.text("REGISTER"))
  let challenge = alice.lastAnswer()
  guard("refresh", () => {
    const credentials = alice.credentials(challenge, "REGISTER", "sip:example.org")
    alice.send(node, alice.text("REGISTER", { headers: ["Expires: 3600", credentials] }))
    if (statusOf(alice.lastAnswer()) === 401) challenge = alice.lastAnswer()
    else assert.equal(statusOf(alice.lastAnswer()), 200)
    clear()
  })
})

test("a REGISTER of a phone that is registered, and is challenged, allocates no more than it did", () => {
  const { node, alice, clear } = scene()
  assert.equal(statusOf(alice.register(node)), 200)
  guard("challenge", () => {
    alice.send(node, alice.text("REGISTER", { headers: ["Expires: 3600"] }))
    assert.equal(statusOf(alice.lastAnswer()), 401)
    clear()
  })
})

test("a REGISTER of a stranger, who is challenged, allocates no more than it did", () => {
  const { node, alice, clear } = scene()
  guard("stranger", () => {
    alice.send(node, alice.text("REGISTER"))
    assert.equal(statusOf(alice.lastAnswer()), 401)
    clear()
  })
})

test("OPTIONS allocates no more than it did", () => {
  const { node, alice, clear } = scene()
  guard("options", () => {
    alice.send(node, alice.text("OPTIONS"))
    assert.equal(statusOf(alice.lastAnswer()), 200)
    clear()
  })
})

test("a call that is relayed, answered and ended allocates no more than it did", () => {
  const { node, alice, bob, clear } = scene()
  assert.equal(statusOf(bob.register(node)), 200)
  let number = 0
  guard("call", () => {
    const callId = `call-${++number}`
    assert.equal(statusOf(alice.ask(node, "INVITE", { uri: "sip:bob@example.org", callId })), 100)
    bob.answer(node, bob.got("INVITE"), "200 OK")
    assert.equal(statusOf(alice.lastAnswer()), 200)
    clear()
  })
})
