import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { UsageError } from "../outcome.ts"
import { readUpOptions } from "./settings.ts"

let directory: string
before(() => {
  directory = mkdtempSync(join(tmpdir(), "carillon-"))
})
after(() => rmSync(directory, { recursive: true }))

function yaml(text: string): string {
  const path = join(directory, "carillon.yaml")
  writeFileSync(path, text)
  return path
}

async function refusal(commandLine: Record<string, unknown>, environment: Record<string, string> = {}) {
  const error = await readUpOptions(commandLine, environment).then(
    () => assert.fail("it was taken"),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof UsageError)
  return error.message.replace(`${directory}/`, "")
}

test("without a word, every setting is its default", async () => {
  const options = await readUpOptions({}, {})
  const { data, host, sipPort, sipsPort, reloadPort, httpPort, domain, log, logLevel, users } = options
  assert.deepEqual(
    { data, host, sipPort, sipsPort, reloadPort, httpPort, domain, log, logLevel, users },
    {
      data: "./carillon-data",
      host: "0.0.0.0",
      sipPort: 5060,
      sipsPort: 5061,
      reloadPort: 6084,
      httpPort: 8080,
      domain: undefined,
      log: "plain",
      logLevel: "info",
      users: [],
    },
  )
})

test("the command line comes before the environment, the environment before the file", async () => {
  const config = yaml("sip-port: 1\nsips-port: 2\nreload-port: 3\ndomain: Example.ORG.\n")
  const environment = { CARILLON_CONFIG: config, CARILLON_SIP_PORT: "11", CARILLON_SIPS_PORT: "12" }
  const options = await readUpOptions({ sipPort: "21" }, environment)
  const { sipPort, sipsPort, reloadPort, httpPort, domain } = options
  assert.deepEqual([sipPort, sipsPort, reloadPort, httpPort, domain], [21, 12, 3, 8080, "example.org"])
})

test("the file takes YAML's lists and numbers, the others their texts", async () => {
  const config = yaml(`
# a farm node
roles: [registrar, proxy]
user:
  - alice:se cret
  - bob:x:y
trusted: 192.0.2.0/24 2001:db8::/32
digest: [MD5, SHA-256]
host: "[::1]"
`)
  const { roles, users, trusted, digest, host } = await readUpOptions({ config }, {})
  assert.deepEqual(roles, ["registrar", "proxy"])
  assert.deepEqual(users, [
    { name: "alice", password: "se cret" },
    { name: "bob", password: "x:y" },
  ])
  assert.deepEqual(trusted, ["192.0.2.0/24", "2001:db8::/32"])
  assert.deepEqual(digest, ["MD5", "SHA-256"])
  assert.equal(host, "::1")
  const { nameServers } = await readUpOptions(
    { nameServers: "192.0.2.1,192.0.2.2:5353 2001:db8::1 [::1]:53" },
    {},
  )
  assert.deepEqual(nameServers, ["192.0.2.1", "192.0.2.2:5353", "2001:db8::1", "[::1]:53"])
  const { roles: fromText } = await readUpOptions({}, { CARILLON_ROLES: "registrar,proxy" })
  assert.deepEqual(fromText, ["registrar", "proxy"])
})

test("a bad setting is named with its place, its value and what to write", async () => {
  assert.equal(
    await refusal({ config: yaml("domain: a.example\nsip-port: fivezero\n") }),
    'carillon.yaml line 2, sip-port: "fivezero" is no port; give a number from 1 to 65535, or 0 for any free one',
  )
  assert.match(await refusal({}, { CARILLON_HTTP_PORT: "70000" }), /^CARILLON_HTTP_PORT: "70000" is no port/)
  assert.match(await refusal({ advertise: "0.0.0.0" }), /^--advertise: "0\.0\.0\.0" means all addresses/)
  assert.match(await refusal({ domain: "exa mple" }), /^--domain: "exa mple" is no SIP domain/)
  assert.match(await refusal({ log: "xml" }), /^--log: "xml" is not known; write plain, json$/)
  assert.match(await refusal({ trusted: "10.0.0.0/40" }), /holds "10\.0\.0\.0\/40", which is no network/)
  assert.match(
    await refusal({ nameServers: "192.0.2.1 ns.example" }),
    /^--name-servers: .*holds "ns\.example", which is no address of a name server/,
  )
  assert.match(await refusal({ tlsCert: "a.pem" }), /--tls-cert is given without --tls-key/)
})

test("an unknown key of the file is named with its line and the nearest known one", async () => {
  assert.equal(
    await refusal({ config: yaml("data: x\nsipport: 5060\n") }),
    'carillon.yaml line 2: there is no setting "sipport"; did you mean sip-port?',
  )
  assert.match(await refusal({ config: yaml("a: [1\n") }), /^carillon\.yaml line \d+: .*correct the YAML$/)
  assert.match(await refusal({ config: yaml("- a\n") }), /^carillon\.yaml line 1: is no list of settings/)
  assert.match(
    await refusal({ config: join(directory, "none.yaml") }),
    /none\.yaml cannot be read \(ENOENT\)/,
  )
})

test("passwords and invites are never shown", async () => {
  for (const user of ["hunter2", "al ice:hunter2", "alice:hunter2\u0007"])
    assert.doesNotMatch(await refusal({ user: [user] }), /hunter2/)
  assert.match(await refusal({ user: ["alice"] }), /--user: what is given lacks a colon; write name:password/)
})
