import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { formatAddress } from "../../kit/address.ts"
import { toLatin1 } from "../../kit/bytes.ts"
import { toHex } from "../../kit/hex.ts"
import { LATEST } from "../../kit/row-times.ts"
import { after, type Duration, type Instant, NEVER } from "../../kit/time.ts"
import type { Binding, EdgeBindings } from "../stores.ts"
import { identityOf } from "./bindings.ts"
import type { EdgeRecord, Held } from "./edge-record.ts"
import { EdgeRows } from "./edge-rows.ts"
import { Known } from "./known.ts"

const SELF = "11".repeat(16)
const OTHER = "22".repeat(16)
const transport = fc.constantFrom(...(["UDP", "TCP", "TLS", "WS", "WSS"] as const))
const time = fc.integer({ min: 1, max: 2 ** 52 })
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const i32 = fc.integer()
const text = fc.oneof(fc.string({ maxLength: 30 }), fc.constant("sip:ä@[2001:db8::1]:5062;ob"))

const binding: fc.Arbitrary<Binding> = fc.record({
  contact: text,
  parameters: text,
  q: fc.nat(1_000),
  path: fc.array(text, { maxLength: 3 }),
  callId: text,
  cseq: u32,
  instance: fc.option(text, { nil: undefined }),
  regId: fc.option(fc.integer({ min: 1, max: 2 ** 31 - 1 }), { nil: undefined }),
  transport,
  source: text,
  flow: fc.option(text, { nil: undefined }),
  expires: time,
  version: time,
})

const entry = (edge: string): fc.Arbitrary<EdgeBindings> =>
  fc.record({
    edge: fc.constant(edge),
    clearedBefore: fc.oneof(fc.constant(0), time),
    bindings: fc.uniqueArray(binding, { minLength: 1, maxLength: 4, selector: identityOf }),
    tombstones: fc.array(fc.record({ identity: text, version: time, expires: time }), { maxLength: 2 }),
  })

const instant = fc.integer({ min: 1, max: LATEST }).map((at) => at as Instant)
const duration = u32.map((span) => span as Duration)
/** More of them than are named by numbers. */
const ha2 = fc.oneof(
  fc.constantFrom("00112233445566778899aabbccddeeff", "ff".repeat(16)),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map(toHex),
)
const known = fc.record({
  shape: fc.record({ a: i32, b: i32, credentials: i32, ha2 }),
  outbound: fc.boolean(),
  answered: fc.option(fc.record({ branch: i32, proof: i32 }), { nil: undefined }),
})
const flow = fc.record({
  transport,
  local: fc.record({ host: fc.constantFrom("192.0.2.9", "::1"), port: fc.nat(65_535) }),
  remote: fc.record({ host: fc.constantFrom("192.0.2.1", "2001:db8::7"), port: fc.nat(65_535) }),
  connection: fc.option(fc.nat(2 ** 40), { nil: undefined }),
  node: fc.option(fc.constant(OTHER), { nil: undefined }),
})
const more = fc.record({
  expires: instant,
  cseq: u32,
  seenCseq: u32,
  flow,
  keepOpenAt: fc.oneof(fc.constant(NEVER), instant),
  refreshed: fc.record({ at: instant, granted: duration, keptOpen: fc.boolean() }),
  isUnchecked: fc.boolean(),
  isUsual: fc.boolean(),
  contact: fc.constantFrom("", "alice", "böb", "carol"),
  known: fc.option(known, { nil: undefined }),
})

const record: fc.Arbitrary<EdgeRecord> = fc
  .record({
    aor: fc.constantFrom("alice@example.org", "böb@example.org"),
    others: fc.option(entry(OTHER), { nil: undefined }),
    own: entry(SELF),
    registrations: fc.array(more, { minLength: 1, maxLength: 4 }),
    checkedAt: instant,
    isCheckDue: fc.boolean(),
    isSole: fc.boolean(),
  })
  .map(({ aor, others, own, registrations, checkedAt, isCheckDue, isSole }) => {
    // Mostly a binding says of the flow what the registration says.
    const bindings = own.bindings.map((each, index) => {
      const registration = registrations[index]
      if (registration === undefined || !registration.isUsual) return each
      const { transport, remote } = registration.flow
      const source = formatAddress(remote)
      const contact = registration.contact === "" ? each.contact : `sip:${registration.contact}@${source};ob`
      return { ...each, transport, source, contact }
    })
    const held = bindings.slice(0, registrations.length).map((binding, index): Held => {
      const { isUsual, contact: _, expires, ...numbers } = registrations[index]!
      const { at, granted } = numbers.refreshed
      const ends = isUsual ? after(at, granted) : expires
      return { aor, identity: identityOf(binding), binding, expires: ends, ...numbers }
    })
    const entries = others === undefined ? [{ ...own, bindings }] : [others, { ...own, bindings }]
    const soleVersion = isSole ? own.bindings[0]!.version : 0
    // Plain objects, which those of the generators are not all.
    return structuredClone({ aor, entries, soleVersion, checkedAt, isCheckDue, held })
  })

test("what rests as bytes is read as it was, and known by its AOR and its flow", () => {
  const rows = new EdgeRows(SELF)
  fc.assert(
    fc.property(record, record, (first, second) => {
      const row = rows.add(first)
      assert.deepEqual(rows.read(row), first)
      rows.replace(row, second)
      assert.deepEqual(rows.read(row), second)
      const { aor, held } = second
      assert.equal(rows.aor(row), aor)
      assert.ok(rows.isOf(row, aor))
      for (const other of ["alice@example.com", `${aor}x`, ""]) assert.ok(!rows.isOf(row, other))
      const { flow } = held[0]!
      assert.ok(rows.isFrom(row, { ...flow, local: { ...flow.local } }))
      assert.ok(!rows.isFrom(row, { ...flow, connection: 2 ** 41 }))
      assert.ok(!rows.isFrom(row, { ...flow, remote: { ...flow.remote, host: "192.0.2.2" } }))
      assert.ok(!rows.isFrom(row, { ...flow, local: { ...flow.local, host: "192.0.2.8" } }))
    }),
  )
})

test("the Contact of a registration is written as it came, whatever of it stands in its AOR and in its source", () => {
  const rows = new EdgeRows(SELF)
  const contact = fc.constantFrom(
    ...[
      "sip:alice@192.0.2.1:5062",
      "sip:alice@[2001:db8::7]:5062;ob",
      "sip:alice@192.0.2.7",
      "sip:bob@192.0.2.1:5062",
    ],
  )
  fc.assert(
    fc.property(record, contact, fc.constantFrom("192.0.2.1", "2001:db8::7"), (made, contact, host) => {
      const [{ binding, flow, ...rest }] = made.held as [Held]
      const its = { ...binding, contact, parameters: ";x=1", q: 500, version: 7 }
      const from = { ...flow, remote: { host, port: 5062 } }
      const held: Held = { ...rest, identity: identityOf(its), binding: its, flow: from }
      const own = { edge: SELF, clearedBefore: 0, bindings: [its], tombstones: [] }
      const row = rows.add({
        ...made,
        aor: "alice@example.org",
        entries: [own],
        soleVersion: 7,
        held: [held],
      })
      let written = ""
      new Known(rows, row).writeContact({
        text: (text) => (written += text),
        bytes: (memory, start, end) => (written += toLatin1(memory.subarray(start, end))),
      })
      assert.equal(written, `<${contact}>;x=1;q=0.5`)
    }),
  )
})
