import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { isIP } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { adminToken } from "./admin-token.ts"
import { addressToAdvertise, concretePort, httpAddress, ownNames } from "./where.ts"

test("the bound address is told to others; bound to all, one that is an address", async () => {
  assert.equal(await addressToAdvertise("127.0.0.2"), "127.0.0.2")
  assert.equal(await addressToAdvertise("2001:db8::7"), "2001:db8::7")
  for (const everywhere of ["0.0.0.0", "::"]) {
    const told = await addressToAdvertise(everywhere)
    assert.notEqual(isIP(told), 0)
    assert.notEqual(told, everywhere)
  }
})

test("HTTP stays on loopback, on the node's own where that is one", () => {
  const hosts = ["0.0.0.0", "::", "192.0.2.1", "127.0.0.2", "::1"]
  assert.deepEqual(hosts.map(httpAddress), ["127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.2", "::1"])
})

test("a node answers to the addresses it is bound to, and to no others", () => {
  assert.deepEqual(ownNames("127.0.0.2", "127.0.0.2"), ["127.0.0.2", "localhost"])
  const all = ownNames("0.0.0.0", "192.0.2.1")
  for (const name of ["127.0.0.1", "localhost", "192.0.2.1"]) assert.ok(all.includes(name), name)
})

test("port 0 becomes a free one; any other stays", async () => {
  assert.equal(await concretePort(5060, "127.0.0.1"), 5060)
  assert.ok((await concretePort(0, "127.0.0.1")) > 1023)
})

test("the admin token is made once, kept, and nobody else may read it", async () => {
  const data = join(mkdtempSync(join(tmpdir(), "carillon-")), "data")
  const token = await adminToken(data)
  assert.match(token, /^[\w-]{32}$/)
  assert.equal(await adminToken(data), token)
  assert.equal(readFileSync(join(data, "admin-token"), "utf8").trim(), token)
  assert.equal(statSync(join(data, "admin-token")).mode & 0o777, 0o600)
  assert.equal(statSync(data).mode & 0o777, 0o700)
  rmSync(join(data, ".."), { recursive: true })
})
