import assert from "node:assert/strict"
import { test } from "node:test"
import {
  cryptography,
  FabricRecords,
  isQuestion,
  NO_ANSWER,
  NODES,
  NOW,
} from "../../../test/support/fabric-records.ts"
import { fromHex } from "../kit/hex.ts"
import { type Instant, NEVER } from "../kit/time.ts"
import type { Binding, BindingEntry, StoreRequest } from "../service/stores.ts"
import { SIP_BINDINGS, SUBSCRIBER } from "../storage/kinds.ts"
import { encode } from "../wire/codec.ts"
import { BindingEntryValue } from "./binding-values.ts"
import { FabricStores, type FabricStoresEffect, REMOVAL_LIFETIME } from "./fabric-stores.ts"
import { sealSubscriber } from "./subscriber-values.ts"

const KEY = { epoch: 1, key: new Uint8Array(32).fill(1) }
const ALICE = "alice@example.org"
const HA1 = { md5: "a".repeat(32), sha256: "b".repeat(64) }
const [SELF, OTHER, THIRD] = NODES

const binding = (expires: number): Binding => ({
  contact: "sip:alice@192.0.2.1",
  parameters: "",
  q: 1_000,
  path: [],
  callId: "call",
  cseq: 1,
  instance: undefined,
  regId: undefined,
  transport: "UDP",
  source: "192.0.2.1:5060",
  flow: undefined,
  expires,
  version: 1,
})

const EMPTY: BindingEntry = { bindings: [], tombstones: [], clearedBefore: 0 }
const withBinding = (expires: number): BindingEntry => ({ ...EMPTY, bindings: [binding(expires)] })

function setUp() {
  const records = new FabricRecords()
  const stores = new FabricStores({ self: SELF, overlay: records, cryptography, fabricKeys: () => [KEY] }, 5)
  /** What comes of a request once the overlay has answered. */
  const ask = (request: StoreRequest): readonly FabricStoresEffect[] => {
    const [question] = stores.handle(request, NOW).filter(isQuestion)
    return stores.handle(records.answer(question!), NOW)
  }
  return { records, stores, ask }
}

/** `node`'s entry of Alice, as if that node had stored it. */
const entryOf = (node: string, value: Uint8Array) =>
  ({
    kind: SIP_BINDINGS.id,
    value: { model: "dictionary", key: fromHex(node), exists: value.length > 0, value },
    lifetime: 60,
  }) as const

const subscriber = (value: Uint8Array) =>
  ({ kind: SUBSCRIBER.id, value: { model: "single", exists: true, value }, lifetime: 60 }) as const

test("questions are about the hash of the name, and their tickets tell whose they are", () => {
  const { records, stores } = setUp()
  const [question] = stores.handle({ kind: "find-bindings", ticket: 1, aor: ALICE }, NOW)
  assert.deepEqual(question, {
    kind: "fetch",
    ticket: 5,
    resource: records.resourceId(ALICE),
    wanted: [{ kind: 0xf0000001 }],
  })
  const [next] = stores.handle({ kind: "find-subscriber", ticket: 1, name: ALICE }, NOW)
  assert.partialDeepStrictEqual(next, { ticket: 13, wanted: [{ kind: 0xf0000002 }] })
  assert.equal(stores.deadline, NEVER)
})

test("an entry stored here is found with this node as its edge, beside those of others", () => {
  const { records, ask } = setUp()
  records.put(ALICE, entryOf(OTHER, encode(BindingEntryValue, withBinding(NOW + 1))))
  const entry = withBinding(NOW + 90_500)
  const stored = ask({ kind: "store-bindings", ticket: 7, aor: ALICE, entry })
  assert.deepEqual(stored, [{ kind: "bindings-stored", ticket: 7, result: { kind: "stored" } }])
  const found = ask({ kind: "find-bindings", ticket: 8, aor: ALICE })
  const entries = [
    { edge: OTHER, ...withBinding(NOW + 1) },
    { edge: SELF, ...entry },
  ]
  assert.deepEqual(found, [{ kind: "bindings-found", ticket: 8, result: { kind: "found", entries } }])
})

test("a record lives as long as the last thing it says; a clearing outlives all bindings", () => {
  const lifetimeOf = (entry: BindingEntry) => {
    const { records, ask } = setUp()
    ask({ kind: "store-bindings", ticket: 1, aor: ALICE, entry })
    return records.valuesOf(ALICE, SIP_BINDINGS.id)[0]!.lifetime
  }
  const tombstone = { identity: "contact:sip:a", version: 1, expires: NOW + 200_001 }
  assert.equal(lifetimeOf(withBinding(NOW + 90_500)), 91)
  assert.equal(lifetimeOf({ ...withBinding(NOW + 90_500), tombstones: [tombstone] }), 201)
  assert.equal(lifetimeOf(withBinding(NOW - 5)), 60)
  assert.equal(lifetimeOf({ ...EMPTY, clearedBefore: 9 }), REMOVAL_LIFETIME)
})

test("an entry with nothing in it is stored as a removal, and found no more", () => {
  const { records, ask } = setUp()
  ask({ kind: "store-bindings", ticket: 1, aor: ALICE, entry: withBinding(NOW + 1) })
  ask({ kind: "store-bindings", ticket: 2, aor: ALICE, entry: EMPTY })
  const key = fromHex(SELF)
  assert.deepEqual(records.valuesOf(ALICE, SIP_BINDINGS.id), [
    {
      kind: SIP_BINDINGS.id,
      value: { model: "dictionary", key, exists: false, value: new Uint8Array() },
      lifetime: REMOVAL_LIFETIME,
    },
  ])
  const [found] = ask({ kind: "find-bindings", ticket: 3, aor: ALICE })
  assert.partialDeepStrictEqual(found, { result: { kind: "found", entries: [] } })
})

test("one entry that cannot be read is reported, and hides none of the others", () => {
  const { records, ask } = setUp()
  records.put(ALICE, entryOf(OTHER, Uint8Array.of(2, 0)))
  records.put(ALICE, entryOf(THIRD, encode(BindingEntryValue, withBinding(NOW + 1))))
  const [report, answer] = ask({ kind: "find-bindings", ticket: 3, aor: ALICE })
  const cause = `entry of ${OTHER}: BindingEntry, byte 1: is of version 2, and this node reads version 1; upgrade it`
  const fields = { aor: ALICE, cause }
  assert.deepEqual(report, { kind: "log", level: "error", event: "bindings.unreadable", fields })
  assert.partialDeepStrictEqual(answer, { result: { kind: "found", entries: [{ edge: THIRD }] } })
})

test("a subscriber is found with its secrets, and one who was never there or is gone is absent", () => {
  const { records, ask } = setUp()
  const absent = [{ kind: "subscriber-found", ticket: 1, result: { kind: "absent" } }]
  assert.deepEqual(ask({ kind: "find-subscriber", ticket: 1, name: ALICE }), absent)
  records.put(ALICE, subscriber(sealSubscriber(cryptography, KEY, ALICE, HA1)))
  const present = { kind: "present", subscriber: { name: ALICE, ha1: HA1 } }
  assert.deepEqual(ask({ kind: "find-subscriber", ticket: 1, name: ALICE }), [
    { kind: "subscriber-found", ticket: 1, result: present },
  ])
  const removal = { model: "single", exists: false, value: new Uint8Array() } as const
  records.put(ALICE, { kind: SUBSCRIBER.id, value: removal, lifetime: 60 })
  assert.deepEqual(ask({ kind: "find-subscriber", ticket: 1, name: ALICE }), absent)
})

test("a subscriber that cannot be read is unavailable, not absent, and the log says why", () => {
  const strange = sealSubscriber(cryptography, { ...KEY, epoch: 2 }, ALICE, HA1)
  const causes = [
    [strange, /^this node has no fabric key of epoch 2; enrol it again$/],
    [Uint8Array.of(2), /^Subscriber, byte 1: is of version 2/],
    [Uint8Array.of(1, 0, 9), /^Subscriber, byte 3: needs 9 bytes, has 0$/],
  ] as const
  for (const [value, cause] of causes) {
    const { records, ask } = setUp()
    records.put(ALICE, subscriber(value))
    const [report, answer] = ask({ kind: "find-subscriber", ticket: 1, name: ALICE })
    assert.ok(report?.kind === "log" && report.event === "subscriber.unreadable")
    assert.ok(answer?.kind === "subscriber-found" && answer.result.kind === "unavailable")
    assert.match(answer.result.cause, cause)
  }
})

test("what the overlay cannot answer or store is unavailable, with the overlay's cause", () => {
  const { stores } = setUp()
  const requests: readonly StoreRequest[] = [
    { kind: "find-subscriber", ticket: 1, name: ALICE },
    { kind: "find-bindings", ticket: 2, aor: ALICE },
    { kind: "store-bindings", ticket: 3, aor: ALICE, entry: EMPTY },
  ]
  for (const request of requests) {
    const [question] = stores.handle(request, NOW).filter(isQuestion)
    const kind = question!.kind === "store" ? "stored" : "fetched"
    const answer = stores.handle({ kind, ticket: question!.ticket, result: NO_ANSWER }, NOW)
    assert.equal(answer.length, 1)
    assert.partialDeepStrictEqual(answer[0], {
      ticket: request.ticket,
      result: { kind: "unavailable", cause: NO_ANSWER.cause },
    })
  }
})

test("an answer nobody waits for, or that comes twice, does nothing", () => {
  const { records, stores } = setUp()
  const [question] = stores.handle({ kind: "find-bindings", ticket: 1, aor: ALICE }, NOW).filter(isQuestion)
  const answer = records.answer(question!)
  assert.equal(stores.handle({ ...answer, ticket: answer.ticket + 8 }, NOW).length, 0)
  assert.equal(stores.handle(answer, NOW).length, 1)
  assert.equal(stores.handle(answer, (NOW + 1) as Instant).length, 0)
})
