import assert from "node:assert/strict"
import { test } from "node:test"
import { openSslHashes } from "../../../test/support/hashes.ts"
import { FakeCryptography, fakeAuthority } from "../identity/fake-cryptography.ts"
import { parseNodeId } from "../identity/node-id.ts"
import { concat } from "../kit/bytes.ts"
import { fromHex } from "../kit/hex.ts"
import { resourceIdOf } from "../reload/message.ts"
import { forbids } from "./access.ts"
import type { KindDefinition } from "./kind.ts"
import {
  CERTIFICATE_BY_NODE,
  CERTIFICATE_BY_USER,
  SIP_BINDINGS,
  SIP_REGISTRATION,
  SUBSCRIBER,
  TURN_SERVICE,
} from "./kinds.ts"

const cryptography = new FakeCryptography(openSslHashes)
const NODE = parseNodeId("00112233445566778899aabbccddeeff")
const OTHER = parseNodeId("ffeeddccbbaa99887766554433221100")
const { certificate: signer } = fakeAuthority(cryptography, { overlay: "example.org", seed: 1 }).issue({
  nodeId: NODE,
  userName: "alice@example.org",
  roles: ["registrar"],
})
const value = { model: "single", exists: true, value: new Uint8Array() } as const
const entryOf = (key: string) =>
  ({ model: "dictionary", key: fromHex(key), exists: true, value: new Uint8Array() }) as const

const at = (name: string | Uint8Array) => resourceIdOf(cryptography, name)
const allowed = (
  definition: KindDefinition,
  resource: ReturnType<typeof at>,
  stored: typeof value | ReturnType<typeof entryOf> = value,
) => forbids(cryptography, { definition, resource, value: stored, signer }) === undefined

test("USER-MATCH: only at the hash of one's own user name", () => {
  assert.ok(allowed(CERTIFICATE_BY_USER, at("alice@example.org")))
  assert.ok(!allowed(CERTIFICATE_BY_USER, at("bob@example.org")))
})

test("NODE-MATCH: only at the hash of one's own Node-ID, taken as bytes", () => {
  assert.ok(allowed(CERTIFICATE_BY_NODE, at(fromHex(NODE))))
  assert.ok(!allowed(CERTIFICATE_BY_NODE, at(NODE)))
  assert.ok(!allowed(CERTIFICATE_BY_NODE, at(fromHex(OTHER))))
})

test("USER-NODE-MATCH: at one's own user name, under one's own Node-ID", () => {
  assert.ok(allowed(SIP_REGISTRATION, at("alice@example.org"), entryOf(NODE)))
  assert.ok(!allowed(SIP_REGISTRATION, at("alice@example.org"), entryOf(OTHER)))
  assert.ok(!allowed(SIP_REGISTRATION, at("bob@example.org"), entryOf(NODE)))
})

test("NODE-MULTIPLE: at one of the twenty places of one's own Node-ID", () => {
  const place = (i: number) => at(concat(fromHex(NODE), Uint8Array.of(i)))
  assert.deepEqual(
    [0, 1, 20, 21].map((i) => allowed(TURN_SERVICE, place(i))),
    [false, true, true, false],
  )
})

test("CARILLON-ROLE-NODE: anywhere with the role, under one's own Node-ID", () => {
  assert.ok(allowed(SIP_BINDINGS, at("bob@example.org"), entryOf(NODE)))
  assert.ok(!allowed(SIP_BINDINGS, at("bob@example.org"), entryOf(OTHER)))
  assert.ok(!allowed({ ...SIP_BINDINGS, role: "gateway" }, at("bob@example.org"), entryOf(NODE)))
})

test("CARILLON-ROLE: anywhere, with the role; a refusal says who may not write what", () => {
  assert.ok(allowed({ ...SUBSCRIBER, role: "registrar" }, at("bob@example.org")))
  assert.equal(
    forbids(cryptography, { definition: SUBSCRIBER, resource: at("bob"), value, signer }),
    "CARILLON-ROLE does not let alice@example.org write this SUBSCRIBER",
  )
})
