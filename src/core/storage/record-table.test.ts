import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { toUtf8 } from "../kit/bytes.ts"
import { toHex } from "../kit/hex.ts"
import type { Instant } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import { NO_SIGNATURE } from "../reload/security.ts"
import type { StoredValue } from "../reload/stored-data.ts"
import { type HeldValue, holdValue } from "./held-value.ts"
import type { KindDefinition } from "./kind.ts"
import { CERTIFICATE_BY_NODE, SIP_BINDINGS, SUBSCRIBER } from "./kinds.ts"
import { type HeldPlace, RecordTable } from "./record-table.ts"

const NOW = 1_700_000_000_000
/** One is longer than those of CHORD-RELOAD. RFC 6940 §6.3.1.1. */
const RESOURCES = [
  "00".repeat(16),
  "a1".repeat(16),
  "a1".repeat(20),
  "fe",
] as unknown as readonly ResourceId[]
const KINDS = [SUBSCRIBER, SIP_BINDINGS, CERTIFICATE_BY_NODE]

interface Put {
  readonly kind: "put"
  readonly resource: ResourceId
  readonly definition: KindDefinition
  readonly place: number
  readonly bytes: Uint8Array
  readonly exists: boolean
  readonly lifetime: number
  readonly signer: string
}

const resource = fc.constantFrom(...RESOURCES.slice(0, 2), ...RESOURCES)
const definition = fc.constantFrom(...KINDS)
const place = fc.oneof(fc.nat(3), fc.nat(25))
const step: fc.Arbitrary<
  Put | { readonly kind: "remove"; readonly which: number } | { readonly kind: "expire"; readonly by: number }
> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("put" as const),
      resource,
      definition,
      place,
      bytes: fc.uint8Array({ maxLength: 40 }),
      exists: fc.boolean(),
      lifetime: fc.integer({ min: 1, max: 500 }),
      signer: fc.constantFrom("one", "two"),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("remove" as const), which: fc.nat() }) },
  { arbitrary: fc.record({ kind: fc.constant("expire" as const), by: fc.nat(60) }), weight: 1 },
)

function storedValueOf({ definition: { model }, place, exists, bytes }: Put): StoredValue {
  const said = { exists, value: exists ? bytes : new Uint8Array() }
  if (model === "single") return { model, ...said }
  if (model === "array") return { model, index: place, ...said }
  return { model, key: toUtf8(`key ${place}`), ...said }
}

/** What the table ought to hold: by Resource-ID and Kind, then by slot, in the order in which these came to be. */
class Model {
  readonly records = new Map<string, Map<string, HeldValue>>()

  recordOf(resource: ResourceId, { id }: KindDefinition): Map<string, HeldValue> {
    const key = `${id} ${resource}`
    const record = this.records.get(key) ?? new Map<string, HeldValue>()
    this.records.set(key, record)
    return record
  }

  places(): HeldPlace[] {
    return [...this.records].flatMap(([key, record]) => {
      const [id, resource] = key.split(" ")
      return [...record.keys()].map((slot) => ({
        resource: resource as ResourceId,
        kindId: Number(id),
        slot,
      }))
    })
  }

  /** Who signed what was there. */
  remove({ resource, kindId, slot }: HeldPlace): string | undefined {
    const record = this.records.get(`${kindId} ${resource}`)
    const signer = record?.get(slot)?.signer
    record?.delete(slot)
    return signer
  }
}

const placeText = ({ resource, kindId, slot }: HeldPlace) => `${resource} ${kindId} ${slot}`

function compare(table: RecordTable, model: Model): void {
  const held = new Set(model.places().map((each) => each.resource))
  assert.deepEqual(new Set(table.resources()), held)
  assert.equal(table.size, held.size)
  assert.equal(table.values, model.places().length)
  for (const resource of RESOURCES) {
    for (const definition of KINDS) {
      const record = model.recordOf(resource, definition)
      const found = table.record(resource, definition.id)
      assert.equal(found?.size ?? 0, record.size)
      assert.deepEqual(found?.values() ?? [], [...record.values()])
      for (const slot of ["", "3", "11", toHex(toUtf8("key 3")), toHex(toUtf8("key 11"))])
        assert.deepEqual(found?.get(slot), record.get(slot))
    }
    assert.deepEqual(
      new Set(table.placesAt(resource).map(placeText)),
      new Set(
        model
          .places()
          .filter((each) => each.resource === resource)
          .map(placeText),
      ),
    )
  }
}

test("whatever is put, replaced, removed and expires, it holds what Maps of objects would", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 80, size: "max" }), (steps) => {
      const [table, model] = [new RecordTable(), new Model()]
      let now = NOW
      for (const [number, each] of steps.entries()) {
        if (each.kind === "put") {
          const { resource, definition, lifetime, signer } = each
          const data = { storageTime: now - 1, lifetime, value: storedValueOf(each), signature: NO_SIGNATURE }
          const held = holdValue(data, signer, now as Instant)
          const record = model.recordOf(resource, definition)
          const before = table.stamp(resource, definition.id, now as Instant)
          assert.equal(table.place(resource, definition, held), record.get(held.slot)?.signer)
          assert.notEqual(table.stamp(resource, definition.id, now as Instant), before)
          record.set(held.slot, held)
        } else if (each.kind === "remove") {
          const places = model.places()
          const place = places[each.which % places.length]
          if (place === undefined) continue
          assert.equal(table.remove(place), model.remove(place))
          assert.equal(table.remove(place), undefined)
        } else {
          now += 1_000 * each.by
          const gone = new Set<string>()
          for (
            let places = table.takeExpired(now as Instant);
            places;
            places = table.takeExpired(now as Instant)
          )
            for (const place of places) {
              gone.add(placeText(place))
              table.remove(place)
            }
          const expired = model.places().filter(({ resource, kindId, slot }) => {
            return model.records.get(`${kindId} ${resource}`)!.get(slot)!.expiresAt <= now
          })
          assert.deepEqual(gone, new Set(expired.map(placeText)))
          for (const place of expired) model.remove(place)
          assert.ok(table.deadline > now)
        }
        if (number % 8 === 0) compare(table, model)
      }
      compare(table, model)
    }),
    { numRuns: 30 },
  )
})

test("a record in which something has expired says so by having no stamp, until that is taken out", () => {
  const table = new RecordTable()
  const [resource] = RESOURCES as [ResourceId]
  const value = { model: "single", exists: true, value: toUtf8("a") } as const
  const data = { storageTime: NOW, lifetime: 60, value, signature: NO_SIGNATURE }
  assert.equal(table.stamp(resource, SUBSCRIBER.id, NOW as Instant), 0)
  table.place(resource, SUBSCRIBER, holdValue(data, "one", NOW as Instant))
  assert.equal(table.stamp(resource, SUBSCRIBER.id, (NOW + 59_999) as Instant), 1)
  assert.equal(table.stamp(resource, SUBSCRIBER.id, (NOW + 60_000) as Instant), undefined)
})

test("the generation counter is the record's, and stays when values come and go", () => {
  const table = new RecordTable()
  const [resource] = RESOURCES as [ResourceId]
  const put = (key: string) => {
    const value = { model: "dictionary", key: toUtf8(key), exists: true, value: toUtf8("a") } as const
    const data = { storageTime: NOW, lifetime: 60, value, signature: NO_SIGNATURE }
    table.place(resource, SIP_BINDINGS, holdValue(data, "one", NOW as Instant))
  }
  put("a")
  table.setGeneration(resource, SIP_BINDINGS.id, 2 ** 40 + 1)
  put("b")
  assert.equal(table.record(resource, SIP_BINDINGS.id)?.generation, 2 ** 40 + 1)
})
