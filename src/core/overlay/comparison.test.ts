import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { openSslHashes } from "../../../test/support/hashes.ts"
import { FakeCryptography, fakeAuthority } from "../identity/fake-cryptography.ts"
import { parseNodeId } from "../identity/node-id.ts"
import { toUtf8 } from "../kit/bytes.ts"
import { fromHex } from "../kit/hex.ts"
import { after, type Instant, seconds } from "../kit/time.ts"
import { resourceIdOf } from "../reload/message.ts"
import { signValue } from "../reload/signing.ts"
import { storedDataList } from "../reload/stored-data.ts"
import { KindRegistry, SIP_BINDINGS } from "../storage/kinds.ts"
import { Storage } from "../storage/storage.ts"
import { encode } from "../wire/codec.ts"
import { compare, type Verdict } from "./comparison.ts"
import type { Fabric } from "./fabric.ts"
import type { Question, Requests } from "./requests.ts"

const cryptography = new FakeCryptography(openSslHashes)
const authority = fakeAuthority(cryptography, { overlay: "example.org", seed: 1 })
const NOW = 1_700_000_000_000 as Instant
const LATER = after(NOW, seconds(90))
const registrars = ["11", "22", "33"].map((digits) =>
  authority.issue({ nodeId: parseNodeId(digits.repeat(16)), roles: ["registrar"] }),
)
const certificates = new Map(registrars.map(({ certificate }) => [certificate.fingerprint, certificate]))
const ALICE = resourceIdOf(cryptography, "alice@example.org")
const OTHER = registrars[1]!.nodeId

interface Write {
  readonly by: number
  readonly text: string
  readonly time: number
}

const history = fc.array(
  fc.record({ by: fc.nat(2), text: fc.constantFrom("", "a", "b"), time: fc.integer({ min: 1, max: 3 }) }),
  { minLength: 1, maxLength: 5 },
)

function storageWith(writes: readonly Write[]): Storage {
  const storage = new Storage({ kinds: new KindRegistry(), cryptography, judge: () => undefined })
  for (const write of writes) take(storage, write)
  return storage
}

function take(storage: Storage, { by, text, time }: Write): void {
  const identity = registrars[by]!
  const key = fromHex(identity.nodeId)
  const value = { model: "dictionary", key, exists: text !== "", value: toUtf8(text) } as const
  const about = { resource: ALICE, kind: SIP_BINDINGS.id, storageTime: NOW + time, lifetime: 3_600 }
  const values = encode(storedDataList("dictionary"), [signValue(identity, { ...about, value })])
  const kinds = [{ kind: SIP_BINDINGS.id, generation: 1, values }]
  const context = { requestSigner: identity.certificate, certificates, mode: "replica", now: NOW } as const
  storage.store({ resource: ALICE, replicaNumber: 1, kinds }, context)
}

/** What `ours` finds out about `theirs`, whose answer takes a while. */
function verdictOf(ours: Storage, theirs: Storage, meanwhile: () => void = () => undefined): Verdict {
  const fabric = { storage: ours, kinds: new KindRegistry(), cryptography, now: NOW }
  let verdict: Verdict | undefined
  const ask = ({ body, to, done }: Question) => {
    assert.deepEqual(to, { kind: "node", node: OTHER })
    assert.equal(body.kind, "stat-req")
    meanwhile()
    fabric.now = LATER
    const outcome = body.kind === "stat-req" ? theirs.stat(body, LATER) : undefined
    if (outcome?.kind !== "found") return done({ kind: "lost", cause: "refused" })
    done({ kind: "answered", received: { body: { kind: "stat-ans", ...outcome.answer } } } as never)
  }
  const requests = { ask } as unknown as Requests
  compare(fabric as unknown as Fabric, requests, ALICE, OTHER, (found) => {
    verdict = found
  })
  return verdict!
}

test("two holders are found the same if and only if they hold the same, whenever each was asked", () => {
  fc.assert(
    fc.property(history, history, (ours, theirs) => {
      const [left, right] = [storageWith(ours), storageWith(theirs)]
      const isSame = left.digestOf(ALICE) === right.digestOf(ALICE)
      assert.equal(verdictOf(left, right), isSame ? "same" : "different")
    }),
    { numRuns: 200 },
  )
})

test("a holder that has nothing of the record differs", () => {
  assert.equal(verdictOf(storageWith([{ by: 0, text: "a", time: 1 }]), storageWith([])), "different")
})

test("a record that changes while the other is asked has not been compared", () => {
  const write = { by: 0, text: "a", time: 1 }
  const [left, right] = [storageWith([write]), storageWith([write])]
  assert.equal(
    verdictOf(left, right, () => take(left, { by: 0, text: "b", time: 2 })),
    "unknown",
  )
})
