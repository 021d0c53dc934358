import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { Rows } from "../kit/rows.ts"
import type { Instant } from "../kit/time.ts"
import type { Signature } from "../reload/security.ts"
import type { StoredData, StoredValue } from "../reload/stored-data.ts"
import { type HeldValue, holdValue } from "./held-value.ts"
import type { KindDefinition } from "./kind.ts"
import { CERTIFICATE_BY_NODE, SIP_BINDINGS, SUBSCRIBER, SUBSCRIBER_INDEX } from "./kinds.ts"
import { ValueForms } from "./value-forms.ts"

const bytes = (maxLength: number) => fc.uint8Array({ maxLength, size: "max" })
const hash = fc.oneof(fc.constantFrom(new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)), bytes(40))
const identity: fc.Arbitrary<Signature["identity"]> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("cert-hash" as const), hashAlgorithm: fc.constant(4), hash }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("cert-hash-node-id" as const),
      hashAlgorithm: fc.nat(255),
      hash,
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "none" as const }) },
)
const signature: fc.Arbitrary<Signature> = fc.record({
  algorithm: fc.constantFrom({ hash: 4, signature: 3 }, { hash: 4, signature: 1 }),
  identity,
  value: bytes(80),
})
const key = fc.oneof(fc.constantFrom(new Uint8Array(16).fill(7), new Uint8Array(16).fill(8)), bytes(30))

interface Given {
  readonly definition: KindDefinition
  readonly held: HeldValue
}

const given: fc.Arbitrary<Given> = fc
  .record({
    definition: fc.constantFrom(SUBSCRIBER, SIP_BINDINGS, SUBSCRIBER_INDEX, CERTIFICATE_BY_NODE),
    key,
    index: fc.oneof(fc.nat(3), fc.nat(2 ** 32 - 1)),
    exists: fc.boolean(),
    value: fc.oneof(bytes(60), bytes(700)),
    storageTime: fc.oneof(fc.integer({ min: 2 ** 40, max: 2 ** 41 }), fc.maxSafeNat()),
    lifetime: fc.nat(2 ** 32 - 1),
    signature,
    signer: fc.constantFrom("one", "two"),
    storedAt: fc.integer({ min: 0, max: 2 ** 47 }),
  })
  .map(({ definition, key, index, exists, value, storedAt, signer, ...rest }) => {
    const said = { exists, value }
    const stored: StoredValue =
      definition.model === "single"
        ? { model: "single", ...said }
        : definition.model === "array"
          ? { model: "array", index, ...said }
          : { model: "dictionary", key, ...said }
    const data: StoredData = { ...rest, value: stored }
    return { definition, held: holdValue(data, signer, storedAt as Instant) }
  })

test("a value is read as it was, to the byte, whoever wrote others before", () => {
  fc.assert(
    fc.property(
      fc.array(given, { minLength: 1, maxLength: 20 }),
      fc.array(given, { maxLength: 10 }),
      (all, others) => {
        const rows = new Rows()
        const forms = new ValueForms()
        const model = new Map<number, Given>()
        for (const [index, each] of all.entries())
          model.set(rows.add(forms.write(each.held, each.definition, index)), each)
        const ahead = new Map([...model.keys()].map((row, index) => [row, index]))
        for (const [index, each] of others.entries()) {
          const row = [...model.keys()][index % model.size]!
          rows.replace(row, forms.write(each.held, each.definition, ahead.get(row)!))
          model.set(row, each)
        }
        for (const [row, { held, definition }] of model) {
          rows.seek(row)
          const start = rows.at + ahead.get(row)!
          assert.deepEqual(forms.read(rows, start, definition), held)
          assert.equal(forms.slot(rows, start, definition), held.slot)
          assert.equal(forms.signer(rows, start), held.signer)
          assert.equal(forms.expiresAt(rows, start), held.expiresAt)
        }
      },
    ),
  )
})
