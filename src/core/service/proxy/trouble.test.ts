import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { Bench, caller, hopTo, INVITED, NODE, phone, request } from "../../../../test/support/proxy-bench.ts"
import { minutes, seconds } from "../../kit/time.ts"
import { Headers } from "../../sip/message.ts"
import { makeResponse } from "../../sip/respond.ts"
import type { Flow } from "../../sip/transport.ts"
import type { DnsRecord } from "../sip-server-interface.ts"

describe("trouble on the way", () => {
  test("repeats the INVITE to a silent phone, says 408 after 32 s, and forgets it all", () => {
    const bench = new Bench()
    bench.call([phone(1)])
    assert.deepEqual(bench.tell(INVITED), ["100 to caller"])
    const lines = bench.advance(32_000)
    assert.equal(lines.filter((line) => line === "INVITE to 1").length, 6)
    assert.deepEqual(lines.slice(-3), ["1 failed with 408", "408 to caller", "finished with 408"])
    bench.fromCaller(request("ACK"))
    bench.advance(40_000)
    assert.equal(bench.proxy.deadline, Number.POSITIVE_INFINITY)
  })

  test("says nothing at all where another request gets no answer in time: RFC 4320", () => {
    const bench = new Bench()
    bench.call([phone(1)], request("OPTIONS"))
    const lines = bench.advance(40_000).filter((line) => !line.startsWith("OPTIONS"))
    assert.deepEqual(lines, ["100 to caller", "1 failed with 408", "finished with 408"])
    assert.equal(bench.proxy.statistics.pendingTransactions, 0)
  })

  for (const method of ["INVITE", "OPTIONS"])
    for (const status of [200, 486])
      test(`an answer ${status} to ${method} that names nobody but the proxy is 502: nobody waits for ever`, () => {
        const bench = new Bench()
        bench.call([phone(1)], request(method))
        const answer = makeResponse(bench.sent.get(`${method} 1`)!, status, undefined, { toTag: "t1" })
        const [ours] = answer.headers.all("Via")
        const others = answer.headers.fields.filter(({ name }) => name !== "Via")
        const headers = new Headers([{ name: "Via", value: ours! }, ...others])
        const lines = bench.tell({ kind: "received", message: { ...answer, headers }, flow: caller })
        const ack = method === "INVITE" && status === 486 ? ["ACK to 1"] : []
        assert.deepEqual(lines, [...ack, "1 failed with 502", "502 to caller", "finished with 502"])
        const { pendingInvites, pendingTransactions } = bench.proxy.statistics
        assert.deepEqual([pendingInvites, pendingTransactions], [0, 0])
      })

  test("a broken way is 503 for the location service and 500 for the caller", () => {
    const bench = new Bench()
    bench.call([phone(1)])
    assert.deepEqual(bench.bounce(1), ["1 failed with 503", "500 to caller", "finished with 500"])
  })

  test("a flow that breaks is 430 for the location service and 480 for the caller, even while it rings", () => {
    const flow: Flow = {
      ...caller,
      transport: "TCP",
      remote: { host: "203.0.113.1", port: 40_000 },
      connection: 3,
    }
    const bench = new Bench()
    bench.call([phone(1, { hop: { kind: "flow", flow }, fallback: phone(2) })])
    bench.reply(1, 180)
    assert.deepEqual(bench.tell({ kind: "flow-closed", flow }), [
      "1 failed with 430",
      "480 to caller",
      "finished with 480",
    ])
  })

  test("goes to the fallback of a node that has gone", () => {
    const bench = new Bench()
    bench.call([phone(1, { hop: { kind: "node", node: NODE }, fallback: phone(2) })])
    assert.match(bench.sent.get("INVITE node")!.headers.first("Via")!, /^SIP\/2\.0\/TLS 192\.0\.2\.1;branch=/)
    const flow: Flow = { ...caller, transport: "TLS", connection: 5, node: NODE }
    assert.deepEqual(bench.tell({ kind: "flow-closed", flow }), ["node failed with 503", "INVITE to 2"])
  })

  test("goes to the fallback also after a 100, but for no request whose time is over", () => {
    const bench = new Bench()
    bench.call([phone(1, { hop: hopTo(1, "TCP"), fallback: phone(2) })])
    bench.reply(1, 100)
    assert.deepEqual(bench.bounce(1), ["1 failed with 503", "INVITE to 2"])
    const late = new Bench()
    late.call([phone(1, { fallback: phone(2) })], request("MESSAGE"))
    assert.deepEqual(late.advance(32_000).slice(-2), ["1 failed with 408", "finished with 408"])
  })

  test("cancels by Timer C what rings for ever, later if it still tells of itself", () => {
    const bench = new Bench()
    bench.call([phone(1)])
    bench.reply(1, 180)
    assert.deepEqual(bench.advance(minutes(3)), [])
    bench.reply(1, 183)
    assert.deepEqual(bench.advance(minutes(3)), [])
    assert.ok(bench.advance(seconds(30)).includes("CANCEL to 1"))
    assert.deepEqual(bench.reply(1, 487).slice(-1), ["finished with 487"])
  })

  test("ignores failures of sends that are not its own, and tickets that it never asked with", () => {
    const bench = new Bench()
    assert.deepEqual(bench.tell({ kind: "send-failed", id: "someone else's", reason: "" }), [])
    assert.deepEqual(bench.tell({ kind: "resolved", ticket: 99, records: [] }), [])
    assert.deepEqual(bench.tell({ kind: "answer", server: 99, response: makeResponse(request(), 200) }), [])
  })
})

describe("a target that is a URI", () => {
  const byName = phone(0, { hop: { kind: "uri", uri: "sip:example.net:5060" } })
  const address = (last: number): DnsRecord => ({ type: "A", address: `203.0.113.${last}` })

  test("is located, and the next place is tried where one is silent, broken or answers 503", () => {
    const bench = new Bench()
    assert.deepEqual(bench.call([byName]), ["100 to caller", "A of example.net?"])
    const records = [1, 2, 3, 4].map(address)
    assert.deepEqual(bench.tell({ kind: "resolved", ticket: 1, records }), ["INVITE to 1"])
    assert.deepEqual(bench.reply(1, 503), ["ACK to 1", "INVITE to 2"])
    assert.deepEqual(bench.bounce(2), ["INVITE to 3"])
    assert.deepEqual(bench.advance(32_000).slice(-1), ["INVITE to 4"])
    const branches = [1, 2, 3, 4].map((number) => bench.sent.get(`INVITE ${number}`)!.headers.first("Via"))
    assert.equal(new Set(branches).size, 4)
    assert.equal(bench.reply(4, 486).at(-1), "finished with 486")
  })

  test("that leads nowhere is 500, and its fallback comes first", () => {
    const bench = new Bench()
    bench.call([byName])
    bench.tell({ kind: "resolved", ticket: 1, records: "failed" })
    assert.equal(bench.responses.at(-1)?.status, 500)
    const other = new Bench()
    other.call([{ ...byName, fallback: phone(2) }])
    assert.deepEqual(other.tell({ kind: "resolved", ticket: 1, records: [] }).slice(-1), ["INVITE to 2"])
  })

  test("is not tried any more once the caller gave up", () => {
    const bench = new Bench()
    bench.call([byName])
    assert.deepEqual(bench.fromCaller(request("CANCEL")).slice(-1), ["finished with 487"])
    assert.deepEqual(bench.tell({ kind: "resolved", ticket: 1, records: [address(1)] }), [])
  })

  test("is where an ACK goes, too", () => {
    const bench = new Bench()
    const ack = request("ACK", { branch: "two" })
    assert.deepEqual(bench.tell({ kind: "forward-stateless", request: ack, target: byName }), [
      "A of example.net?",
    ])
    assert.deepEqual(bench.tell({ kind: "resolved", ticket: 1, records: [address(1)] }), ["ACK to 1"])
  })
})
