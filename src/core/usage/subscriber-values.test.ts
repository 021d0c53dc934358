import assert from "node:assert/strict"
import { test } from "node:test"
import { dump } from "../../../test/support/dump.ts"
import { cryptography } from "../../../test/support/fabric-records.ts"
import { openSslHashes } from "../../../test/support/hashes.ts"
import { FakeCryptography } from "../identity/fake-cryptography.ts"
import { concat, toUtf8 } from "../kit/bytes.ts"
import { sealSubscriber, unsealSubscriber } from "./subscriber-values.ts"

const KEY = { epoch: 7, key: new Uint8Array(32).fill(7) }
const SECRETS = { md5: "0123456789abcdef0123456789abcdef", sha256: "f".repeat(64) }
const NAME = "alice@example.org"

/** Seals in name only, so that the plain text can be seen. */
class Transparent extends FakeCryptography {
  override seal(_key: Uint8Array, plain: Uint8Array, context: string): Uint8Array {
    return concat(toUtf8(`${context}|`), plain)
  }
  override unseal(_key: Uint8Array, sealed: Uint8Array, context: string): Uint8Array {
    return sealed.subarray(context.length + 1)
  }
}
const transparent = new Transparent(openSslHashes)

// Written out by hand from docs/kinds.md, not by the code under test.
const wire = dump(`
  01                                                   # version of the envelope
  0091                                                 # 145 bytes follow
  00000007                                             # epoch of the fabric key
  008b                                                 # sealed, 139 bytes
     636172696c6c6f6e2073756273637269626572            # "carillon subscriber"
     20616c696365406578616d706c652e6f7267 7c           # " alice@example.org|"
     01                                                # version of the secrets
     0062                                              # 98 bytes follow
     20 3031323334353637383961626364656630313233343536373839616263646566
     40 ${"66".repeat(64)}
`)

test("a subscriber looks on the wire as docs/kinds.md draws it, sealed to the user's name", () => {
  assert.deepEqual(sealSubscriber(transparent, KEY, NAME, SECRETS), wire)
  assert.deepEqual(unsealSubscriber(transparent, [KEY], NAME, wire), SECRETS)
})

test("a subscriber of a later minor version is read, outside and inside the seal", () => {
  const longer = dump(`
    01 0095 00000007 008d
       636172696c6c6f6e2073756273637269626572 20616c696365406578616d706c652e6f7267 7c
       01 0064 20 ${"30".repeat(32)} 40 ${"66".repeat(64)}
       aabb
    ccdd
  `)
  const found = unsealSubscriber(transparent, [KEY], NAME, longer)
  assert.deepEqual(found, { md5: "0".repeat(32), sha256: "f".repeat(64) })
})

test("a higher version is refused, outside and inside the seal", () => {
  const refused = (bytes: Uint8Array, name: string) =>
    assert.throws(() => unsealSubscriber(transparent, [KEY], NAME, bytes), {
      message: new RegExp(`^${name}, byte 1: is of version 2, and this node reads version 1; upgrade it$`),
    })
  refused(wire.with(0, 2), "Subscriber")
  refused(wire.with(9 + 38, 2), "Secrets")
})

test("only who has the key of that epoch can read a subscriber, under its own name", () => {
  const value = sealSubscriber(cryptography, KEY, NAME, SECRETS)
  const older = { epoch: 6, key: new Uint8Array(32).fill(6) }
  assert.deepEqual(unsealSubscriber(cryptography, [older, KEY], NAME, value), SECRETS)
  assert.equal(
    unsealSubscriber(cryptography, [older], NAME, value),
    "this node has no fabric key of epoch 7; enrol it again",
  )
  const notSealed = (name: string) => `the record of ${name} was not sealed with this fabric's key of epoch 7`
  const other = { epoch: 7, key: older.key }
  assert.equal(unsealSubscriber(cryptography, [other], NAME, value), notSealed(NAME))
  assert.equal(unsealSubscriber(cryptography, [KEY], "bob@example.org", value), notSealed("bob@example.org"))
})

test("a storing peer finds no secret in a subscriber", () => {
  const value = sealSubscriber(cryptography, KEY, NAME, SECRETS)
  const seen = Buffer.from(value).toString("latin1")
  assert.ok(!seen.includes(SECRETS.md5) && !seen.includes(SECRETS.sha256))
})
