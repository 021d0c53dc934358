import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { after, type Instant, milliseconds, NEVER, seconds } from "../kit/time.ts"
import { Headers, NO_BODY, type SipResponse } from "../sip/message.ts"
import { NonInviteServer } from "./non-invite-server.ts"
import { STANDARD_TIMERS } from "./timers.ts"

const start = 0 as Instant
const retransmission = { kind: "retransmission" } as const
const answer = (status: number): SipResponse => ({
  kind: "response",
  status,
  reason: "",
  headers: new Headers([]),
  body: NO_BODY,
})
const [trying, ok, busy] = [answer(100), answer(200), answer(486)]

describe("NonInviteServer on an unreliable transport", () => {
  const onUdp = () => new NonInviteServer({ reliable: false }, STANDARD_TIMERS, start)

  test("repeats nothing before it has an answer", () => {
    assert.deepEqual(onUdp().handle(retransmission, start), [])
  })

  test("says that a 100 is overdue when Timer E of its client reaches T2: RFC 4320", () => {
    const server = onUdp()
    assert.equal(server.deadline, after(start, milliseconds(3_500)))
    assert.deepEqual(server.expire(server.deadline), [{ kind: "overdue" }])
    assert.equal(server.deadline, NEVER)
  })

  test("repeats its latest answer for every retransmission", () => {
    const server = onUdp()
    for (const response of [trying, ok]) {
      assert.deepEqual(server.handle({ kind: "response", response }, start), [{ kind: "send", response }])
      assert.deepEqual(server.handle(retransmission, start), [{ kind: "send", response }])
    }
  })

  test("keeps to its first final answer", () => {
    const server = onUdp()
    server.handle({ kind: "response", response: ok }, start)
    assert.deepEqual(server.handle({ kind: "response", response: busy }, start), [])
    assert.deepEqual(server.handle(retransmission, start), [{ kind: "send", response: ok }])
  })

  test("lingers for Timer J, 64 × T1, after its final answer", () => {
    const server = onUdp()
    server.handle({ kind: "response", response: ok }, start)
    assert.equal(server.deadline, after(start, seconds(32)))
    assert.deepEqual(server.expire(after(start, seconds(31))), [])
    assert.deepEqual(server.expire(server.deadline), [{ kind: "finished", cause: "answered" }])
    assert.deepEqual(server.handle(retransmission, after(start, seconds(33))), [])
  })
})

describe("NonInviteServer on a reliable transport", () => {
  const onTcp = () => new NonInviteServer({ reliable: true }, STANDARD_TIMERS, start)

  test("is due the moment it has answered", () => {
    const server = onTcp()
    server.handle({ kind: "response", response: ok }, start)
    assert.equal(server.deadline, start)
  })

  test("gives up when that fails", () => {
    assert.deepEqual(onTcp().handle({ kind: "transport-failed" }, start), [
      { kind: "finished", cause: "transport-failed" },
    ])
  })
})
