import assert from "node:assert/strict"
import { test } from "node:test"
import { FabricRecords, isQuestion, NO_ANSWER, NODES, NOW } from "../../../test/support/fabric-records.ts"
import { fromHex } from "../kit/hex.ts"
import type { Binding } from "../service/stores.ts"
import { SIP_BINDINGS, SUBSCRIBER } from "../storage/kinds.ts"
import { encode } from "../wire/codec.ts"
import { BindingEntryValue } from "./binding-values.ts"
import { Lookup, type LookupResult } from "./lookup.ts"

const ALICE = "alice@example.org"
const [EDGE, DEAD] = NODES

function setUp() {
  const records = new FabricRecords()
  const lookup = new Lookup({ overlay: records, isAlive: (node) => node !== DEAD }, 4)
  const ask = (aor: string): LookupResult => {
    const effects = lookup.handle({ kind: "look-up", ticket: 3, aor, domain: "example.org" }, NOW)
    const [question] = effects.filter(isQuestion)
    const [answer] = question ? lookup.handle(records.answer(question), NOW) : effects
    assert.ok(answer?.kind === "looked-up" && answer.ticket === 3)
    return answer.result
  }
  return { records, lookup, ask }
}

function register(records: FabricRecords, edge: string, more: Partial<Binding>): void {
  const binding: Binding = {
    contact: `sip:alice@${edge}`,
    parameters: "",
    q: 500,
    path: [],
    callId: "call",
    cseq: 1,
    instance: undefined,
    regId: undefined,
    transport: "TCP",
    source: "192.0.2.1:5060",
    flow: undefined,
    expires: NOW + 60_000,
    version: 1,
    ...more,
  }
  const value = encode(BindingEntryValue, { bindings: [binding], tombstones: [], clearedBefore: 0 })
  records.put(ALICE, {
    kind: SIP_BINDINGS.id,
    value: { model: "dictionary", key: fromHex(edge), exists: true, value },
    lifetime: 60,
  })
}

test("a look-up tells whether the user exists, who holds the record, and how it was found", () => {
  const { records, ask } = setUp()
  const value = { model: "single", exists: true, value: Uint8Array.of(1) } as const
  records.put(ALICE, { kind: SUBSCRIBER.id, value, lifetime: 60 })
  const found: LookupResult = {
    kind: "found",
    aor: ALICE,
    user: true,
    bindings: [],
    resource: records.resourceId(ALICE),
    responsible: NODES[0],
    copies: [NODES[1], NODES[2]],
    steps: [{ what: "fetch", responder: NODES[0], hops: 1, milliseconds: 3 }],
  }
  for (const aor of ["alice", ALICE, "sip:alice@EXAMPLE.org", "SIPS:alice@example.org"])
    assert.deepEqual(ask(aor), found)
  assert.partialDeepStrictEqual(ask("bob"), { kind: "found", aor: "bob@example.org", user: false })
})

test("of each binding it tells how a call would reach it, and whether its edge lives", () => {
  const ways = [
    [{}, "contact"],
    [{ flow: "token" }, "flow"],
    [{ flow: "token", path: ["<sip:proxy;lr>"] }, "path"],
  ] as const
  for (const [more, reachedBy] of ways) {
    const { records, ask } = setUp()
    register(records, EDGE, { ...more, version: 2 })
    register(records, DEAD, { ...more, version: 1 })
    const found = ask("alice")
    assert.ok(found.kind === "found")
    const common = { transport: "TCP", source: "192.0.2.1:5060", expires: NOW + 60_000, q: 500, reachedBy }
    assert.deepEqual(found.bindings, [
      { ...common, contact: `sip:alice@${EDGE}`, edge: EDGE, edgeAlive: true },
      { ...common, contact: `sip:alice@${DEAD}`, edge: DEAD, edgeAlive: false },
    ])
  }
})

test("only bindings that count are shown: neither what is past nor what is superseded", () => {
  const { records, ask } = setUp()
  register(records, EDGE, { contact: "sip:old@192.0.2.1", expires: NOW })
  register(records, DEAD, { contact: "sip:phone@192.0.2.1", version: 1 })
  register(records, NODES[2], { contact: "sip:phone@192.0.2.1", version: 2 })
  const found = ask("alice")
  assert.deepEqual(found.kind === "found" && found.bindings.map(({ edge }) => edge), [NODES[2]])
})

test("an AOR that cannot be, or an overlay that does not answer, is refused with its cause", () => {
  const { lookup, ask } = setUp()
  const elsewhere = ask("sip:alice@elsewhere.org")
  assert.ok(elsewhere.kind === "refused" && elsewhere.code === "bad-name")
  assert.match(elsewhere.cause, /not of the domain example\.org/)
  const asked = lookup.handle({ kind: "look-up", ticket: 9, aor: "alice", domain: "example.org" }, NOW)
  const [question] = asked.filter(isQuestion)
  const failed = { kind: "fetched", ticket: question!.ticket, result: NO_ANSWER } as const
  const result = { kind: "refused", code: "unavailable", cause: NO_ANSWER.cause }
  assert.deepEqual(lookup.handle(failed, NOW), [{ kind: "looked-up", ticket: 9, result }])
  assert.deepEqual(lookup.handle(failed, NOW), [])
})
