import assert from "node:assert/strict"
import { test } from "node:test"
import { concat } from "../../src/core/kit/bytes.ts"
import { MessageCode } from "../../src/core/reload/codes.ts"
import { MessageContents, readHeader, readPayload, writeMessage } from "../../src/core/reload/message.ts"
import { SecurityBlock } from "../../src/core/reload/security.ts"
import { storedData } from "../../src/core/reload/stored-data.ts"
import { decode, encode } from "../../src/core/wire/codec.ts"
import { dump } from "../support/dump.ts"
import {
  ARRAY_BYTES,
  DICTIONARY_BYTES,
  HEADER,
  MESSAGES,
  SECURITY,
  SINGLE_BYTES,
  STORED_ARRAY,
  STORED_DICTIONARY,
  STORED_SINGLE,
  wholeMessage,
} from "./reload-messages.ts"

for (const { contents, bytes } of MESSAGES) {
  test(`${contents.body.kind} looks on the wire as RFC 6940 draws it`, () => {
    const message = wholeMessage(bytes)
    assert.deepEqual(
      writeMessage(HEADER, concat(encode(MessageContents, contents), encode(SecurityBlock, SECURITY))),
      message,
    )
    const { header, payload } = readHeader(message)
    assert.deepEqual(header, HEADER)
    assert.deepEqual(readPayload(payload), { contents, contentsBytes: bytes, security: SECURITY })
  })
}

test("every method has its vector", () => {
  const shown = new Set(MESSAGES.map(({ contents }) => contents.body.kind))
  assert.deepEqual([...shown].sort(), Object.keys(MessageCode).sort())
})

test("a value of each data model looks as RFC 6940 draws it", () => {
  for (const [data, text] of [
    [STORED_SINGLE, SINGLE_BYTES],
    [STORED_ARRAY, ARRAY_BYTES],
    [STORED_DICTIONARY, DICTIONARY_BYTES],
  ] as const) {
    assert.deepEqual(encode(storedData(data.value.model), data), dump(text))
    assert.deepEqual(decode(storedData(data.value.model), dump(text), "StoredData"), data)
  }
})
