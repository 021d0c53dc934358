import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { fromLatin1 } from "../../src/core/kit/bytes.ts"
import { LIMITS } from "../../src/core/kit/limits.ts"
import { viasOf } from "../../src/core/sip/fields.ts"
import { StreamFramer } from "../../src/core/sip/framing.ts"
import type { SipMessage } from "../../src/core/sip/message.ts"
import { parseMessage } from "../../src/core/sip/parse.ts"
import { SipParseError } from "../../src/core/sip/parse-error.ts"
import { makeResponse } from "../../src/core/sip/respond.ts"
import { serializeMessage } from "../../src/core/sip/serialize.ts"
import { plainMessage } from "../support/plain-message.ts"
import { TORTURE, tortureBytes } from "./torture.ts"

const messages = TORTURE.map(({ name }) => tortureBytes(name))

/** What makes grammars stumble, put anywhere. */
const splinters = [
  "\r\n",
  "\r\n ",
  "\n",
  "\r",
  "\0",
  '"',
  "\\",
  "<",
  ">",
  ",",
  ";",
  "=",
  "%",
  ":",
  "@",
  "[",
  " ",
  "\xa0",
]

const edit = fc.record({
  at: fc.noBias(fc.nat(9_999)).map((part) => part / 10_000),
  drop: fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.nat(2) },
    { weight: 1, arbitrary: fc.nat(200) },
  ),
  insert: fc.oneof(fc.constantFrom(...splinters), fc.string({ maxLength: 8, unit: "binary-ascii" })),
})

const mutant = fc
  .tuple(fc.constantFrom(...messages), fc.array(edit, { minLength: 1, maxLength: 3 }))
  .map(([message, edits]) =>
    edits.reduce((text, { at, drop, insert }) => {
      const start = Math.floor(at * text.length)
      return text.slice(0, start) + insert + text.slice(start + drop)
    }, Buffer.from(message).toString("latin1")),
  )

/** Undefined where the message was refused, as it may be. Any other throw fails the test. */
function parse(bytes: Uint8Array): SipMessage | undefined {
  try {
    return parseMessage(bytes)
  } catch (error) {
    if (!(error instanceof SipParseError)) throw error
    if (error.salvage !== undefined) {
      const answer = makeResponse(error.salvage, error.status, error.reason, { toTag: "t" })
      const status = `SIP/2.0 ${error.status} `
      assert.ok(Buffer.from(serializeMessage(answer)).toString("latin1").startsWith(status))
      assert.ok(viasOf(answer).length > 0)
    }
    return undefined
  }
}

test("mutants of the torture messages are refused by SipParseError, or mean the same once forwarded", () => {
  let taken = 0
  fc.assert(
    fc.property(mutant, (text) => {
      const message = parse(fromLatin1(text))
      if (message === undefined) return
      taken++
      const headers = message.headers.with("Content-Length", `${message.body.length}`)
      assert.deepEqual(plainMessage(parse(serializeMessage(message))), plainMessage({ ...message, headers }))
    }),
    { seed: 4475, numRuns: 3_000 },
  )
  assert.ok(taken > 300, `only ${taken} mutants were taken, so little was shown`)
})

test("whatever the framing cuts out of a mutant is what a datagram of it would have been", () => {
  fc.assert(
    fc.property(mutant, (text) => {
      const [unit] = new StreamFramer().push(fromLatin1(text))
      if (unit?.kind !== "message") return
      const cut = parse(unit.bytes)
      if (cut !== undefined) assert.deepEqual(plainMessage(cut), plainMessage(parse(fromLatin1(text))))
    }),
    { seed: 5118, numRuns: 2_000 },
  )
})

test("no message of the largest size takes long, whatever it repeats", () => {
  const head = "OPTIONS sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nCSeq: 1 OPTIONS\r\n"
  const rest = "From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: 1\r\n"
  const size = LIMITS.sip.messageBytes - head.length - rest.length - 40
  const fill = (piece: string) => piece.repeat(Math.floor(size / piece.length))
  const nasty = [
    ...["a", " ", "\r\n ", '"', "\\", "<", ",", ";", "%41", ";a", ",a", "<>,", '"",'].flatMap((piece) => [
      `${head}${rest}Contact: ${fill(piece)}\r\n\r\n`,
      `${head}${rest}Via: ${fill(piece)}\r\n\r\n`,
      `${head}${rest}Subject: ${fill(piece)}\r\n\r\n`,
    ]),
    `${head}${rest}${fill("a\r\n")}\r\n`,
    `${head}${rest}${fill("a:b\r\n")}\r\n`,
    `${head}${rest}${fill("v: SIP/2.0/UDP a\r\n")}\r\n`,
    `${head}${rest}${fill("m: <sip:a@b>\r\n")}\r\n`,
    `${head}${rest}${fill("\r\n")}`,
    fill("\r\n"),
    fill(" "),
    `${fill("a")} sip:b@c SIP/2.0\r\n\r\n`,
    `a sip:${fill(";a")} SIP/2.0\r\n\r\n`,
  ].map(fromLatin1)
  const start = process.cpuUsage()
  for (const bytes of nasty) parse(bytes)
  const { user } = process.cpuUsage(start)
  assert.ok(user < 50_000 * nasty.length, `${user / nasty.length} µs each`)
})
