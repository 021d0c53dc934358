import assert from "node:assert/strict"
import { test } from "node:test"
import { openSslHashes } from "../../../test/support/hashes.ts"
import type { Certificate, Identity } from "../identity/certificate.ts"
import { FakeCryptography, fakeAuthority } from "../identity/fake-cryptography.ts"
import { parseNodeId } from "../identity/node-id.ts"
import { judgeCertificate } from "../identity/trust.ts"
import { toUtf8 } from "../kit/bytes.ts"
import { fromHex, toHex } from "../kit/hex.ts"
import type { Instant } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import { resourceIdOf } from "../reload/message.ts"
import { signValue } from "../reload/signing.ts"
import {
  KindId,
  StoreAns,
  type StoredValue,
  type StoreKindData,
  type StoreReq,
  storedDataList,
  storedMetaData,
} from "../reload/stored-data.ts"
import { decode, encode, list, u8 } from "../wire/codec.ts"
import type { StorageChange } from "./change.ts"
import type { KindDefinition } from "./kind.ts"
import { CERTIFICATE_BY_NODE, KindRegistry, SIP_BINDINGS, SUBSCRIBER } from "./kinds.ts"
import { Storage } from "./storage.ts"
import type { StoreContext } from "./store-plan.ts"

const cryptography = new FakeCryptography(openSslHashes)
const authority = fakeAuthority(cryptography, { overlay: "example.org", seed: 1 })
const trust = { overlay: "example.org", roots: [authority.root], badNodes: [] }
const judge = (certificate: Certificate, now: Instant) =>
  judgeCertificate(cryptography, certificate, { ...trust, now })

const roles = ["registrar", "provisioner"]
const one = authority.issue({ nodeId: parseNodeId("11".repeat(16)), roles })
const two = authority.issue({ nodeId: parseNodeId("22".repeat(16)), roles })
const NOW = 1_700_000_000_000 as Instant
const later = (milliseconds: number) => (NOW + milliseconds) as Instant
const HOUR = 3_600

const newStorage = () => new Storage({ kinds: new KindRegistry(), cryptography, judge })
const ALICE = resourceIdOf(cryptography, "alice@example.org")

const certificates = (...identities: readonly Identity[]) =>
  new Map(identities.map(({ certificate }) => [certificate.fingerprint, certificate]))

const context = (more: Partial<StoreContext> = {}): StoreContext => ({
  requestSigner: one.certificate,
  certificates: certificates(one, two),
  mode: "responsible",
  now: NOW,
  ...more,
})

interface Written {
  readonly value: StoredValue
  readonly by?: Identity
  readonly time?: number
  readonly lifetime?: number
}

function kindData(
  { id, model }: KindDefinition,
  resource: ResourceId,
  values: readonly Written[],
  generation = 0,
): StoreKindData {
  const signed = values.map(({ value, by = one, time = NOW, lifetime = HOUR }) =>
    signValue(by, { resource, kind: id, storageTime: time, lifetime, value }),
  )
  return { kind: id, generation, values: encode(storedDataList(model), signed) }
}

const request = (resource: ResourceId, ...kinds: readonly StoreKindData[]): StoreReq => ({
  resource,
  replicaNumber: 0,
  kinds,
})

const entry = (by: Identity, value: string, exists = true): StoredValue => ({
  model: "dictionary",
  key: fromHex(by.nodeId),
  exists,
  value: toUtf8(value),
})
const single = (value: string): StoredValue => ({ model: "single", exists: true, value: toUtf8(value) })
const bindings = (value: string, by: Identity = one, time: number = NOW) =>
  request(ALICE, kindData(SIP_BINDINGS, ALICE, [{ value: entry(by, value), by, time }]))

const wanted = (kind: KindId, generation = 0, selection: Uint8Array = new Uint8Array()) => ({
  resource: ALICE,
  specifiers: [{ kind, generation, selection }],
})

function fetched(
  storage: Storage,
  { id, model }: KindDefinition,
  now: Instant = NOW,
  selection?: Uint8Array,
) {
  const outcome = storage.fetch(wanted(id, 0, selection), now)
  assert.equal(outcome.kind, "found")
  return decode(storedDataList(model), outcome.answer.kinds[0]!.values, "values")
}

const texts = (storage: Storage, definition: KindDefinition, now: Instant = NOW) =>
  fetched(storage, definition, now).map(({ value }) =>
    value.exists ? new TextDecoder().decode(value.value) : "removed",
  )

function accepted(storage: Storage, store: StoreReq, more: Partial<StoreContext> = {}) {
  const outcome = storage.store(store, context(more))
  assert.equal(outcome.kind, "accepted", "cause" in outcome ? outcome.cause : "")
  return outcome
}

function refused(storage: Storage, store: StoreReq, more: Partial<StoreContext> = {}) {
  const outcome = storage.store(store, context(more))
  assert.equal(outcome.kind, "refused")
  return outcome
}

test("what is stored is fetched, with its certificate, and said to be put on disk", () => {
  const storage = newStorage()
  const { response, changes } = accepted(storage, bindings("here"))
  assert.deepEqual(texts(storage, SIP_BINDINGS), ["here"])
  assert.deepEqual(
    changes.map(({ kind }) => kind),
    ["certificate", "put"],
  )
  assert.equal(response[0]!.kind, SIP_BINDINGS.id)
  assert.ok(response[0]!.generation >= 1)
  assert.deepEqual(storage.certificatesFor(ALICE), [one.certificate.der])
  assert.deepEqual([storage.heldValues, storage.heldResources, storage.valuesAt(ALICE)], [1, 1, 1])
})

test("a request is stored whole or not at all", () => {
  const storage = newStorage()
  const good = kindData(SUBSCRIBER, ALICE, [{ value: single("alice") }])
  const bad = kindData(SIP_BINDINGS, ALICE, [{ value: entry(two, "not mine"), by: one }])
  assert.equal(refused(storage, request(ALICE, good, bad)).error, "Error_Forbidden")
  assert.equal(storage.heldValues, 0)
  assert.equal(storage.digestOf(ALICE), "")
})

test("unknown Kinds are refused by name, all of them; one Kind twice is invalid", () => {
  const storage = newStorage()
  const unknown = (kind: KindId) => ({ kind, generation: 0, values: new Uint8Array() })
  const known = kindData(SUBSCRIBER, ALICE, [])
  const { error, info } = refused(storage, request(ALICE, unknown(77), known, unknown(88)))
  assert.equal(error, "Error_Unknown_Kind")
  assert.deepEqual(decode(list(u8, KindId), info, "info"), [77, 88])
  assert.equal(storage.fetch(wanted(77), NOW).kind, "refused")
  assert.equal(refused(storage, request(ALICE, known, known)).error, "Error_Invalid_Message")
})

test("forged, unsigned and untrusted values are forbidden, and so is a request in another's name", () => {
  const storage = newStorage()
  const forged = bindings("here").kinds[0]!
  const changed = {
    ...forged,
    values: forged.values.with(forged.values.length - 1, forged.values.at(-1)! ^ 1),
  }
  assert.match(refused(storage, request(ALICE, changed)).cause, /signature is not that of node-11111111/)
  const unsigned = { storageTime: NOW, lifetime: 1, value: entry(one, "x") }
  const none = {
    algorithm: { hash: 0, signature: 0 },
    identity: { kind: "none" },
    value: new Uint8Array(),
  } as const
  const values = encode(storedDataList("dictionary"), [{ ...unsigned, signature: none }])
  assert.equal(
    refused(storage, request(ALICE, { ...forged, values })).cause,
    "a value comes without signature",
  )
  const foreign = fakeAuthority(cryptography, { overlay: "example.org", seed: 2 }).issue({
    nodeId: one.nodeId,
    roles,
  })
  const untrusted = refused(storage, bindings("x", foreign), { certificates: certificates(foreign) })
  assert.match(untrusted.cause, /not signed by the CA/)
  const borrowed = refused(storage, bindings("x", one), { requestSigner: two.certificate })
  assert.match(borrowed.cause, /CARILLON-ROLE-NODE does not let node-22222222/)
  const unknown = refused(storage, bindings("x"), { certificates: new Map() })
  assert.equal(unknown.cause, "its signer's certificate is not at hand")
})

test("a generation counter that is not the current one is told the current ones", () => {
  const storage = newStorage()
  const [first] = accepted(storage, bindings("first")).response
  const next = kindData(
    SIP_BINDINGS,
    ALICE,
    [{ value: entry(one, "next"), time: NOW + 1 }],
    first!.generation,
  )
  const [second] = accepted(storage, request(ALICE, next), { now: later(1) }).response
  assert.ok(second!.generation > first!.generation)
  const again = kindData(
    SIP_BINDINGS,
    ALICE,
    [{ value: entry(one, "late"), time: NOW + 2 }],
    first!.generation,
  )
  const { error, info } = refused(storage, request(ALICE, again), { now: later(2) })
  assert.equal(error, "Error_Generation_Counter_Too_Low")
  assert.deepEqual(decode(StoreAns, info, "info").kinds, [
    { kind: SIP_BINDINGS.id, generation: second!.generation, replicas: [] },
  ])
})

test("a value that is not newer is too old; the very same one is accepted and changes nothing", () => {
  const storage = newStorage()
  const first = bindings("first")
  const { response } = accepted(storage, first)
  assert.equal(refused(storage, bindings("other")).error, "Error_Data_Too_Old")
  const again = accepted(storage, first, { now: later(1) })
  assert.deepEqual(again.changes, [])
  assert.deepEqual(again.response, response)
  assert.equal(again.copy.kinds.length, 1, "the replicas are still to get it")
})

test("limits of size and number are kept", () => {
  const storage = newStorage()
  const long = kindData(SUBSCRIBER, ALICE, [{ value: single("x".repeat(SUBSCRIBER.maxSize + 1)) }])
  assert.equal(refused(storage, request(ALICE, long)).error, "Error_Data_Too_Large")
  const far: StoredValue = {
    model: "array",
    index: CERTIFICATE_BY_NODE.maxCount,
    exists: true,
    value: toUtf8("x"),
  }
  const node = resourceIdOf(cryptography, fromHex(one.nodeId))
  const array = request(node, kindData(CERTIFICATE_BY_NODE, node, [{ value: far }]))
  assert.equal(refused(storage, array).error, "Error_Data_Too_Large")
})

test("removals and replacements do not count against the number of values", () => {
  const kinds = new KindRegistry([{ ...SIP_BINDINGS, maxCount: 1 }])
  const storage = new Storage({ kinds, cryptography, judge })
  accepted(storage, bindings("a", one))
  accepted(storage, bindings("b", one, NOW + 1))
  const second = { requestSigner: two.certificate }
  assert.equal(refused(storage, bindings("c", two), second).error, "Error_Data_Too_Large")
  accepted(
    storage,
    request(ALICE, kindData(SIP_BINDINGS, ALICE, [{ value: entry(one, "", false), time: NOW + 2 }])),
  )
  accepted(storage, bindings("c", two), second)
  assert.deepEqual(texts(storage, SIP_BINDINGS).toSorted(), ["c", "removed"])
})

test("a removal stays, is told like a value, and keeps older values out until it expires", () => {
  const storage = newStorage()
  accepted(storage, bindings("here"))
  const gone = kindData(SIP_BINDINGS, ALICE, [{ value: entry(one, "", false), time: NOW + 5, lifetime: 60 }])
  accepted(storage, request(ALICE, gone), { now: later(5) })
  assert.deepEqual(texts(storage, SIP_BINDINGS, later(6)), ["removed"])
  assert.notEqual(fetched(storage, SIP_BINDINGS, later(6))[0]!.signature.value.length, 0)
  assert.equal(
    refused(storage, bindings("back", one, NOW + 4), { now: later(6) }).error,
    "Error_Data_Too_Old",
  )
  assert.equal(storage.deadline, later(60_005))
  assert.deepEqual(
    storage.expire(later(60_005)).map(({ kind }) => kind),
    ["delete", "forget-certificate"],
  )
  assert.equal(storage.heldResources, 0)
})

test("what does not exist is told by an unsigned value; a wildcard finds only what is there", () => {
  const storage = newStorage()
  const [nothing] = fetched(storage, SUBSCRIBER)
  assert.deepEqual([nothing!.value.exists, nothing!.signature.identity.kind], [false, "none"])
  accepted(storage, bindings("here"))
  const keys = fromHex(`0024${["0010", one.nodeId, "0010", two.nodeId].join("")}`)
  assert.deepEqual(
    fetched(storage, SIP_BINDINGS, NOW, keys).map(({ value }) => value.exists),
    [true, false],
  )
  assert.equal(fetched(storage, SIP_BINDINGS).length, 1)
})

test("whoever has seen this state gets no values again", () => {
  const storage = newStorage()
  const { generation } = accepted(storage, bindings("here")).response[0]!
  const outcome = storage.fetch(wanted(SIP_BINDINGS.id, generation), NOW)
  assert.deepEqual(outcome.kind === "found" && outcome.answer.kinds[0]!.values.length, 0)
})

test("an array grows at its end, and its gaps are told", () => {
  const storage = newStorage()
  const node = resourceIdOf(cryptography, fromHex(one.nodeId))
  const put = (index: number, value: string, time: number) =>
    accepted(
      storage,
      request(
        node,
        kindData(CERTIFICATE_BY_NODE, node, [
          { value: { model: "array", index, exists: true, value: toUtf8(value) }, time },
        ]),
      ),
    )
  put(1, "b", NOW)
  const { copy } = put(0xffff_ffff, "c", NOW)
  const [appended] = decode(storedDataList("array"), copy.kinds[0]!.values, "copy")
  assert.deepEqual(appended!.value, { model: "array", index: 2, exists: true, value: toUtf8("c") })
  const answer = storage.fetch({ ...wanted(CERTIFICATE_BY_NODE.id), resource: node }, NOW)
  assert.ok(answer.kind === "found")
  const values = decode(storedDataList("array"), answer.answer.kinds[0]!.values, "values")
  assert.deepEqual(
    values.map(({ value }) => value.model === "array" && [value.index, value.exists]),
    [
      [0, false],
      [1, true],
      [2, true],
    ],
  )
})

test("Stat tells length and hash, the hash with the length in front", () => {
  const storage = newStorage()
  accepted(storage, request(ALICE, kindData(SUBSCRIBER, ALICE, [{ value: single("abc") }])))
  const outcome = storage.stat(wanted(SUBSCRIBER.id), later(1_000))
  assert.ok(outcome.kind === "found")
  const meta = decode(storedMetaData("single"), outcome.answer.kinds[0]!.values, "meta")
  const hash = toHex(openSslHashes.sha256(fromHex("00000003616263")))
  assert.deepEqual(
    { ...meta, entry: { ...meta.entry, hash: toHex(meta.entry.hash) } },
    {
      storageTime: NOW,
      lifetime: HOUR - 1,
      entry: { model: "single", exists: true, valueLength: 3, hashAlgorithm: 4, hash },
    },
  )
})

test("lifetimes count down while a value is held", () => {
  const storage = newStorage()
  accepted(storage, bindings("here"))
  assert.equal(fetched(storage, SIP_BINDINGS, later(10_000))[0]!.lifetime, HOUR - 10)
  const copy = storage.copyOf(ALICE, later(20_000))
  assert.equal(decode(storedDataList("dictionary"), copy.kinds[0]!.values, "copy")[0]!.lifetime, HOUR - 20)
  assert.deepEqual(storage.copyOf(ALICE, later(HOUR * 1_000)).kinds, [], "what has expired is not handed on")
})

test("what is on disk comes back as it was, whatever happened in between", () => {
  const disk: StorageChange[] = []
  const storage = newStorage()
  disk.push(...accepted(storage, bindings("a", one)).changes)
  disk.push(...accepted(storage, bindings("b", two), { requestSigner: two.certificate }).changes)
  disk.push(...accepted(storage, bindings("c", one, NOW + 1), { now: later(1) }).changes)
  const BOB = resourceIdOf(cryptography, "bob@example.org")
  disk.push(...accepted(storage, request(BOB, kindData(SUBSCRIBER, BOB, [{ value: single("bob") }]))).changes)
  disk.push(...storage.drop(BOB))
  const restored = newStorage()
  restored.restore(disk)
  assert.equal(restored.digestOf(ALICE), storage.digestOf(ALICE))
  assert.deepEqual(restored.copyOf(ALICE, later(5)), storage.copyOf(ALICE, later(5)))
  assert.deepEqual(restored.certificatesFor(ALICE), storage.certificatesFor(ALICE))
  assert.deepEqual([restored.heldValues, [...restored.resources()]], [2, [ALICE]])
})

test("damaged or orphaned values on disk are passed over", () => {
  const storage = newStorage()
  const { changes } = accepted(storage, bindings("a"))
  const restored = newStorage()
  restored.restore(changes.filter(({ kind }) => kind === "put"))
  restored.restore(
    changes.map((each) => (each.kind === "put" ? { ...each, value: each.value.subarray(1) } : each)),
  )
  assert.equal(restored.heldValues, 0)
})

test("a certificate is kept while a value needs it, and forgotten with the last", () => {
  const storage = newStorage()
  accepted(storage, bindings("a", one))
  accepted(storage, bindings("b", two), { requestSigner: two.certificate })
  assert.equal(storage.certificatesFor(ALICE).length, 2)
  const forgotten = storage.drop(ALICE).filter(({ kind }) => kind === "forget-certificate")
  assert.equal(forgotten.length, 2)
  assert.deepEqual([storage.heldValues, storage.heldResources], [0, 0])
})
