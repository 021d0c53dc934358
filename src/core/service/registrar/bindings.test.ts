import assert from "node:assert/strict"
import { describe, test } from "node:test"
import fc from "fast-check"
import type { Instant } from "../../kit/time.ts"
import type { Binding, EdgeBindings } from "../stores.ts"
import { highestVersion, identityOf, mergeBindings, sameIdentity } from "./bindings.ts"
import { planRegistration, planRemoval } from "./registration.ts"

const NOW = 1_000_000 as Instant
const SELF = "b"

const binding = (contact: string, version: number, rest: Partial<Binding> = {}): Binding => ({
  contact,
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
  expires: NOW + 1_000,
  version,
  ...rest,
})

const entry = (
  edge: string,
  bindings: readonly Binding[],
  rest: Partial<EdgeBindings> = {},
): EdgeBindings => ({
  edge,
  bindings,
  tombstones: [],
  clearedBefore: 0,
  ...rest,
})

const contacts = (entries: readonly EdgeBindings[]) =>
  mergeBindings(entries, NOW).map(({ contact }) => contact)

describe("Merging", () => {
  test("of each binding the highest version counts, then the higher edge", () => {
    const entries = [
      entry("a", [binding("sip:x@h", 3)]),
      entry("c", [binding("sip:x@H", 3), binding("sip:y@h", 1)]),
    ]
    assert.deepEqual(
      mergeBindings(entries, NOW).map(({ contact, edge }) => `${contact} ${edge}`),
      ["sip:x@H c", "sip:y@h c"],
    )
  })

  test("a removal beats what is not newer, until it expires", () => {
    const dead = (expires: number) => ({ tombstones: [{ identity: "contact:sip:x@h", version: 3, expires }] })
    assert.deepEqual(contacts([entry("a", [binding("sip:x@h", 3)]), entry("b", [], dead(NOW + 1))]), [])
    assert.deepEqual(contacts([entry("a", [binding("sip:x@h", 4)]), entry("b", [], dead(NOW + 1))]), [
      "sip:x@h",
    ])
    assert.deepEqual(contacts([entry("a", [binding("sip:x@h", 3)]), entry("b", [], dead(NOW))]), ["sip:x@h"])
  })

  test("clearing takes all that is older, in every entry", () => {
    const entries = [
      entry("a", [binding("sip:x@h", 3), binding("sip:y@h", 5)]),
      entry("b", [], { clearedBefore: 5 }),
    ]
    assert.deepEqual(contacts(entries), ["sip:y@h"])
  })

  test("a flow of an instance is itself whatever its contact is", () => {
    const flow = { instance: "urn:uuid:1", regId: 1 }
    const entries = [entry("a", [binding("sip:x@h1", 3, flow)]), entry("c", [binding("sip:x@h2", 4, flow)])]
    assert.deepEqual(contacts(entries), ["sip:x@h2"])
  })

  // Equal as URIs, though not transitively: the bare one equals both of the others.
  const CONTACTS = ["sip:x@h", "sip:x@h;a=1", "sip:x@h;a=2", "sip:y@h"]

  const anyEntry = (edge: string) =>
    fc
      .record({
        bindings: fc.array(
          fc.record({
            contact: fc.constantFrom(...CONTACTS),
            version: fc.nat(9),
            life: fc.integer({ min: -1, max: 9 }),
          }),
          { maxLength: 4 },
        ),
        tombstones: fc.array(fc.record({ contact: fc.constantFrom(...CONTACTS), version: fc.nat(9) }), {
          maxLength: 3,
        }),
        clearedBefore: fc.nat(4),
      })
      .map((parts) =>
        entry(
          edge,
          parts.bindings.map(({ contact, version, life }) =>
            binding(contact, version, { expires: NOW + life }),
          ),
          {
            tombstones: parts.tombstones.map(({ contact, version }) => ({
              identity: `contact:${contact}`,
              version,
              expires: NOW + 10,
            })),
            clearedBefore: parts.clearedBefore,
          },
        ),
      )
  const anyRecord = fc.tuple(anyEntry("a"), anyEntry("b"), anyEntry("c"))

  const shown = (entries: readonly EdgeBindings[]) =>
    mergeBindings(entries, NOW)
      .map(({ contact, version, edge }) => `${contact} ${version} ${edge}`)
      .toSorted()

  test("does not depend on the order of the entries", () => {
    fc.assert(
      fc.property(anyRecord, ([a, b, c]) => {
        assert.deepEqual(shown([c, a, b]), shown([a, b, c]))
        assert.deepEqual(shown([b, c, a]), shown([a, b, c]))
      }),
    )
  })

  test("a registration stands above all that was said before, and its removal leaves nothing of it", () => {
    const request = (contact: string, granted: number) => ({
      aor: "x@h",
      callId: "other",
      cseq: 1,
      path: [],
      outbound: false,
      contacts: [{ binding: binding(contact, 0, { callId: "other" }), granted, keptOpen: false }] as never,
    })
    fc.assert(
      fc.property(anyRecord, fc.constantFrom(...CONTACTS), (entries, contact) => {
        const after = (from: readonly EdgeBindings[], granted: number): readonly EdgeBindings[] => {
          const plan = planRegistration(
            from,
            SELF,
            { ...request(contact, granted), cseq: from.length + granted },
            NOW,
          )
          assert.equal(plan.kind, "store")
          return [
            ...from.filter(({ edge }) => edge !== SELF),
            { edge: SELF, ...(plan.kind === "store" ? plan.entry : entry("", [])) },
          ]
        }
        const identity = `contact:${contact}`
        const same = (from: readonly EdgeBindings[]) =>
          mergeBindings(from, NOW).filter((found) => sameIdentity(identityOf(found), identity))
        const bound = after(entries, 60)
        assert.deepEqual(
          same(bound).map(({ edge }) => edge),
          [SELF],
        )
        assert.ok(highestVersion(bound) > highestVersion(entries))
        const removed = planRemoval(
          bound,
          SELF,
          { identity, edge: SELF, version: same(bound)[0]!.version },
          NOW,
        )
        assert.deepEqual(
          same([...bound.filter(({ edge }) => edge !== SELF), { edge: SELF, ...removed! }]),
          [],
        )
      }),
    )
  })
})
