import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { after, type Instant, milliseconds, NEVER } from "../kit/time.ts"
import { Headers, NO_BODY, type SipResponse } from "../sip/message.ts"
import { NonInviteClient } from "./non-invite-client.ts"
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
const hear = (status: number) => ({ kind: "response", response: response(status) }) as const
const pass = (status: number) => ({ kind: "pass", response: response(status) })
const onUdp = () => new NonInviteClient({ reliable: false }, STANDARD_TIMERS, start)

describe("NonInviteClient", () => {
  test("doubles Timer E up to T2 and gives up by Timer F", () => {
    const client = onUdp()
    const times: number[] = []
    while (client.deadline !== NEVER) {
      const now = client.deadline
      const [effect] = client.expire(now)
      if (effect?.kind === "repeat") times.push(now)
      else assert.deepEqual([now, effect], [32_000, { kind: "finished", cause: "timeout" }])
    }
    assert.deepEqual(times, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500])
  })

  test("repeats every T2 once a provisional response has come", () => {
    const client = onUdp()
    assert.deepEqual(client.handle(hear(100), at(10)), [pass(100)])
    client.expire(at(500))
    assert.equal(client.deadline, at(4_500))
  })

  test("passes one final response and absorbs others until Timer K", () => {
    const client = onUdp()
    assert.deepEqual(client.handle(hear(200), at(10)), [pass(200)])
    assert.deepEqual(client.handle(hear(200), at(20)), [])
    assert.deepEqual(client.handle(hear(404), at(30)), [])
    assert.equal(client.deadline, at(5_010))
    assert.deepEqual(client.expire(at(5_010)), [{ kind: "finished", cause: "answered" }])
  })

  test("on a reliable transport repeats nothing and does not linger", () => {
    const client = new NonInviteClient({ reliable: true }, STANDARD_TIMERS, start)
    assert.equal(client.deadline, at(32_000))
    client.handle(hear(200), at(10))
    assert.equal(client.deadline, at(10))
  })

  test("ends when its transport fails", () => {
    const client = onUdp()
    assert.deepEqual(client.handle({ kind: "transport-failed" }, at(10)), [
      { kind: "finished", cause: "transport-failed" },
    ])
    assert.equal(client.deadline, NEVER)
  })
})
