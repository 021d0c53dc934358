import { parseNodeId } from "../../src/core/identity/node-id.ts"
import { concat, toUtf8 } from "../../src/core/kit/bytes.ts"
import { fromHex } from "../../src/core/kit/hex.ts"
import { type ForwardingHeader, parseResourceId, type TransactionId } from "../../src/core/reload/header.ts"
import type { MessageBody, MessageContents } from "../../src/core/reload/message.ts"
import type { SecurityBlock } from "../../src/core/reload/security.ts"
import { dump } from "../support/dump.ts"

// One message of each method, written out by hand from RFC 6940 §6.3 to §7.4, not by the code under
// test. Lengths are counted by hand too, but for the total, which `wholeMessage` adds up.

const ALICE = parseNodeId("00112233445566778899aabbccddeeff")
const BOB = parseNodeId("ffeeddccbbaa99887766554433221100")
const CAROL = parseNodeId("0f0e0d0c0b0a09080706050403020100")
const PLACE = parseResourceId("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf")

export const HEADER: ForwardingHeader = {
  overlay: 0x8ad3f212,
  configurationSequence: 22,
  ttl: 100,
  fragment: { last: true, offset: 0 },
  transaction: "0102030405060708" as TransactionId,
  maxResponseLength: 65_536,
  via: [{ kind: "node", node: ALICE }],
  destination: [
    { kind: "node", node: BOB },
    { kind: "resource", resource: PLACE },
  ],
  options: [],
}

const BEFORE_LENGTH = dump(`
  d2454c4f                    # token: "RELO" with its high bit set
  8ad3f212                    # overlay
  0016                        # configuration_sequence 22
  0a                          # version 1.0
  64                          # ttl 100
  c0000000                    # fragment: the last one, offset 0
`)

const AFTER_LENGTH = dump(`
  0102030405060708            # transaction_id
  00010000                    # max_response_length 65,536
  0012 0025 0000              # via list 18, destination list 37, options 0 bytes
  01 10 00112233445566778899aabbccddeeff      # via: node
  01 10 ffeeddccbbaa99887766554433221100      # destination: node
  02 11 10 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf   # then a resource, with its own length
`)

export const SECURITY: SecurityBlock = {
  certificates: [],
  signature: {
    algorithm: { hash: 4, signature: 3 },
    identity: { kind: "cert-hash", hashAlgorithm: 4, hash: new Uint8Array(32).fill(0xce) },
    value: Uint8Array.of(1, 2, 3, 4, 5, 6),
  },
}

const SIGNATURE = `
  04 03                       # SHA-256, ECDSA
  01 0022                     # cert_hash, 34 bytes
     04 20                    # SHA-256, 32 bytes
     cececececececececececececececececececececececececececececececece
  0006 010203040506           # signature value
`
const SECURITY_BYTES = dump(`0000 # no certificates ${"\n"} ${SIGNATURE}`)

/** The whole message that carries these contents. */
export function wholeMessage(contents: Uint8Array): Uint8Array {
  const total = BEFORE_LENGTH.length + 4 + AFTER_LENGTH.length + contents.length + SECURITY_BYTES.length
  const length = Uint8Array.of(0, total >> 16, (total >> 8) & 0xff, total & 0xff)
  return concat(BEFORE_LENGTH, length, AFTER_LENGTH, contents, SECURITY_BYTES)
}

/** What we say it is, and its contents on the wire. */
export interface MessageVector {
  readonly contents: MessageContents
  readonly bytes: Uint8Array
}

const vector = (
  body: MessageBody,
  text: string,
  extensions: MessageContents["extensions"] = [],
): MessageVector => ({ contents: { body, extensions }, bytes: dump(text) })

const CANDIDATE = {
  address: { kind: "ipv4", ip: Uint8Array.of(192, 0, 2, 1), port: 6084 },
  overlayLink: "TLS-TCP-FH-NO-ICE",
  foundation: "1",
  priority: 2_130_706_431,
  origin: { kind: "host" },
  extensions: [],
} as const

const CANDIDATE_BYTES = `
     01 06 c0000201 17c4      # 192.0.2.1:6084
     04                       # TLS-TCP-FH-NO-ICE
     01 31                    # foundation "1"
     7effffff                 # priority
     01 0000                  # host, no extensions
`

/** A value of each data model, in their dumps below. */
const STORED = { storageTime: 0x0001_02_03_04_05, lifetime: 86_400, signature: SECURITY.signature }

export const STORED_SINGLE = {
  ...STORED,
  value: { model: "single", exists: true, value: toUtf8("abc") },
} as const
export const STORED_ARRAY = {
  ...STORED,
  value: { model: "array", index: 7, exists: false, value: new Uint8Array() },
} as const
export const STORED_DICTIONARY = {
  ...STORED,
  value: { model: "dictionary", key: Uint8Array.of(0xca, 0xfe), exists: true, value: toUtf8("x") },
} as const

const TIMES = `
     0000000102030405         # storage_time
     00015180                 # lifetime: a day
`

// A signature has 2 + 3 + 34 + 2 + 6 = 47 = 2f bytes; with the times 59 = 3b.
export const SINGLE_BYTES = `
  00000043                    # 3b and 8 bytes
  ${TIMES}
     01 00000003 616263       # exists, "abc"
  ${SIGNATURE}
`
export const ARRAY_BYTES = `
  00000044                    # 3b and 9 bytes
  ${TIMES}
     00000007 00 00000000     # index 7, removed
  ${SIGNATURE}
`
export const DICTIONARY_BYTES = `
  00000045                    # 3b and 10 bytes
  ${TIMES}
     0002 cafe                # key
     01 00000001 78           # exists, "x"
  ${SIGNATURE}
`

const RESOURCE = "10 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
const NO_EXTENSIONS = "00000000"

export const MESSAGES: readonly MessageVector[] = [
  vector(
    { kind: "ping-req", padding: Uint8Array.of(0xaa, 0xbb) },
    `0017 00000004 0002 aabb ${NO_EXTENSIONS}`,
  ),
  vector(
    { kind: "ping-ans", responseId: fromHex("f0f1f2f3f4f5f6f7"), time: 1_400_000_000_000 },
    `0018 00000010
       f0f1f2f3f4f5f6f7       # response_id
       00000145f680b000       # time in milliseconds
     ${NO_EXTENSIONS}`,
  ),
  vector(
    {
      kind: "attach-req",
      ufrag: "",
      password: "",
      role: "passive",
      candidates: [CANDIDATE],
      sendUpdate: true,
    },
    `0003 0000001f            # 1 + 1 + 8 + 2 + 18 + 1
       00 00                  # no ufrag and no password without ICE
       07 70617373697665      # role
       0012 ${CANDIDATE_BYTES}
       01                     # send_update
     ${NO_EXTENSIONS}`,
  ),
  vector(
    { kind: "attach-ans", ufrag: "u", password: "p", role: "active", candidates: [], sendUpdate: false },
    `0004 0000000e 01 75 01 70 06 616374697665 0000 00 ${NO_EXTENSIONS}`,
  ),
  vector(
    { kind: "app-attach-req", ufrag: "", password: "", application: 5061, role: "passive", candidates: [] },
    `001d 0000000e 00 00 13c5 07 70617373697665 0000 ${NO_EXTENSIONS}`,
  ),
  vector(
    {
      kind: "app-attach-ans",
      ufrag: "",
      password: "",
      application: 5061,
      role: "active",
      candidates: [CANDIDATE],
    },
    `001e 0000001f 00 00 13c5 06 616374697665 0012 ${CANDIDATE_BYTES} ${NO_EXTENSIONS}`,
  ),
  vector(
    { kind: "join-req", joiningPeer: ALICE, overlaySpecific: new Uint8Array() },
    `000f 00000012 00112233445566778899aabbccddeeff 0000 ${NO_EXTENSIONS}`,
  ),
  vector({ kind: "join-ans", overlaySpecific: new Uint8Array() }, `0010 00000002 0000 ${NO_EXTENSIONS}`),
  vector(
    {
      kind: "leave-req",
      leavingPeer: ALICE,
      overlaySpecific: fromHex(`010010${BOB}`),
    },
    `0011 00000025 00112233445566778899aabbccddeeff
       0013 01 0010 ffeeddccbbaa99887766554433221100   # ChordLeaveData from_succ
     ${NO_EXTENSIONS}`,
  ),
  vector({ kind: "leave-ans" }, `0012 00000000 ${NO_EXTENSIONS}`),
  vector(
    {
      kind: "update-req",
      uptime: 3_600,
      content: { kind: "full", predecessors: [ALICE], successors: [BOB, CAROL], fingers: [] },
    },
    `0013 0000003b
       00000e10 03            # an hour up; full
       0010 00112233445566778899aabbccddeeff
       0020 ffeeddccbbaa99887766554433221100 0f0e0d0c0b0a09080706050403020100
       0000                   # no fingers
     ${NO_EXTENSIONS}`,
  ),
  vector({ kind: "update-ans" }, `0014 00000000 ${NO_EXTENSIONS}`),
  vector({ kind: "probe-req", requested: [1, 3] }, `0001 00000003 02 01 03 ${NO_EXTENSIONS}`),
  vector(
    { kind: "probe-ans", information: [{ type: 1, value: Uint8Array.of(0x3b, 0x9a, 0xca, 0) }] },
    `0002 00000008 0006 01 04 3b9aca00 ${NO_EXTENSIONS}`,
  ),
  vector(
    { kind: "find-req", resource: PLACE, kinds: [1, 0xf0000001] },
    `000d 0000001a ${RESOURCE} 08 00000001 f0000001 ${NO_EXTENSIONS}`,
  ),
  vector(
    { kind: "find-ans", results: [{ kind: 1, closest: PLACE }] },
    `000e 00000017 0015 00000001 ${RESOURCE} ${NO_EXTENSIONS}`,
  ),
  vector(
    {
      kind: "route-query-req",
      sendUpdate: false,
      destination: { kind: "node", node: CAROL },
      overlaySpecific: new Uint8Array(),
    },
    `0015 00000015 00 01 10 0f0e0d0c0b0a09080706050403020100 0000 ${NO_EXTENSIONS}`,
  ),
  vector(
    { kind: "route-query-ans", nextPeer: CAROL },
    `0016 00000010 0f0e0d0c0b0a09080706050403020100 ${NO_EXTENSIONS}`,
  ),
  vector(
    { kind: "config-update-req", update: { kind: "configuration", document: toUtf8("<overlay/>") } },
    `0021 00000012
       01 0000000d            # config, 13 bytes
       00000a 3c6f7665726c61792f3e
     ${NO_EXTENSIONS}`,
  ),
  vector({ kind: "config-update-ans" }, `0022 00000000 ${NO_EXTENSIONS}`),
  vector(
    {
      kind: "store-req",
      resource: PLACE,
      replicaNumber: 1,
      kinds: [
        { kind: 2, generation: 99, values: dump(SINGLE_BYTES) },
        { kind: 3, generation: 107, values: dump(ARRAY_BYTES) },
        { kind: 0xf0000001, generation: 1, values: dump(DICTIONARY_BYTES) },
      ],
    },
    `0007 0000011e            # 17 + 1 + 4 + 108
       ${RESOURCE} 01 00000108
       00000002 0000000000000063 00000047 ${SINGLE_BYTES}
       00000003 000000000000006b 00000048 ${ARRAY_BYTES}
       f0000001 0000000000000001 00000049 ${DICTIONARY_BYTES}
     ${NO_EXTENSIONS}`,
  ),
  vector(
    { kind: "store-ans", kinds: [{ kind: 2, generation: 100, replicas: [BOB, CAROL] }] },
    `0008 00000030 002e 00000002 0000000000000064
       0020 ffeeddccbbaa99887766554433221100 0f0e0d0c0b0a09080706050403020100
     ${NO_EXTENSIONS}`,
  ),
  vector(
    {
      kind: "fetch-req",
      resource: PLACE,
      specifiers: [
        { kind: 2, generation: 0, selection: new Uint8Array() },
        { kind: 3, generation: 5, selection: fromHex("00080000000000000003") },
      ],
    },
    `0009 00000039 ${RESOURCE} 0026
       00000002 0000000000000000 0000
       00000003 0000000000000005 000a 0008 00000000 00000003   # indexes 0 to 3
     ${NO_EXTENSIONS}`,
  ),
  vector(
    {
      kind: "fetch-ans",
      kinds: [{ kind: 2, generation: 100, values: dump(SINGLE_BYTES) }],
    },
    `000a 0000005b 00000057 00000002 0000000000000064 00000047 ${SINGLE_BYTES} ${NO_EXTENSIONS}`,
  ),
  vector(
    {
      kind: "stat-req",
      resource: PLACE,
      specifiers: [{ kind: 2, generation: 0, selection: new Uint8Array() }],
    },
    `0019 00000021 ${RESOURCE} 000e 00000002 0000000000000000 0000 ${NO_EXTENSIONS}`,
  ),
  vector(
    {
      kind: "stat-ans",
      kinds: [
        {
          kind: 2,
          generation: 100,
          values: fromHex("000000170000000102030405000151800100000003040401020304"),
        },
      ],
    },
    `001a 0000002f 0000002b 00000002 0000000000000064 0000001b
       00000017 0000000102030405 00015180
       01 00000003 04 04 01020304   # exists, 3 bytes, SHA-256 (cut short)
     ${NO_EXTENSIONS}`,
  ),
  vector(
    { kind: "error", code: 0x0a, info: toUtf8("ttl") },
    `ffff 00000007 000a 0003 74746c ${NO_EXTENSIONS}`,
  ),
  vector(
    { kind: "ping-req", padding: new Uint8Array() },
    `0017 00000002 0000
       00000009 0063 00 00000002 beef   # an extension, not critical
     `,
    [{ type: 0x63, critical: false, value: Uint8Array.of(0xbe, 0xef) }],
  ),
]
