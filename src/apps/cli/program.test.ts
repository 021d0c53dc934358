import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, beforeEach, test } from "node:test"
import { ALICE_FOUND, FakeNode, TOKEN } from "../../../test/support/control.ts"
import { run } from "./program.ts"

let node: FakeNode
let directory: string
before(async () => {
  node = await new FakeNode().start()
  directory = mkdtempSync(join(tmpdir(), "carillon-"))
  writeFileSync(join(directory, "admin-token"), `${TOKEN}\n`)
})
after(() => {
  node.stop()
  rmSync(directory, { recursive: true })
})
beforeEach(() => {
  node.answer = undefined
  node.health = { state: "healthy" }
  node.users.clear()
  node.commands.length = 0
  node.invited.length = 0
})

/** Runs a command line against the fake node, and remembers what it said. */
async function carillon(args: readonly string[], environment: Record<string, string> = {}) {
  const out: string[] = []
  const err: string[] = []
  const code = await run(args, {
    print: (line) => void out.push(line),
    remark: (line) => void err.push(line),
    interactive: false,
    environment: { CARILLON_HTTP: node.url, CARILLON_DATA: directory, ...environment },
  })
  return { code, out: out.join("\n"), err: err.join("\n") }
}

test("status shows the figure to watch, and --json exactly what the API says", async () => {
  const { code, out } = await carillon(["status"])
  assert.equal(code, 0)
  for (const fact of [
    "fabric bells, SIP domain example.org",
    "2 living, 1 more may die without losing a record",
    "proxy 1, registrar 2",
    "40 held here, 21 due here, 0 short of a copy, 3 being repaired",
    "2 being set up, 17 answered",
    "up 1 d 2 h",
  ])
    assert.ok(out.includes(fact), `${fact} in:\n${out}`)
  const { out: json } = await carillon(["status", "--json"])
  assert.deepEqual(JSON.parse(json), node.status())
})

test("an unhealthy node says why", async () => {
  node.health = { state: "unhealthy", cause: "the disk is full" }
  assert.match((await carillon(["status"])).out, /^health +unhealthy: the disk is full$/m)
})

test("users are added, listed, changed and removed", async () => {
  assert.deepEqual(await carillon(["user", "add", "alice", "--password", "a-secret"]), {
    code: 0,
    out: "alice added",
    err: "",
  })
  assert.equal(
    (await carillon(["user", "passwd", "alice", "--password", "another"])).out,
    "alice has the new password",
  )
  assert.deepEqual([...node.users], [["alice@example.org", "another"]])
  assert.equal((await carillon(["user", "list"])).out, "alice@example.org")
  assert.equal((await carillon(["user", "list", "--json"])).out, '{"users":["alice@example.org"]}')
  assert.equal((await carillon(["user", "remove", "alice"])).out, "alice@example.org removed")
  assert.deepEqual([...node.users], [])
})

test("a password that is not given is made up, and printed this once", async () => {
  const { out } = await carillon(["user", "add", "alice"])
  const password = /^alice added, password (\S{16})$/.exec(out)?.[1]
  assert.equal(node.users.get("alice@example.org"), password)
  const { password: second } = JSON.parse((await carillon(["user", "add", "bob", "--json"])).out)
  assert.equal(node.users.get("bob@example.org"), second)
  assert.notEqual(password, second)
})

test("what the node refuses is one sentence on standard error, and exit code 1", async () => {
  await carillon(["user", "add", "alice", "--password", "x"])
  assert.deepEqual(await carillon(["user", "add", "alice", "--password", "y"]), {
    code: 1,
    out: "",
    err: "carillon: user alice@example.org exists",
  })
  const { code, err } = await carillon(["user", "remove", "bob", "--json"])
  assert.deepEqual([code, err], [1, "carillon: there is no user bob@example.org"])
})

test("without the right token nothing is done, and the sentence says where the token is", async () => {
  for (const args of [
    ["--token", "wrong"],
    ["--data", join(directory, "nowhere")],
  ]) {
    const { code, err } = await carillon(["user", "list", ...args])
    assert.equal(code, 1)
    assert.match(err, /^carillon: .*admin-token.*--token or CARILLON_TOKEN$/)
  }
  assert.equal((await carillon(["user", "list", "--data", "/nowhere"], { CARILLON_TOKEN: TOKEN })).code, 0)
})

test("a node that does not answer is exit code 3, and so is a stranger at its address", async () => {
  const { code, err } = await carillon(["status", "--http", "http://127.0.0.1:1"])
  assert.equal(code, 3)
  assert.match(
    err,
    /^carillon: no Carillon answers at http:\/\/127\.0\.0\.1:1 \(.+\); start one with .* or .*--http$/,
  )

  const stranger = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1")
  await new Promise((resolve) => stranger.once("listening", resolve))
  const { port } = stranger.address() as { port: number }
  assert.equal((await carillon(["status", "--http", `http://127.0.0.1:${port}`])).code, 3)
  stranger.close()
})

test("wrong usage is exit code 2, and near misses are named", async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["statsu"], /unknown command 'statsu'; did you mean status\?/],
    [["status", "--jsno"], /unknown option '--jsno'; did you mean --json\?/],
    [["up", "--sip-prot", "1"], /did you mean --sip-port\?/],
    [["lookup"], /missing required argument 'aor'/],
    [["user", "add", "al ice"], /"al ice" is no user part of a SIP address/],
    [["user", "add", "alice", "--password", ""], /the password is empty/],
    [["status", "--http", "localhost:8080"], /is no address of a node; write it like http:/],
    [["invite", "--expires", "soon"], /--expires: "soon" is no time; write it like/],
    [["invite", "--uses", "0"], /--uses: "0" is no number of nodes/],
    [["invite", "--user", "alice"], /invites for users come with endpoint peers/],
    [["sim", "--peers", "many"], /--peers: "many" is no number from 8 to 2000000; give one/],
    [["sim", "--latency", "moon"], /--latency: "moon" is no model; give lan, sites, internet/],
    [["sim", "--churn", "often"], /--churn: "often" is no mean session .*; write it like 30m/],
    [["sim", "--fault", "flood"], /--fault: "flood" is no fault; write crash:PERCENT/],
    [["sim", "--fault", "site", "--latency", "lan"], /--fault: "site" needs sites/],
    [["up", "--host", "nowhere"], /--host: "nowhere" is no IP address/],
  ]
  for (const [args, message] of cases) {
    const { code, out, err } = await carillon(args)
    assert.equal(code, 2, args.join(" "))
    assert.equal(out, "")
    assert.match(err, message)
    assert.equal(err.split("\n").length, 1, err)
  }
  assert.deepEqual(node.commands, [])
})

test("help and version go to standard output with exit code 0", async () => {
  assert.match((await carillon(["--version"])).out, /^\d+\.\d+\.\d+$/)
  for (const args of [["--help"], ["up", "--help"], ["user", "--help"], ["help", "lookup"]]) {
    const { code, out, err } = await carillon(args)
    assert.deepEqual([code, err], [0, ""])
    assert.match(out, /^Usage: carillon/)
  }
})

test("lookup shows bindings, edges, holders and steps; nothing registered is exit code 1", async () => {
  const { code, out } = await carillon(["lookup", "sip:alice@example.org"])
  assert.equal(code, 0)
  assert.match(out, /registered at 2 contacts/)
  assert.match(
    out,
    /^sip:alice@192\.0\.2\.7:5060 +UDP +192\.0\.2\.7:5060 +(600|59\d) s +1 +contact +7f3a0000$/m,
  )
  assert.match(out, /0\.5 +flow +c0de0000 \(dead\)$/m)
  assert.match(out, /record 01234567, responsible c0de0000, copies at 7f3a0000/)
  assert.match(out, /fetch +by c0de0000 +1 hop +1\.3 ms/)
  const { kind, ...found } = ALICE_FOUND
  assert.deepEqual(JSON.parse((await carillon(["lookup", "alice", "--json"])).out), found)

  const nobody = await carillon(["lookup", "bob"])
  assert.equal(nobody.code, 1)
  assert.match(nobody.out, /^bob@example\.org is no user of this fabric/)
})

test("what the network says cannot steer the terminal", async () => {
  node.answer = () => ({
    ...ALICE_FOUND,
    bindings: [{ ...ALICE_FOUND.bindings[0]!, contact: "sip:\x1b[2Jalice\r\n@x" }],
  })
  const { out } = await carillon(["lookup", "alice"])
  assert.doesNotMatch(out, /\x1b|\r/)
})

test("invite prints one line, and asks for what it was told to", async () => {
  const { code, out } = await carillon([
    "invite",
    "--node",
    "--roles",
    "registrar,proxy",
    "--uses",
    "3",
    "--expires",
    "2d",
  ])
  assert.deepEqual([code, out], [0, "carillon1:abc"])
  assert.deepEqual(node.invited, [{ roles: ["registrar", "proxy"], uses: 3, expiresSeconds: 172_800 }])
  assert.equal(JSON.parse((await carillon(["invite", "--json"])).out).invite, "carillon1:abc")
})

test("drain waits until it is done, and says that it is safe to stop", async () => {
  const { code, out } = await carillon(["drain"])
  assert.equal(code, 0)
  assert.match(out, /safe to stop/)
  assert.equal(JSON.parse((await carillon(["drain", "--json"])).out).state, "drained")
})

test("import stores every user of the file, in batches", async () => {
  const file = join(directory, "users.csv")
  writeFileSync(
    file,
    Array.from({ length: 1_001 }, (_, index) => `${2_000 + index},pw-${index}\r\n`).join(""),
  )
  const { code, out, err } = await carillon(["user", "import", file])
  assert.equal(code, 0, err)
  assert.match(out, /^1001 users imported in [\d.]+ s$/)
  assert.equal(node.users.size, 1_001)
  assert.equal(node.users.get("3000@example.org"), "pw-1000")
  assert.equal(node.commands.length, 6)
  assert.match(err, /1001 of 1001 users/)
  assert.equal(JSON.parse((await carillon(["user", "import", file, "--json"])).out).count, 1_001)
})

test("import tells every bad line, and stores nothing", async () => {
  const file = join(directory, "bad.csv")
  writeFileSync(file, "alice,one\nbob\n\ncarol,three\nal ice,x\nalice,again\n")
  const { code, err } = await carillon(["user", "import", file])
  assert.equal(code, 1)
  assert.deepEqual(
    err
      .split("\n")
      .map((line) => line.replace(`${file} `, ""))
      .slice(0, 3),
    [
      "line 2: has 1 field; write name,password and quote what holds a comma",
      `line 5: name "al ice" is no user part of a SIP address: use letters, digits and - _ . ! ~ * ' ( ) & = + $ , ; ? /`,
      'line 6: "alice" stands on line 1 already',
    ],
  )
  assert.match(err.split("\n")[3]!, /^carillon: 3 lines of .* cannot be imported, so nothing was/)
  assert.deepEqual(node.commands, [])
})

test("import that breaks off says how far it got, and that it can be run again", async () => {
  const file = join(directory, "many.csv")
  writeFileSync(file, Array.from({ length: 2_000 }, (_, index) => `${index},pw`).join("\n"))
  node.answer = () =>
    node.commands.length > 2 ? { kind: "refused", code: "unavailable", cause: "no quorum" } : undefined
  const { code, err } = await carillon(["user", "import", file])
  assert.equal(code, 1)
  assert.match(
    err,
    /carillon: 400 of 2000 users are imported, then: no quorum; the same import can be run again$/,
  )
  assert.equal((await carillon(["user", "import", join(directory, "none.csv")])).code, 1)
})
