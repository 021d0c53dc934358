import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { after, type Instant, milliseconds, NEVER, seconds } from "../kit/time.ts"
import { Headers, NO_BODY, type SipResponse } from "../sip/message.ts"
import { InviteClient } from "./invite-client.ts"
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
const acknowledge = (status: number) => ({ kind: "acknowledge", response: response(status) })
const onUdp = () => new InviteClient({ reliable: false }, STANDARD_TIMERS, start)
const onTcp = () => new InviteClient({ reliable: true }, STANDARD_TIMERS, start)

/** When it repeats itself, until nothing more is due or it ends. */
function repetitions(client: InviteClient): readonly number[] {
  const times: number[] = []
  while (client.deadline !== NEVER) {
    const now = client.deadline
    if (client.expire(now).some(({ kind }) => kind === "repeat")) times.push(now)
  }
  return times
}

describe("InviteClient", () => {
  test("doubles Timer A without bound and gives up by Timer B, 64 × T1", () => {
    assert.deepEqual(repetitions(onUdp()), [500, 1_500, 3_500, 7_500, 15_500, 31_500])
    const client = onUdp()
    assert.deepEqual(client.expire(at(32_000)), [{ kind: "finished", cause: "timeout" }])
    assert.deepEqual(client.handle(hear(200), at(32_001)), [])
  })

  test("repeats nothing on a reliable transport, but gives up by Timer B", () => {
    assert.equal(onTcp().deadline, at(32_000))
    assert.deepEqual(repetitions(onTcp()), [])
  })

  test("stops repeating at the first provisional response and then waits for ever", () => {
    const client = onUdp()
    assert.deepEqual(client.handle(hear(180), at(100)), [pass(180)])
    assert.equal(client.deadline, NEVER)
    assert.deepEqual(client.handle(hear(183), at(90_000)), [pass(183)])
  })

  test("waits 64 × T1 for the end of what was cancelled", () => {
    const client = onUdp()
    client.handle(hear(180), at(100))
    client.handle({ kind: "cancelled" }, at(1_000))
    assert.equal(client.deadline, at(33_000))
    assert.deepEqual(client.expire(at(33_000)), [{ kind: "finished", cause: "timeout" }])
  })

  test("acknowledges a refusal each time it comes, passes it once, and ends by Timer D", () => {
    const client = onUdp()
    assert.deepEqual(client.handle(hear(486), at(100)), [acknowledge(486), pass(486)])
    assert.deepEqual(client.handle(hear(486), at(600)), [acknowledge(486)])
    assert.deepEqual(client.handle(hear(200), at(700)), [])
    assert.deepEqual(client.expire(at(32_100)), [{ kind: "finished", cause: "answered" }])
  })

  test("lingers for no Timer D on a reliable transport", () => {
    const client = onTcp()
    client.handle(hear(486), at(100))
    assert.equal(client.deadline, at(100))
  })

  test("passes every 2xx until Timer M, and acknowledges none: RFC 6026", () => {
    const client = onUdp()
    assert.deepEqual(client.handle(hear(200), at(100)), [pass(200)])
    assert.deepEqual(client.handle(hear(200), at(20_000)), [pass(200)])
    assert.deepEqual(client.handle(hear(486), at(20_001)), [])
    assert.deepEqual(client.expire(at(32_100)), [{ kind: "finished", cause: "answered" }])
    assert.deepEqual(client.handle(hear(200), at(32_101)), [])
  })

  test("ends when its transport fails, with bad news only where there was no answer", () => {
    assert.deepEqual(onTcp().handle({ kind: "transport-failed" }, at(1)), [
      { kind: "finished", cause: "transport-failed" },
    ])
    const answered = onUdp()
    answered.handle(hear(404), at(1))
    assert.deepEqual(answered.handle({ kind: "transport-failed" }, at(2)), [
      { kind: "finished", cause: "answered" },
    ])
  })

  test("stands still before its deadline", () => {
    const client = onUdp()
    assert.equal(client.deadline, at(STANDARD_TIMERS.t1))
    assert.deepEqual(client.expire(at(499)), [])
    assert.equal(STANDARD_TIMERS.b, seconds(32))
  })
})
