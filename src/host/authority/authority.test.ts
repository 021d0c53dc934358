import assert from "node:assert/strict"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, describe, test } from "node:test"
import type { NodeId } from "../../core/identity/node-id.ts"
import { SeededRandom } from "../../core/kit/random.ts"
import type { Instant } from "../../core/kit/time.ts"
import { openSslCryptography } from "../crypto/cryptography.ts"
import { newKey, pemOf } from "../crypto/issuing.ts"
import { createSigningRequest } from "../crypto/signing-request.ts"
import { type Authority, createAuthority, openAuthority } from "./authority.ts"
import { placeNode, sharesHeld } from "./placement.ts"

const now = Date.now() as Instant
const cryptography = openSslCryptography()
const base = mkdtempSync(join(tmpdir(), "carillon-authority-"))
after(() => rmSync(base, { recursive: true }))

let count = 0
const directory = () => join(base, String(count++))
const make = (path = directory()) => createAuthority(path, "example.org", cryptography, now)

async function admit(authority: Authority, key: string, invite?: { id: string; uses: number }) {
  const request = createSigningRequest(key)
  const admitted = await authority.admit({ request, roles: ["proxy"], now, ...(invite && { invite }) })
  return admitted.kind === "issued"
    ? cryptography.readCertificate(admitted.certificate).nodeIds[0]
    : admitted.kind
}

describe("an authority", () => {
  test("gives each key one Node-ID, and the same one when it comes again", async () => {
    const path = directory()
    const [first, second] = [newKey(), newKey()]
    const authority = await make(path)
    const nodeId = await admit(authority, first)
    assert.match(nodeId!, /^[0-9a-f]{32}$/)
    assert.notEqual(await admit(authority, second), nodeId)
    const reopened = await openAuthority(path, "example.org", cryptography)
    assert.equal(await admit(reopened!, first), nodeId)
  })

  test("counts the uses of an invite across a restart, and a key that comes again only once", async () => {
    const path = directory()
    const invite = { id: "i", uses: 2 }
    const first = newKey()
    const authority = await make(path)
    assert.match((await admit(authority, first, invite))!, /^[0-9a-f]{32}$/)
    assert.match((await admit(authority, first, invite))!, /^[0-9a-f]{32}$/)
    const reopened = (await openAuthority(path, "example.org", cryptography))!
    assert.match((await admit(reopened, newKey(), invite))!, /^[0-9a-f]{32}$/)
    assert.equal(await admit(reopened, newKey(), invite), "used-up")
    assert.match((await admit(reopened, first, invite))!, /^[0-9a-f]{32}$/)
    assert.match((await admit(reopened, newKey(), { id: "j", uses: 1 }))!, /^[0-9a-f]{32}$/)
  })

  test("counts a use when a node that is known comes with another invite", async () => {
    const authority = await make()
    const key = newKey()
    const [first, second] = [
      { id: "a", uses: 1 },
      { id: "b", uses: 1 },
    ]
    const nodeId = await admit(authority, key, first)
    assert.equal(await admit(authority, key, second), nodeId)
    assert.equal(await admit(authority, newKey(), first), "used-up")
    assert.equal(await admit(authority, newKey(), second), "used-up")
  })

  test("lets only one of two through who show an invite's last use at once", async () => {
    const authority = await make()
    const invite = { id: "i", uses: 1 }
    const both = await Promise.all([admit(authority, newKey(), invite), admit(authority, newKey(), invite)])
    assert.equal(both.filter((each) => each === "used-up").length, 1)
  })

  test("refuses a request that is garbage, changed, or of a weak key", async () => {
    const authority = await make()
    const request = createSigningRequest(newKey())
    const weak = spawnSync("openssl", [
      "req",
      "-new",
      "-newkey",
      "rsa:1024",
      "-nodes",
      "-keyout",
      "-",
      "-subj",
      "/",
      "-outform",
      "der",
    ])
    const changed = Uint8Array.from(request, (byte, i) => (i === request.length - 4 ? byte ^ 1 : byte))
    for (const each of [
      new Uint8Array(),
      Uint8Array.of(0x30, 0x80),
      changed,
      new Uint8Array(weak.stdout ?? []),
    ]) {
      const admitted = await authority.admit({ request: each, roles: [], now })
      assert.equal(admitted.kind, "bad-request")
    }
  })

  test("keeps its secrets to the file's owner", async () => {
    const path = directory()
    await make(path)
    assert.equal(statSync(path).mode & 0o777, 0o700)
    for (const file of ["root.key", "signer.key", "nodes.json"])
      assert.equal(statSync(join(path, file)).mode & 0o777, 0o600)
  })
})

describe("openssl", {
  skip: spawnSync("openssl", ["version"]).status !== 0 && "openssl is not installed",
}, () => {
  const openssl = (...args: readonly string[]) => execFileSync("openssl", args, { encoding: "utf8" })

  test("takes our certificates, strictly", async () => {
    const authority = await make()
    const key = newKey()
    const admitted = await authority.admit({
      request: createSigningRequest(key),
      roles: ["proxy", "registrar"],
      now,
    })
    assert.ok(admitted.kind === "issued")
    const names = { domain: "example.org", addresses: ["127.0.0.2", "2001:db8::1"] }
    const phone = authority.issuePhone(createSigningRequest(key), names, now)
    const file = (name: string, der: Uint8Array) => {
      writeFileSync(join(base, name), pemOf(der))
      return join(base, name)
    }
    const root = file("root.pem", authority.rootCertificate)
    const node = file("node.pem", admitted.certificate)
    const phones = file("phone.pem", phone)
    const signer = file("signer.pem", authority.signer.certificate.der)
    openssl("verify", "-x509_strict", "-CAfile", root, node, phones, signer)

    const text = openssl("x509", "-in", node, "-noout", "-text")
    assert.match(text, /Subject: *\n/)
    assert.match(
      text,
      new RegExp(
        `Subject Alternative Name: critical\\s+URI:reload://0110${admitted.nodeId}@example.org/, ` +
          `email:node-${admitted.nodeId}@example.org\n`,
      ),
    )
    assert.match(text, /CA:FALSE/)
    assert.match(text, /2\.25\.\d{30,}:.*\n.*proxy\.\.registrar/)

    const phoneText = openssl("x509", "-in", phones, "-noout", "-text")
    assert.match(
      phoneText,
      /URI:sip:example\.org, DNS:example\.org, IP Address:127\.0\.0\.2, IP Address:2001:DB8:0:0:0:0:0:1/,
    )
    assert.doesNotMatch(phoneText, /reload:/)
  })
})

describe("placement of Node-IDs", () => {
  const grow = (seed: number, size: number): readonly NodeId[] => {
    const random = new SeededRandom(seed)
    const digit = () => Math.floor(16 * random.next()).toString(16)
    const draw = () => Array.from({ length: 32 }, digit).join("") as NodeId
    const nodes: NodeId[] = []
    while (nodes.length < size) nodes.push(placeNode(nodes, draw))
    return nodes
  }

  test("keeps the largest share held within 1.3 of the mean on most farms of up to 64, and never over 1.5", () => {
    for (const size of [3, 5, 8, 12, 32, 64]) {
      const worst = Array.from({ length: 9 }, (_, seed) => Math.max(...sharesHeld(grow(seed, size)))).sort()
      assert.ok(worst[4]! <= 1.3, `${size} nodes: ${worst[4]} in the middle`)
      assert.ok(worst.at(-1)! <= 1.5, `${size} nodes: ${worst.at(-1)} at worst`)
    }
  })
})
