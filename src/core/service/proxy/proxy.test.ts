import assert from "node:assert/strict"
import { describe, test } from "node:test"
import fc from "fast-check"
import { Bench, caller, INVITED, NODE, phone, request } from "../../../../test/support/proxy-bench.ts"
import { minutes } from "../../kit/time.ts"
import { makeResponse } from "../../sip/respond.ts"

describe("a call through the proxy", () => {
  test("is a request of its own on either side: Via, Max-Forwards, Max-Breadth, Record-Route, Route", () => {
    const bench = new Bench()
    const target = phone(1, { route: ["<sip:edge;lr>"], recordRoute: ["<sip:top;lr>", "<sip:second;lr>"] })
    const message = request("INVITE", {
      headers: [
        { name: "Record-Route", value: "<sip:before;lr>" },
        { name: "Max-Forwards", value: "10" },
        { name: "X-Unknown", value: "kept" },
      ],
    })
    assert.deepEqual(bench.call([target], message), ["100 to caller", "INVITE to 1"])
    const got = bench.sent.get("INVITE 1")!
    assert.equal(got.uri, "sip:bob@203.0.113.1")
    const [ours, theirs] = got.headers.all("Via")
    assert.match(ours!, /^SIP\/2\.0\/UDP 192\.0\.2\.1;rport;branch=z9hG4bK[0-9a-z]{9}-[0-9a-z]{6}$/)
    assert.equal(theirs, "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKone")
    const values = ["Record-Route", "Route", "Max-Forwards", "Max-Breadth", "X-Unknown"]
    assert.deepEqual(
      values.map((name) => got.headers.all(name)),
      [["<sip:top;lr>", "<sip:second;lr>", "<sip:before;lr>"], ["<sip:edge;lr>"], ["9"], ["60"], ["kept"]],
    )
  })

  test("relays 180 and 200 with its own Via taken off, not 100, and repetitions of 200", () => {
    const bench = new Bench()
    bench.call([phone(1)])
    assert.deepEqual(bench.reply(1, 100), [])
    assert.deepEqual(bench.reply(1, 180), ["180 to caller"])
    assert.deepEqual(bench.reply(1, 200), ["200 to caller", "call answered", "finished with 200"])
    assert.deepEqual(bench.reply(1, 200), ["200 to caller"])
    assert.deepEqual(bench.responses.at(-1)!.headers.all("Via"), [
      "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKone",
    ])
    assert.deepEqual(bench.tell(INVITED), [])
    const { pendingInvites, pendingTransactions } = bench.proxy.statistics
    assert.deepEqual([pendingInvites, pendingTransactions], [0, 0])
  })

  test("hands the ACK for a 2xx up, and sends it on without state, the same each time", () => {
    const bench = new Bench()
    const ack = request("ACK", { branch: "two" })
    assert.deepEqual(bench.fromCaller(ack), ["ack ACK"])
    const forward = { kind: "forward-stateless", request: ack, target: phone(1) } as const
    assert.deepEqual(bench.tell(forward), ["ACK to 1"])
    const first = bench.sent.get("ACK 1")
    bench.tell(forward)
    assert.deepEqual(bench.sent.get("ACK 1"), first)
  })

  test("relays methods that nobody knows", () => {
    const bench = new Bench()
    assert.deepEqual(bench.call([phone(1)], request("FROBNICATE")), ["FROBNICATE to 1"])
    assert.deepEqual(bench.reply(1, 100, "FROBNICATE"), [])
    assert.deepEqual(bench.reply(1, 200, "FROBNICATE"), ["200 to caller", "finished with 200"])
    assert.deepEqual(bench.reply(1, 200, "FROBNICATE"), [])
  })

  test("answers what its user answers, with a To tag, and forwards no more", () => {
    const bench = new Bench()
    bench.tell(INVITED)
    const response = makeResponse(request(), 404)
    assert.deepEqual(bench.tell({ kind: "answer", server: 1, response }), ["404 to caller"])
    assert.match(bench.responses[0]!.headers.first("To")!, /^<sip:bob@example\.org>;tag=\w+$/)
    const late = { kind: "forward", server: 1, request: request(), targets: [phone(1)] } as const
    assert.deepEqual(bench.tell(late), [])
    assert.deepEqual(bench.tell({ kind: "answer", server: 1, response }), [])
  })

  test("refuses what has come too far, or come back unchanged; a spiral may pass", () => {
    const far = new Bench()
    const hops = request("OPTIONS", { headers: [{ name: "Max-Forwards", value: "0" }] })
    assert.deepEqual(far.call([phone(1)], hops), ["483 to caller", "finished with 483"])
    const bench = new Bench()
    bench.call([phone(1)])
    const looped = { ...bench.sent.get("INVITE 1")!, uri: "sip:bob@example.org" }
    assert.deepEqual(bench.call([phone(1)], looped), ["482 to caller", "finished with 482"])
    const spiral = new Bench()
    spiral.call([phone(1)])
    const elsewhere = { ...spiral.sent.get("INVITE 1")!, uri: "sip:carol@example.org" }
    assert.deepEqual(spiral.call([phone(2)], elsewhere), ["100 to caller", "INVITE to 2"])
  })

  test("is ended by nobody to ask: 480", () => {
    assert.deepEqual(new Bench().call([]), ["100 to caller", "480 to caller", "finished with 480"])
  })

  test("formats a request for a strict router as that expects it: RFC 3261 §16.6 step 6", () => {
    const bench = new Bench()
    bench.call([phone(1, { route: ["<sip:strict.example>", "<sip:loose.example;lr>"] })])
    const got = bench.sent.get("INVITE 1")!
    assert.equal(got.uri, "sip:strict.example")
    assert.deepEqual(got.headers.all("Route"), ["<sip:loose.example;lr>", "<sip:bob@203.0.113.1>"])
  })
})

describe("forking", () => {
  const low = (number: number) => phone(number, { q: 500 })

  test("rings equals at once, the next when all have failed, and the best refusal goes back", () => {
    const bench = new Bench()
    assert.deepEqual(bench.call([low(3), phone(1), phone(2)]), [
      "100 to caller",
      "INVITE to 1",
      "INVITE to 2",
    ])
    assert.deepEqual(bench.reply(1, 486), ["ACK to 1", "1 failed with 486"])
    assert.deepEqual(bench.reply(2, 503), ["ACK to 2", "2 failed with 503", "INVITE to 3"])
    assert.deepEqual(bench.reply(3, 408), [
      "ACK to 3",
      "3 failed with 408",
      "486 to caller",
      "finished with 486",
    ])
    assert.match(bench.responses.at(-1)!.headers.first("To")!, /tag=t1$/)
  })

  test("stops the others when one answers, and still relays a 2xx that crosses the CANCEL", () => {
    const bench = new Bench()
    bench.call([phone(1), phone(2), low(3)])
    bench.reply(1, 180)
    bench.reply(2, 180)
    assert.deepEqual(bench.reply(1, 200), [
      "200 to caller",
      "call answered",
      "CANCEL to 2",
      "finished with 200",
    ])
    assert.deepEqual(bench.reply(2, 200), ["200 to caller"])
    assert.deepEqual(bench.reply(2, 200, "CANCEL"), [])
  })

  test("relays even a 2xx that comes when the caller's transaction has gone", () => {
    const bench = new Bench()
    bench.call([phone(1), phone(2)])
    bench.reply(1, 200)
    bench.advance(31_000) // The second has kept silent: its CANCEL waits.
    bench.reply(2, 180)
    bench.advance(2_000)
    assert.deepEqual(bench.reply(2, 200), ["200 to caller"])
  })

  test("a 6xx ends all, and goes back when they have ended", () => {
    const bench = new Bench()
    bench.call([phone(1), phone(2), low(3)])
    bench.reply(2, 180)
    assert.deepEqual(bench.reply(1, 603), ["ACK to 1", "1 failed with 603", "CANCEL to 2"])
    assert.deepEqual(bench.reply(2, 487), [
      "ACK to 2",
      "2 failed with 487",
      "603 to caller",
      "finished with 603",
    ])
  })

  test("a 2xx beats a 6xx that came before", () => {
    const bench = new Bench()
    bench.call([phone(1), phone(2)])
    bench.reply(2, 180)
    bench.reply(1, 600)
    assert.deepEqual(bench.reply(2, 200), ["200 to caller", "call answered", "finished with 200"])
  })

  test("collects the challenges of all: RFC 3261 §16.7 step 7", () => {
    const bench = new Bench()
    bench.call([phone(1), phone(2), phone(3)])
    bench.reply(1, 404)
    bench.reply(2, 407, "INVITE", [{ name: "Proxy-Authenticate", value: 'Digest realm="b"' }])
    bench.reply(3, 401, "INVITE", [{ name: "WWW-Authenticate", value: 'Digest realm="c"' }])
    const [final] = bench.responses.slice(-1)
    assert.equal(final?.status, 407)
    assert.deepEqual(final.headers.all("Proxy-Authenticate"), ['Digest realm="b"'])
    assert.deepEqual(final.headers.all("WWW-Authenticate"), ['Digest realm="c"'])
  })

  test("says 500 for others' 503, and 480 for 430, but 430 to a node of the fabric", () => {
    const answerTo = (status: number, flow = caller) => {
      const bench = new Bench()
      bench.call([phone(1)], request(), flow)
      return bench.reply(1, status).at(-1)
    }
    assert.equal(answerTo(503), "finished with 500")
    assert.equal(answerTo(430), "finished with 480")
    assert.equal(
      answerTo(430, { ...caller, transport: "TLS", connection: 4, node: NODE }),
      "finished with 430",
    )
  })

  test("divides Max-Breadth among the branches, and lets no more ring than it allows: RFC 5393", () => {
    const bench = new Bench()
    const narrow = request("INVITE", { headers: [{ name: "Max-Breadth", value: "3" }] })
    const breadth = (number: number) => bench.sent.get(`INVITE ${number}`)?.headers.first("Max-Breadth")
    bench.call([phone(1), phone(2)], narrow)
    assert.deepEqual([breadth(1), breadth(2)], ["2", "1"])
    const serial = new Bench()
    const one = request("INVITE", { headers: [{ name: "Max-Breadth", value: "1" }] })
    assert.deepEqual(serial.call([phone(1), phone(2)], one), ["100 to caller", "INVITE to 1"])
    assert.deepEqual(serial.reply(1, 486), ["ACK to 1", "1 failed with 486", "INVITE to 2"])
  })

  test("takes more targets while it works, and a fallback where a target cannot be reached", () => {
    const bench = new Bench()
    bench.call([phone(1, { fallback: phone(2) })])
    assert.deepEqual(bench.reply(1, 430), ["ACK to 1", "1 failed with 430", "INVITE to 2"])
    const more = { kind: "forward", server: bench.server, request: request(), targets: [phone(3)] } as const
    assert.deepEqual(bench.tell(more), []) // The first has all of Max-Breadth.
    assert.deepEqual(bench.reply(2, 486), ["ACK to 2", "2 failed with 486", "INVITE to 3"])
    const busy = new Bench()
    busy.call([phone(1, { fallback: phone(2) })])
    assert.deepEqual(busy.reply(1, 486).at(-1), "finished with 486")
  })
})

describe("CANCEL", () => {
  const cancel = request("CANCEL")

  test("before anything was forwarded ends the call at once", () => {
    const bench = new Bench()
    bench.tell(INVITED)
    assert.deepEqual(bench.fromCaller(cancel), ["200 to caller", "487 to caller", "finished with 487"])
    const late = { kind: "forward", server: 1, request: request(), targets: [phone(1)] } as const
    assert.deepEqual(bench.tell(late), [])
  })

  test("waits at each phone for a provisional response, and starts no other", () => {
    const bench = new Bench()
    bench.call([phone(1), phone(2, { q: 1 })])
    assert.deepEqual(bench.fromCaller(cancel), ["200 to caller"])
    assert.deepEqual(bench.reply(1, 180), ["180 to caller", "CANCEL to 1"])
    assert.deepEqual(bench.reply(1, 200, "CANCEL"), [])
    assert.deepEqual(bench.reply(1, 487), [
      "ACK to 1",
      "1 failed with 487",
      "487 to caller",
      "finished with 487",
    ])
    assert.deepEqual(bench.fromCaller(cancel), ["200 to caller"])
  })

  test("that crosses a 200 loses", () => {
    const bench = new Bench()
    bench.call([phone(1)])
    bench.reply(1, 180)
    assert.deepEqual(bench.fromCaller(cancel), ["200 to caller", "CANCEL to 1"])
    assert.deepEqual(bench.reply(1, 200), ["200 to caller", "call answered", "finished with 200"])
  })

  test("of a phone that ends nothing gives 487 after 64 × T1", () => {
    const bench = new Bench()
    bench.call([phone(1)])
    bench.reply(1, 180)
    bench.fromCaller(cancel)
    const lines = bench.advance(32_000)
    assert.deepEqual(
      lines.filter((line) => !line.startsWith("CANCEL")),
      ["1 failed with 408", "487 to caller", "finished with 487"],
    )
  })
})

test("whatever comes in whatever order, the caller gets one refusal or only 2xx, and nothing stays", () => {
  const statuses = [100, 180, 183, 200, 302, 401, 404, 430, 486, 487, 503, 600, 603]
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ phone: fc.integer({ min: 1, max: 4 }), status: fc.constantFrom(...statuses) }),
    },
    { weight: 1, arbitrary: fc.constant("cancel" as const) },
    { weight: 1, arbitrary: fc.record({ bounce: fc.integer({ min: 1, max: 4 }) }) },
    { weight: 1, arbitrary: fc.record({ wait: fc.integer({ min: 1, max: 20_000 }) }) },
  )
  const q = fc.constantFrom(1_000, 500)
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 25 }),
      fc.array(q, { minLength: 3, maxLength: 3 }),
      (steps, qs) => {
        const bench = new Bench()
        bench.call(
          qs.map((value, index) => phone(index + 1, { q: value, fallback: index ? undefined : phone(4) })),
        )
        for (const one of steps) {
          if (one === "cancel") bench.fromCaller(request("CANCEL"))
          else if ("wait" in one) bench.advance(one.wait)
          else if ("bounce" in one) {
            if (bench.sent.has(`INVITE ${one.bounce}`)) bench.bounce(one.bounce)
          } else if (bench.sent.has(`INVITE ${one.phone}`)) bench.reply(one.phone, one.status)
        }
        bench.advance(minutes(10))
        // Refusals are repeated until their ACK; a repetition is no second answer.
        const finals = bench.responses
          .filter(({ status, headers }) => status >= 200 && headers.first("CSeq") === "1 INVITE")
          .map(({ status, headers }) => `${status} ${headers.first("To")}`)
        const kinds = new Set(finals)
        const successes = [...kinds].filter((final) => final.startsWith("2")).length
        assert.ok(successes > 0 ? successes === kinds.size : kinds.size === 1, [...kinds].join(", "))
        assert.equal(bench.effects.filter(({ kind }) => kind === "finished").length, 1)
        assert.equal(bench.proxy.deadline, Number.POSITIVE_INFINITY)
        assert.deepEqual(bench.proxy.statistics, { pendingInvites: 0, pendingTransactions: 0, contexts: 0 })
      },
    ),
    { seed: 1, numRuns: 300 },
  )
})
