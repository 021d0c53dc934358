import assert from "node:assert/strict"
import { test } from "node:test"
import { dump } from "../../../test/support/dump.ts"
import type { BindingEntry } from "../service/stores.ts"
import { decode, encode } from "../wire/codec.ts"
import { DecodeError } from "../wire/decode-error.ts"
import { BindingEntryValue } from "./binding-values.ts"

const entry: BindingEntry = {
  clearedBefore: 1_699_999_999_999,
  bindings: [
    {
      contact: "sip:a@b",
      parameters: ";x",
      q: 1_000,
      path: ["<sip:p;lr>"],
      callId: "c1",
      cseq: 2,
      instance: "urn:i",
      regId: 1,
      transport: "TLS",
      source: "192.0.2.1:5060",
      flow: "f",
      expires: 1_700_000_000_000,
      version: 1_700_000_000_001,
    },
  ],
  tombstones: [{ identity: "contact:sip:x", version: 3, expires: 1_700_000_000_000 }],
}

// Written out by hand from docs/kinds.md, not by the code under test.
const wire = dump(`
  01                                 # version of the whole
  00000088                           # 136 bytes follow
  0000018bcfe567ff                   # cleared before
  00000057                           # bindings, 87 bytes
     0055                            # the first, 85 bytes
     0007 7369703a614062             # contact
     0002 3b78                       # parameters
     03e8                            # q
     000c 000a 3c7369703a703b6c723e  # path, 12 bytes, of one value
     0002 6331                       # Call-ID
     00000002                        # CSeq
     01 0005 75726e3a69              # instance, present
     01 00000001                     # reg-id, present
     03                              # TLS
     0e 3139322e302e322e313a35303630 # source
     01 01 66                        # flow, present
     0000018bcfe56800                # expires
     0000018bcfe56801                # version
  00000021                           # tombstones, 33 bytes
     001f                            # the first, 31 bytes
     000d 636f6e746163743a7369703a78 # identity
     0000000000000003                # version
     0000018bcfe56800                # expires
`)

test("an entry of bindings looks on the wire as docs/kinds.md draws it", () => {
  assert.deepEqual(encode(BindingEntryValue, entry), wire)
  assert.deepEqual(decode(BindingEntryValue, wire, "BindingEntry"), entry)
})

test("what a binding may lack costs one byte each", () => {
  const [binding] = entry.bindings
  const plain: BindingEntry = {
    clearedBefore: 0,
    bindings: [
      { ...binding!, path: [], instance: undefined, regId: undefined, flow: undefined, transport: "UDP" },
    ],
    tombstones: [],
  }
  const bytes = dump(`
    01 0000004e 0000000000000000
    0000003e
       003c
       0007 7369703a614062 0002 3b78 03e8
       0000                            # no path
       0002 6331 00000002
       00 00                           # neither instance nor reg-id
       01 0e 3139322e302e322e313a35303630
       00                              # no flow
       0000018bcfe56800 0000018bcfe56801
    00000000
  `)
  assert.deepEqual(encode(BindingEntryValue, plain), bytes)
  assert.deepEqual(decode(BindingEntryValue, bytes, "BindingEntry"), plain)
})

test("an entry of a later minor version, with more behind each structure, is read all the same", () => {
  const longer = dump(`
    01 00000090 0000018bcfe567ff
    0000005a
       0058
       0007 7369703a614062 0002 3b78 03e8 000c 000a 3c7369703a703b6c723e 0002 6331 00000002
       01 0005 75726e3a69 01 00000001 03 0e 3139322e302e322e313a35303630 01 01 66
       0000018bcfe56800 0000018bcfe56801
       aabbcc                        # a new field of bindings
    00000023
       0021
       000d 636f6e746163743a7369703a78 0000000000000003 0000018bcfe56800
       dd00                          # a new field of tombstones
    eeff01                           # a new field of entries
  `)
  assert.deepEqual(decode(BindingEntryValue, longer, "BindingEntry"), entry)
})

test("an entry of a higher version is refused with a sentence that says what to do", () => {
  const message = "BindingEntry, byte 1: is of version 2, and this node reads version 1; upgrade it"
  assert.throws(() => decode(BindingEntryValue, wire.with(0, 2), "BindingEntry"), {
    name: "DecodeError",
    message,
  })
})

test("an entry that was cut anywhere is refused, and says in which field", () => {
  for (let length = 0; length < wire.length; length++)
    assert.throws(() => decode(BindingEntryValue, wire.subarray(0, length), "BindingEntry"), DecodeError)
  const garbled = wire.with(69, 9) // The transport.
  assert.throws(() => decode(BindingEntryValue, garbled, "BindingEntry"), {
    message: /^BindingEntry\.bindings\[0\]\.transport, byte 70: 9 is not one of UDP, TCP/,
  })
})
