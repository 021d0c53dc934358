import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { openSslHashes } from "../../../test/support/hashes.ts"
import type { Certificate, Identity } from "../identity/certificate.ts"
import { FakeCryptography, fakeAuthority } from "../identity/fake-cryptography.ts"
import { parseNodeId } from "../identity/node-id.ts"
import { judgeCertificate } from "../identity/trust.ts"
import { toUtf8 } from "../kit/bytes.ts"
import { fromHex } from "../kit/hex.ts"
import type { Instant } from "../kit/time.ts"
import { resourceIdOf } from "../reload/message.ts"
import { signValue } from "../reload/signing.ts"
import { type StoredData, type StoreReq, storedDataList } from "../reload/stored-data.ts"
import { decode, encode } from "../wire/codec.ts"
import { KindRegistry, SIP_BINDINGS } from "./kinds.ts"
import type { RecordCopy } from "./outcome.ts"
import { splitCopy } from "./split-copy.ts"
import { Storage } from "./storage.ts"
import type { StoreContext } from "./store-plan.ts"

const cryptography = new FakeCryptography(openSslHashes)
const authority = fakeAuthority(cryptography, { overlay: "example.org", seed: 1 })
const trust = { overlay: "example.org", roots: [authority.root], badNodes: [] }
const judge = (certificate: Certificate, now: Instant) =>
  judgeCertificate(cryptography, certificate, { ...trust, now })
const NOW = 1_700_000_000_000 as Instant

const registrars = ["11", "22", "33", "44"].map((digits) =>
  authority.issue({ nodeId: parseNodeId(digits.repeat(16)), roles: ["registrar"] }),
)
const certificates = new Map(registrars.map(({ certificate }) => [certificate.fingerprint, certificate]))
const ALICE = resourceIdOf(cryptography, "alice@example.org")
const newStorage = () => new Storage({ kinds: new KindRegistry(), cryptography, judge })

function written(by: Identity, text: string, time: number, lifetime = 3_600): StoredData {
  const value = {
    model: "dictionary",
    key: fromHex(by.nodeId),
    exists: text !== "",
    value: toUtf8(text),
  } as const
  return signValue(by, { resource: ALICE, kind: SIP_BINDINGS.id, storageTime: time, lifetime, value })
}

const storeOf = (values: readonly StoredData[], generation: number): StoreReq => ({
  resource: ALICE,
  replicaNumber: 1,
  kinds: [{ kind: SIP_BINDINGS.id, generation, values: encode(storedDataList("dictionary"), values) }],
})

function take(storage: Storage, store: StoreReq, more: Partial<StoreContext> = {}) {
  const requestSigner = registrars[0]!.certificate
  return storage.store(store, { requestSigner, certificates, mode: "replica", now: NOW, ...more })
}

const asRequest = (copy: RecordCopy): StoreReq => ({ ...copy, replicaNumber: 1 })

const generationOf = (storage: Storage) => storage.copyOf(ALICE, NOW).kinds[0]?.generation

test("a copy takes over the counter, and needs no permission of its sender", () => {
  const storage = newStorage()
  const stranger = authority.issue({ nodeId: parseNodeId("55".repeat(16)) }).certificate
  const outcome = take(storage, storeOf([written(registrars[1]!, "a", NOW)], 7), { requestSigner: stranger })
  assert.equal(outcome.kind, "accepted")
  assert.equal(generationOf(storage), 7)
})

test("a copy without counter, or with one that cannot be counted on, is refused", () => {
  const storage = newStorage()
  for (const generation of [0, Number.MAX_SAFE_INTEGER]) {
    const outcome = take(storage, storeOf([written(registrars[0]!, "a", NOW)], generation))
    assert.equal(outcome.kind === "refused" && outcome.error, "Error_Invalid_Message")
  }
})

test("of a copy, what is older than ours is passed over, and the rest is taken", () => {
  const storage = newStorage()
  const [a, b] = registrars as [Identity, Identity]
  take(storage, storeOf([written(a, "new", NOW + 5)], 1))
  const outcome = take(storage, storeOf([written(a, "old", NOW), written(b, "b", NOW)], 2))
  assert.ok(outcome.kind === "accepted")
  assert.equal(outcome.changes.filter(({ kind }) => kind === "put").length, 1)
  assert.equal(storage.heldValues, 2)
})

test("copies of a signer whose certificate has lapsed are kept, of a revoked one passed over", () => {
  const lapsed = authority.issue({
    nodeId: parseNodeId("66".repeat(16)),
    roles: ["registrar"],
    notAfter: (NOW - 1) as Instant,
  })
  const known = new Map([...certificates, [lapsed.certificate.fingerprint, lapsed.certificate]])
  const storage = newStorage()
  const copy = storeOf([written(lapsed, "a", NOW)], 1)
  take(storage, copy, { certificates: known })
  assert.equal(storage.heldValues, 1)
  const first = take(newStorage(), copy, {
    certificates: known,
    mode: "responsible",
    requestSigner: lapsed.certificate,
  })
  assert.equal(first.kind, "refused")
  const revoking = new Storage({ kinds: new KindRegistry(), cryptography, judge: () => "revoked" })
  assert.equal(take(revoking, copy, { certificates: known }).kind, "accepted")
  assert.equal(revoking.heldValues, 0)
})

test("a merge moves the counter on, since its result is a state that nobody has seen", () => {
  const storage = newStorage()
  const [a, b] = registrars as [Identity, Identity]
  take(storage, storeOf([written(a, "a", NOW)], 50))
  take(storage, storeOf([written(b, "b", NOW)], 60), { mode: "merge", now: 0 as Instant })
  assert.equal(generationOf(storage), 61)
  take(storage, storeOf([written(b, "b", NOW)], 99), { mode: "merge", now: 0 as Instant })
  assert.notEqual(generationOf(storage), 99, "nothing was new, and our state is not theirs")
})

const history = fc.array(
  fc.record({ by: fc.constantFrom(...registrars), text: fc.constantFrom("", "x", "y"), time: fc.nat(5) }),
  { maxLength: 12 },
)

test("holders that have seen the same values in any order hold the same", () => {
  fc.assert(
    fc.property(history, fc.infiniteStream(fc.nat()), (writes, orders) => {
      const values = writes.map(({ by, text, time }) => written(by, text, NOW + time))
      const shuffled = values
        .map((value) => ({ value, order: orders.next().value as number }))
        .sort((a, b) => a.order - b.order)
      const [left, right] = [newStorage(), newStorage()]
      for (const value of values) take(left, storeOf([value], 1))
      take(
        right,
        storeOf(
          shuffled.map(({ value }) => value),
          1,
        ),
      )
      assert.equal(left.digestOf(ALICE), right.digestOf(ALICE))
    }),
    { numRuns: 100 },
  )
})

test("two holders that send each other their copies hold the same afterwards, and nothing is lost", () => {
  fc.assert(
    fc.property(history, history, (ours, theirs) => {
      const [left, right] = [newStorage(), newStorage()]
      for (const { by, text, time } of ours) take(left, storeOf([written(by, text, NOW + time)], 1))
      for (const { by, text, time } of theirs) take(right, storeOf([written(by, text, NOW + time)], 1))
      const [fromLeft, fromRight] = [left.copyOf(ALICE, NOW), right.copyOf(ALICE, NOW)]
      take(left, asRequest(fromRight), { mode: "merge" })
      take(right, asRequest(fromLeft))
      assert.equal(left.digestOf(ALICE), right.digestOf(ALICE))
      const slots = new Set([...ours, ...theirs].map(({ by }) => by.nodeId))
      assert.equal(left.heldValues, slots.size)
    }),
    { numRuns: 100 },
  )
})

test("a copy in parts is the copy, in any order, and no part is larger than asked", () => {
  const storage = newStorage()
  const values = registrars.map((by, index) => written(by, "x".repeat(100 * (index + 1)), NOW))
  take(storage, storeOf(values, 1))
  const parts = splitCopy(storage.copyOf(ALICE, NOW), 500)
  assert.ok(parts.length > 1)
  assert.ok(parts.every(({ kinds }) => kinds[0]!.values.length <= 500 || kinds.length === 1))
  const other = newStorage()
  for (const part of parts.toReversed()) take(other, asRequest(part))
  assert.equal(other.digestOf(ALICE), storage.digestOf(ALICE))
  assert.equal(
    parts.reduce(
      (sum, { kinds }) => sum + decode(storedDataList("dictionary"), kinds[0]!.values, "part").length,
      0,
    ),
    4,
  )
  assert.deepEqual(splitCopy({ resource: ALICE, kinds: [] }, 500), [])
})

test("values of any bytes are answered, never thrown at us", () => {
  const [good] = storeOf([written(registrars[0]!, "a", NOW)], 1).kinds as [StoreReq["kinds"][number]]
  const damage = fc.tuple(fc.nat(), fc.nat(255))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.array(damage, { maxLength: 3 }), (random, damages) => {
      const damaged = good.values.slice()
      for (const [place, byte] of damages) damaged[place % damaged.length] = byte
      for (const values of [random, damaged]) {
        const store = { resource: ALICE, replicaNumber: 1, kinds: [{ ...good, values }] }
        for (const mode of ["responsible", "replica"] as const) take(newStorage(), store, { mode })
      }
      const specifiers = [{ kind: 3, generation: 0, selection: random }]
      newStorage().fetch({ resource: ALICE, specifiers }, NOW)
    }),
    { numRuns: 500 },
  )
})
