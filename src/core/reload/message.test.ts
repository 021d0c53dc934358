import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { openSslHashes } from "../../../test/support/hashes.ts"
import { MESSAGES, wholeMessage } from "../../../test/vectors/reload-messages.ts"
import { fromHex } from "../kit/hex.ts"
import { encode } from "../wire/codec.ts"
import { DecodeError } from "../wire/decode-error.ts"
import {
  isRequest,
  MessageContents,
  overlayHash,
  readHeader,
  readPayload,
  resourceIdOf,
  writeMessage,
} from "./message.ts"

const ping = wholeMessage(MESSAGES[0]!.bytes)

/** The message with one byte replaced. */
const withByte = (offset: number, byte: number) => ping.with(offset, byte)

test("what is no RELOAD message of version 1.0 is refused by name", () => {
  const refused = (bytes: Uint8Array, problem: RegExp) =>
    assert.throws(
      () => readHeader(bytes),
      (error) => error instanceof DecodeError && problem.test(error.message),
    )
  refused(withByte(0, 0xd3), /is not RELOAD/)
  refused(withByte(10, 0x01), /version 1 is not 10/)
  refused(withByte(12, 0x40), /lacks its high bit/)
  refused(withByte(19, ping[19]! + 1), /says 157 bytes and has 156/)
  refused(ping.subarray(0, -1), /says 156 bytes and has 155/)
  refused(withByte(34, 0xff), /ForwardingHeader\.destination, byte 56: needs 65317 bytes/)
  refused(new Uint8Array(), /needs 4 bytes, has 0/)
})

test("the payload is part of what was read, not a copy", () => {
  assert.equal(readHeader(ping).payload.buffer, ping.buffer)
})

test("a long field of a message is a view on it, and a short one is a copy", () => {
  const read = (padding: number) => {
    const bytes = encode(MessageContents, {
      body: { kind: "ping-req", padding: new Uint8Array(padding) },
      extensions: [],
    })
    const { payload } = readHeader(wholeMessage(bytes))
    const { body } = readPayload(payload).contents
    assert.equal(body.kind, "ping-req")
    return (
      body.kind === "ping-req" && body.padding.length === padding && body.padding.buffer === payload.buffer
    )
  }
  assert.equal(read(65), true)
  assert.equal(read(64), false)
})

test("a message is written behind as many free bytes as are wanted", () => {
  const { header, payload } = readHeader(ping)
  const bytes = writeMessage(header, payload, 8)
  assert.deepEqual(bytes.subarray(8), ping)
})

test("a method that nobody knows can still be answered with an Error", () => {
  const contents = fromHex("0101 00000002 beef 00000000".replaceAll(" ", ""))
  const { payload } = readHeader(wholeMessage(contents))
  const { body } = readPayload(payload).contents
  assert.deepEqual(body, { kind: "unknown", code: 0x101, bytes: Uint8Array.of(0xbe, 0xef) })
  assert.equal(isRequest(body), true)
  assert.deepEqual(encode(MessageContents, { body, extensions: [] }), contents)
})

test("requests are told from answers and errors", () => {
  const requests = MESSAGES.filter(({ contents }) => isRequest(contents.body))
  assert.ok(requests.every(({ bytes }) => bytes[1]! % 2 === 1 && bytes[0] === 0))
  assert.equal(requests.length, MESSAGES.filter(({ contents }) => contents.body.kind.endsWith("-req")).length)
})

test("bytes behind the security block are refused", () => {
  const { payload } = readHeader(ping)
  assert.throws(() => readPayload(Uint8Array.of(...payload, 0)), /1 bytes too many/)
})

test("overlay and Resource-IDs are hashes of their names", () => {
  // SHA-1 of "abc" is a9993e36 4706816a ba3e2571 7850c26c 9cd0d89d (FIPS 180-2).
  assert.equal(overlayHash(openSslHashes, "abc"), 0x9cd0d89d)
  assert.equal(resourceIdOf(openSslHashes, "abc"), "a9993e364706816aba3e25717850c26c")
  assert.equal(
    resourceIdOf(openSslHashes, Uint8Array.of(0x61, 0x62, 0x63)),
    "a9993e364706816aba3e25717850c26c",
  )
})

test("no bytes whatever make reading fail otherwise than with DecodeError", () => {
  const read = (bytes: Uint8Array) => {
    try {
      readPayload(readHeader(bytes).payload)
    } catch (error) {
      assert.ok(error instanceof DecodeError, String(error))
    }
  }
  const readLoose = (payload: Uint8Array) => {
    try {
      readPayload(payload)
    } catch (error) {
      assert.ok(error instanceof DecodeError, String(error))
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), read))
  const mutation = fc.tuple(fc.nat(), fc.nat(255))
  const mutated = fc.tuple(fc.constantFrom(...MESSAGES), fc.array(mutation, { minLength: 1, maxLength: 4 }))
  fc.assert(
    fc.property(mutated, ([{ bytes }, changes]) => {
      const message = wholeMessage(bytes)
      for (const [place, byte] of changes) message[place % message.length] = byte
      read(message)
      const { payload } = readHeader(wholeMessage(bytes))
      const damaged = payload.slice()
      for (const [place, byte] of changes) damaged[place % damaged.length] = byte
      readLoose(damaged)
    }),
    { numRuns: 2_000 },
  )
})
