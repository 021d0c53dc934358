import assert from "node:assert/strict"
import { describe, test } from "node:test"
import fc from "fast-check"
import { fromLatin1, toLatin1 } from "../kit/bytes.ts"
import { LIMITS } from "../kit/limits.ts"
import { StreamFramer, type StreamUnit } from "./framing.ts"

const message = (body: string, length = "Content-Length") =>
  `MESSAGE sip:bob@example.org SIP/2.0\r\nX: y\r\n${length}: ${body.length}\r\n\r\n${body}`

const spelled = (unit: StreamUnit) => (unit.kind === "message" ? toLatin1(unit.bytes) : unit.kind)

const frame = (text: string) => new StreamFramer().push(fromLatin1(text)).map(spelled)

describe("StreamFramer", () => {
  test("cuts the same messages and pings however the bytes come", () => {
    const stream = [
      message("hello"),
      "\r\n\r\n",
      "\r\n",
      message("\r\n\r\n", "l"),
      message("", "CONTENT-length \t"),
      "\r\n\r\n",
      "\r\n\r\n",
      message("x".repeat(3_000)),
    ].join("")
    const whole = [message("hello"), "ping", message("\r\n\r\n", "l")]
    // A single CRLF before a message is the answer to a ping of ours.
    const expected = [...whole, message("", "CONTENT-length \t"), "ping", "ping", message("x".repeat(3_000))]
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 12 }), (cuts) => {
        const framer = new StreamFramer()
        const units: string[] = []
        const edges = [0, ...cuts.sort((a, b) => a - b), stream.length]
        for (const [index, edge] of edges.slice(1).entries()) {
          units.push(...framer.push(fromLatin1(stream.slice(edges[index], edge))).map(spelled))
        }
        assert.deepEqual(units, expected)
      }),
      { seed: 1, numRuns: 200 },
    )
  })

  test("takes bytes one by one", () => {
    const framer = new StreamFramer()
    const bytes = fromLatin1(message("abc"))
    const units = Array.from(bytes, (byte) => framer.push(Uint8Array.of(byte))).flat()
    assert.deepEqual(units.map(spelled), [message("abc")])
  })

  test("reads a Content-Length behind a fold", () => {
    const folded = "A b SIP/2.0\r\nContent-Length:\r\n 2\r\n\r\nxy"
    assert.deepEqual(frame(folded), [folded])
  })

  test("hands out bytes of their own", () => {
    const buffer = Buffer.from(message("abc"), "latin1")
    const [unit] = new StreamFramer().push(buffer)
    buffer.fill(0)
    assert.equal(spelled(unit!), message("abc"))
  })

  for (const [what, text] of [
    ["has no Content-Length", "A b SIP/2.0\r\nX-Content-Length: 1\r\nSubject: Content-Length: 1\r\n\r\n"],
    ["has none that is a number", "A b SIP/2.0\r\nContent-Length: five\r\n\r\n"],
    ["has an empty one", "A b SIP/2.0\r\nContent-Length:\r\nX: 1\r\n\r\n"],
    ["has a negative one", "A b SIP/2.0\r\nContent-Length: -1\r\n\r\n"],
    ["has one and a half", "A b SIP/2.0\r\nContent-Length: 1.5\r\n\r\n"],
    ["has two, even if alike", "A b SIP/2.0\r\nContent-Length: 1\r\nl: 1\r\n\r\n"],
    ["has a huge one", `A b SIP/2.0\r\nContent-Length: ${"9".repeat(400)}\r\n\r\n`],
    ["announces more than the limit", `A b SIP/2.0\r\nContent-Length: ${LIMITS.sip.messageBytes}\r\n\r\n`],
    ["never ends its headers", "x".repeat(LIMITS.sip.messageBytes + 1)],
  ] as const) {
    test(`gives up a stream whose message ${what}, and takes nothing more from it`, () => {
      const framer = new StreamFramer()
      assert.deepEqual(framer.push(fromLatin1(text)).map(spelled), ["broken"])
      assert.deepEqual(framer.push(fromLatin1(message("late"))), [])
    })
  }

  test("hands out what came before the break", () => {
    assert.deepEqual(frame(`${message("good")}A b SIP/2.0\r\n\r\n`), [message("good"), "broken"])
  })

  test("takes a message of the largest size, and many in one piece", () => {
    const overhead = message("").length + 4
    const largest = message("x".repeat(LIMITS.sip.messageBytes - overhead))
    assert.equal(largest.length, LIMITS.sip.messageBytes)
    assert.deepEqual(frame(largest + largest), [largest, largest])
  })

  test("spends on bytes that dribble in no more than on bytes that come at once", () => {
    const framer = new StreamFramer()
    for (let i = 0; i < 60_000; i++) assert.deepEqual(framer.push(Uint8Array.of(120)), [])
  })
})
