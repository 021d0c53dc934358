import assert from "node:assert/strict"
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import type { LogEffect } from "../../core/kit/log.ts"
import { mergeAddresses, openPeerFile } from "./peers.ts"

const directory = mkdtempSync(join(tmpdir(), "carillon-peers-"))
after(() => rmSync(directory, { recursive: true }))

const silent = (event: LogEffect) => assert.fail(`logged ${event.event}`)

test("of several writes in a row the last is what a restart reads", async () => {
  const peers = openPeerFile(directory, silent)
  assert.deepEqual(await peers.read(), [])
  for (let port = 1; port <= 20; port++) peers.write([{ host: "192.0.2.1", port }])
  await peers.close()
  assert.deepEqual(await openPeerFile(directory, silent).read(), [{ host: "192.0.2.1", port: 20 }])
  assert.equal(statSync(join(directory, "peers.json")).mode & 0o777, 0o600)
})

test("a file that cannot be understood costs a warning and no start", async () => {
  for (const text of ["{", "[]", '{"format":2,"addresses":[]}', "null"]) {
    writeFileSync(join(directory, "peers.json"), text)
    const logged: string[] = []
    assert.deepEqual(await openPeerFile(directory, ({ event }) => logged.push(event)).read(), [])
    assert.deepEqual(logged, ["host.peers-not-read"])
  }
})

test("an address in several lists is tried once", () => {
  const [a, b] = [
    { host: "192.0.2.1", port: 6084 },
    { host: "2001:db8::1", port: 6084 },
  ]
  assert.deepEqual(mergeAddresses([a], [b, { ...a }]), [a, b])
})
