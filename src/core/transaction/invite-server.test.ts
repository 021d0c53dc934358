import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { after, type Instant, milliseconds, NEVER } from "../kit/time.ts"
import { Headers, NO_BODY, type SipRequest, type SipResponse } from "../sip/message.ts"
import { InviteServer } from "./invite-server.ts"
import { STANDARD_TIMERS } from "./timers.ts"

const start = 0 as Instant
const at = (ms: number) => after(start, milliseconds(ms))
const response = (status: number): SipResponse => ({
  kind: "response",
  status,
  reason: "",
  headers: new Headers([]),
  body: NO_BODY,
})
const ack: SipRequest = { kind: "request", method: "ACK", uri: "", headers: new Headers([]), body: NO_BODY }
const answer = (status: number) => ({ kind: "response", response: response(status) }) as const
const send = (status: number) => ({ kind: "send", response: response(status) })
const retransmission = { kind: "retransmission" } as const
const acknowledged = { kind: "acknowledged", request: ack } as const
const onUdp = () => new InviteServer({ reliable: false }, STANDARD_TIMERS, start)

describe("InviteServer", () => {
  test("says that a 100 is overdue after 200 ms, once, and only if nothing was answered", () => {
    const silent = onUdp()
    assert.deepEqual(silent.expire(at(200)), [{ kind: "overdue" }])
    assert.equal(silent.deadline, NEVER)
    const prompt = onUdp()
    prompt.handle(answer(180), at(100))
    assert.equal(prompt.deadline, NEVER)
  })

  test("repeats its latest provisional answer for a repeated INVITE", () => {
    const server = onUdp()
    assert.deepEqual(server.handle(retransmission, at(1)), [])
    server.handle(answer(100), at(2))
    server.handle(answer(180), at(3))
    assert.deepEqual(server.handle(retransmission, at(4)), [send(180)])
  })

  test("repeats a refusal by Timer G until the ACK, which it absorbs until Timer I", () => {
    const server = onUdp()
    assert.deepEqual(server.handle(answer(486), at(0)), [send(486)])
    for (const time of [500, 1_500, 3_500, 7_500, 11_500]) {
      assert.equal(server.deadline, at(time))
      assert.deepEqual(server.expire(at(time)), [send(486)])
    }
    assert.deepEqual(server.handle(retransmission, at(12_000)), [send(486)])
    assert.deepEqual(server.handle(acknowledged, at(12_100)), [])
    assert.deepEqual(server.handle(acknowledged, at(12_200)), [])
    assert.deepEqual(server.handle(retransmission, at(12_300)), [])
    assert.deepEqual(server.expire(at(17_100)), [{ kind: "finished", cause: "answered" }])
  })

  test("gives up by Timer H where no ACK comes", () => {
    const server = onUdp()
    server.handle(answer(486), at(0))
    assert.deepEqual(server.expire(at(32_000)), [{ kind: "finished", cause: "unacknowledged" }])
  })

  test("on a reliable transport repeats no refusal, and ends with the ACK", () => {
    const server = new InviteServer({ reliable: true }, STANDARD_TIMERS, start)
    server.handle(answer(486), at(0))
    assert.equal(server.deadline, at(32_000))
    server.handle(acknowledged, at(50))
    assert.equal(server.deadline, at(50))
  })

  test("once accepted, absorbs INVITEs, passes 2xx and ACKs, and ends by Timer L: RFC 6026", () => {
    const server = onUdp()
    assert.deepEqual(server.handle(answer(200), at(0)), [send(200)])
    assert.deepEqual(server.handle(retransmission, at(100)), [])
    assert.deepEqual(server.handle(answer(200), at(500)), [send(200)])
    assert.deepEqual(server.handle(answer(486), at(600)), [])
    assert.deepEqual(server.handle(acknowledged, at(700)), [{ kind: "pass", request: ack }])
    assert.equal(server.deadline, at(32_000))
    assert.deepEqual(server.expire(at(32_000)), [{ kind: "finished", cause: "answered" }])
  })

  test("keeps its state when its transport fails", () => {
    const server = onUdp()
    server.handle(answer(486), at(0))
    assert.deepEqual(server.handle({ kind: "transport-failed" }, at(1)), [])
    assert.deepEqual(server.handle(retransmission, at(2)), [send(486)])
  })
})
