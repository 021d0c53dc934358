import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { createSocket } from "node:dgram"
import { once } from "node:events"
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer, type Socket } from "node:net"
import { join, resolve } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { after, before, describe, type TestContext, test } from "node:test"
import { setTimeout as pause } from "node:timers/promises"
import { Farm, FarmNode, PORTS } from "./support/farm.ts"
import { removeDirectory, runBeside, temporaryDirectory, until } from "./support/programs.ts"
import { RealPhone } from "./support/real-phone.ts"

const CARILLON = resolve("bin/carillon")
/** For what has to be named in advance. */
const SPARE = "127.0.12.9"
let spares = 100
/** Nobody else's: where a node that must fail would listen if it did not. */
const spare = () => `127.0.12.${++spares}`
const PORT_OPTIONS = Object.entries(PORTS).flatMap(([name, port]) => [`--${name}-port`, String(port)])

/** One line of a sentence: it ends in no stack trace, and says no more than once who speaks. */
const SENTENCE = /^carillon: [^\n]+\n$/

/** Suites run beside each other, what is in one does not. */
const IN_ORDER = { concurrency: 1 }

const directory = temporaryDirectory()
const farm = new Farm("bad.test", { prefix: "127.0.12" })
const foreign = new FarmNode("127.0.12.8", join(directory, "foreign"), [], {})
let first: FarmNode
/** A member that is stopped: what is done to its directory is done to a copy. */
let second: FarmNode
let phone: RealPhone

before(async () => {
  await Promise.all([farm.grow(2), foreign.up("--domain", "foreign.test")])
  first = farm.nodes[0]!
  second = farm.nodes[1]!
  first.must("user", "add", "alice", "--password", "secret")
  phone = await RealPhone.open("127.0.12.20", {
    user: "alice",
    password: "secret",
    domain: farm.domain,
    proxy: { host: first.host, port: PORTS.sip },
  })
  assert.equal(await second.stop(), 0)
})
after(async () => {
  phone?.close()
  await foreign.stop("SIGKILL")
  await farm.end()
  await removeDirectory(directory)
})

let directories = 0
const fresh = () => join(directory, `data-${++directories}`)

function copyOf(node: FarmNode): string {
  const copy = fresh()
  cpSync(node.data, copy, { recursive: true })
  return copy
}

interface Refusal {
  readonly code?: number
  readonly env?: NodeJS.ProcessEnv
  readonly uid?: number
}

/** The command fails by one sentence in which each pattern is found, and prints nothing else. */
async function refuses(
  args: readonly string[],
  patterns: readonly RegExp[],
  { code = 1, env, uid }: Refusal = {},
) {
  const result = await runBeside(CARILLON, args, {
    cwd: "/",
    env: { ...process.env, ...env },
    ...(uid === undefined ? {} : { uid }),
  })
  assert.deepEqual([result.code, result.stdout], [code, ""], result.stderr)
  assert.match(result.stderr, SENTENCE)
  for (const pattern of patterns) assert.match(result.stderr, pattern)
}

/** A node that must not come up, on addresses that are free. */
const refusesUp = (args: readonly string[], patterns: readonly RegExp[], refusal?: Refusal) =>
  refuses(["up", "--host", spare(), ...PORT_OPTIONS, "--log-level", "error", ...args], patterns, refusal)

const joining = (invite: string, data = fresh()) => ["--data", data, "--join", invite]

/** The first node runs as the same process as ever, and a phone registers. */
async function stillServes(): Promise<void> {
  assert.equal(first.program?.exitCode, undefined)
  assert.equal((await phone.register()).status, 200)
  assert.equal((await fetch(`${first.http}/healthz`)).status, 200)
}

/** Other suites' nodes come and go meanwhile: while one that holds records does not answer, a list is refused. */
const usersOf = (node: FarmNode) =>
  until(`${node.host} lists its users`, () => {
    const { code, stdout } = node.run("user", "list")
    return code === 0 && stdout
  })

/** An invite whose content was changed by one who knows how its checksum is made. RFC 4648 §5. */
function forge(invite: string, change: (fields: unknown[]) => void): string {
  const [head, content, authenticator] = /^(carillon1:)([\w-]+)\.([\w-]+)\./.exec(invite)!.slice(1) as [
    string,
    string,
    string,
  ]
  const fields = JSON.parse(Buffer.from(content, "base64url").toString()) as unknown[]
  change(fields)
  const text = `${head}${Buffer.from(JSON.stringify(fields)).toString("base64url")}.${authenticator}`
  return `${text}.${createHash("sha256").update(text).digest().subarray(0, 6).toString("base64url")}`
}

const leadingTo = (invite: string, address: string) =>
  forge(invite, (fields) => {
    fields[2] = [address]
  })

const refusedEnrolments = async (cause: string) =>
  (await first.counters("host_enrolment_refused_total")).get(`cause="${cause}"`) ?? 0

describe("a mistake of the operator's", { concurrency: 4 }, () => {
  describe("an invite", IN_ORDER, () => {
    let invite: string
    before(() => {
      invite = first.must("invite", "--uses", "1").trim()
    })
    after(stillServes)

    test("that is used up admits nobody else, is counted, and still lets back whom it admitted", async () => {
      const third = new FarmNode("127.0.12.3", fresh(), [], {})
      await third.up("--join", invite)
      await refusesUp(joining(invite), [
        /127\.0\.12\.1:16084/,
        /used as often as it allows/,
        /`carillon invite`/,
      ])
      assert.equal(await refusedEnrolments("invite-used-up"), 1)
      assert.equal(await third.stop(), 0)
      await third.up("--join", invite)
      assert.equal(await third.stop(), 0)
    })

    test("that has expired is refused with the time", async () => {
      const short = first.must("invite", "--expires", "1s").trim()
      await pause(2_100)
      await refusesUp(joining(short), [/to bad\.test expired at 20\d\d-/, /`carillon invite`/])
    })

    test("that is cut short, or has a letter changed, is told apart from one that is none", async () => {
      const at = invite.indexOf(".") - 5
      const changed = `${invite.slice(0, at)}${invite[at] === "A" ? "B" : "A"}${invite.slice(at + 1)}`
      for (const text of [invite.slice(0, -10), changed])
        await refusesUp(joining(text), [/"carillon1:.*" is cut short or changed: copy the whole line/])
      await refusesUp(joining("please"), [/"please" is no invite/])
    })

    test("that was changed with a right checksum is refused by the node that it leads to, and counted", async () => {
      const greedy = forge(invite, (fields) => {
        fields[5] = 1_000
      })
      await refusesUp(joining(greedy), [/127\.0\.12\.1:16084 does not admit/, /did not issue the invite/])
      assert.equal(await refusedEnrolments("invite-refused"), 1)
    })

    test("of another overlay does not go with a directory that belongs to one", async () => {
      const other = foreign.must("invite").trim()
      const data = copyOf(second)
      await refusesUp(joining(other, data), [
        /of the overlay bad\.test/,
        /invite to foreign\.test/,
        /another --data/,
      ])
      await refusesUp(["--data", data, "--domain", "foreign.test"], [/bad\.test/, /foreign\.test/, /--data/])
    })

    test("to another domain than --domain keeps its holder out, and costs no use", async () => {
      const invite = first.must("invite", "--uses", "1").trim()
      const node = new FarmNode("127.0.12.10", fresh(), [], {})
      const args = [...joining(invite, node.data), "--domain", "elsewhere.test"]
      await refusesUp(args, [/to the fabric bad\.test, not elsewhere\.test; leave --domain out/])
      await node.up("--join", invite, "--domain", "BAD.test")
      assert.equal(await node.stop(), 0)
    })

    test("to an address where nobody listens is exit code 3", async () => {
      const nowhere = leadingTo(invite, `${SPARE}:16099`)
      await refusesUp(joining(nowhere), [/127\.0\.12\.9:16099 \(connection refused\)/, /make an invite/], {
        code: 3,
      })
    })

    test("to an address where something else listens says so", async (t) => {
      const babbler = await listen(t, (socket) => socket.end("220 mail.example ESMTP\r\n"))
      const mute = await listen(t, (socket) => socket.resume())
      await Promise.all([
        refusesUp(joining(leadingTo(invite, babbler.address)), [/does not speak the enrolment protocol/], {
          code: 3,
        }),
        refusesUp(joining(leadingTo(invite, mute.address)), [/no enrolment node answers .*\(no answer\)/], {
          code: 3,
        }),
        refusesUp(joining(leadingTo(invite, `${foreign.host}:${PORTS.reload}`)), [
          /127\.0\.12\.8:16084 is not of the overlay bad\.test/,
          /make a new invite/,
        ]),
      ])
    })
  })

  async function listen(t: TestContext, accepted: (socket: Socket) => void) {
    const server = createServer((socket) => accepted(socket.on("error", () => undefined))).listen(0, SPARE)
    t.after(() => server.close())
    await once(server, "listening")
    const { port } = server.address() as { readonly port: number }
    return { address: `${SPARE}:${port}` }
  }

  describe("a port that is taken", IN_ORDER, () => {
    after(stillServes)

    for (const [name, pattern] of [
      ["sip", /TCP port 15060 on 127\.0\.12\.9 is taken .*--sip-port/],
      ["sips", /TCP port 15061 on 127\.0\.12\.9 is taken .*--sips-port/],
      ["reload", /TCP port 16084 on 127\.0\.12\.9 is taken .*--reload-port/],
      ["http", /HTTP port 127\.0\.12\.9:18080 is taken .*--http-port/],
    ] as const) {
      test(`for ${name} is named with its remedy`, async (t) => {
        const server = createServer().listen(PORTS[name], SPARE)
        t.after(() => server.close())
        await once(server, "listening")
        await refusesUp(["--host", SPARE, "--data", fresh()], [pattern])
      })
    }

    test("for SIP over UDP is named with its remedy", async (t) => {
      const socket = createSocket("udp4").bind(PORTS.sip, SPARE)
      t.after(() => socket.close())
      await once(socket, "listening")
      await refusesUp(
        ["--host", SPARE, "--data", fresh()],
        [/UDP port 15060 on 127\.0\.12\.9 is taken .*--sip-port/],
      )
    })

    test("costs a joiner neither its place nor its invite", async (t) => {
      const invite = first.must("invite", "--uses", "1").trim()
      const node = new FarmNode(SPARE, fresh(), [], {})
      const server = createServer().listen(PORTS.sip, SPARE)
      t.after(() => server.close())
      await once(server, "listening")
      await refusesUp([...joining(invite, node.data), "--host", SPARE], [/TCP port 15060/])
      server.close()
      await node.up("--join", invite)
      assert.equal(await node.stop(), 0)
    })
  })

  describe("a data directory", IN_ORDER, () => {
    after(stillServes)

    test("that is in use stays with the process that uses it", async () => {
      await refusesUp(["--data", first.data], [/is in use by another Carillon: stop that one, .*--data/])
    })

    test("of a newer layout is left alone", async () => {
      const data = copyOf(second)
      writeFileSync(join(data, "version"), "2\n")
      await refusesUp(
        ["--data", data],
        [/has layout 2 and this Carillon knows 1: use the newer version .*--data/],
      )
      await refusesUp(joining(first.must("invite").trim(), data), [/has layout 2/])
      writeFileSync(join(data, "version"), "1\n")
      await comesUp(data)
    })

    test("whose record store is of a newer schema is left alone", async () => {
      const data = copyOf(second)
      setSchema(data, 99)
      await refusesUp(
        ["--data", data],
        [/records\.db is of schema 99 and this version of Carillon knows 1: run the/],
      )
      setSchema(data, 1)
      await comesUp(data)
    })

    test("whose record store is damaged, or none, is filled by the other node, and what was there is kept", async () => {
      const data = copyOf(second)
      writeFileSync(join(data, "records.db"), "x".repeat(8_192))
      // It knows the first node, which has copies.
      await comesUp(data)
      assert.ok(readdirSync(data).some((name) => name.startsWith("records.db.damaged-")))
    })

    test("with a file missing or garbled is named with that file", async () => {
      const data = copyOf(second)
      const configuration = join(data, "membership", "configuration.xml")
      const text = readFileSync(configuration, "utf8")
      writeFileSync(configuration, text.slice(0, 500))
      await refusesUp(
        ["--data", data],
        [/membership cannot be used: .*; restore the data directory from its backup/],
      )
      writeFileSync(configuration, text)
      writeFileSync(join(data, "membership", "node.key"), "no key")
      await refusesUp(["--data", data], [/membership cannot be used: .*private key/])
    })

    test("of another domain than --domain keeps its node from coming back", async () => {
      const args = ["--data", second.data, "--domain", "elsewhere.test"]
      await refusesUp(args, [
        /of the overlay bad\.test/,
        /the domain elsewhere\.test/,
        /leave that option out/,
      ])
      await second.up("--domain", "bad.test")
      assert.equal(await second.stop(), 0)
    })

    test("that is no directory, or can be none, is named", async () => {
      const file = join(directory, "file")
      writeFileSync(file, "")
      await refusesUp(["--data", file], [/file is a file; name a directory with --data/])
      await refusesUp(["--data", join(file, "below")], [/file\/below is none, nor can one be made there/])
      await refusesUp(["--data", "/proc/carillon"], [/\/proc\/carillon is none, nor can one be made there/])
    })

    test("that this user may not write is named", async () => {
      const data = fresh()
      mkdirSync(data, { mode: 0o500 })
      // Permissions do not bind root, who can be somebody else.
      const uid = process.getuid?.() === 0 ? { uid: 65_534 } : {}
      await refusesUp(["--data", data], [/may not be written by this user; .*--data/], uid)
    })

    function setSchema(data: string, schema: number): void {
      const database = new DatabaseSync(join(data, "records.db"))
      database.exec(`PRAGMA user_version = ${schema}`)
      database.close()
    }

    async function comesUp(data: string): Promise<void> {
      const node = new FarmNode(second.host, data, [], {})
      await node.up()
      assert.match(await usersOf(node), /^alice@bad\.test$/m)
      assert.equal(await node.stop(), 0)
    }
  })

  describe("a wrong setting", IN_ORDER, () => {
    const cases: readonly (readonly [args: readonly string[], pattern: RegExp])[] = [
      [["--sip-port", "70000"], /--sip-port: "70000" is no port; give a number from 1 to 65535/],
      [["--sips-port", "15060"], /--sips-port: 15060 is --sip-port already; give each a port of its own/],
      [["--host", "node.example"], /--host: "node\.example" is no IP address; write one such as/],
      [["--roles", "registrar,bellringer"], /--roles: .*holds "bellringer", which is no role .*registrar/],
      [["--log-level", "loud"], /--log-level: "loud" is not known; write debug, info, warn, error/],
    ]
    test("is named with its value and what to write, exit code 2, and makes no directory", async () => {
      const data = fresh()
      for (const [args, pattern] of cases) await refusesUp(["--data", data, ...args], [pattern], { code: 2 })
      await refusesUp(["--data", data], [/CARILLON_ADVERTISE: "0\.0\.0\.0" means all addresses/], {
        code: 2,
        env: { CARILLON_ADVERTISE: "0.0.0.0" },
      })
      assert.throws(() => readFileSync(join(data, "admin-token")), { code: "ENOENT" })
    })

    test("in carillon.yaml is named with its line", async () => {
      const path = join(directory, "settings.yaml")
      for (const [text, pattern] of [
        ["domain: a.test\n\nsip-port: lots\n", /settings\.yaml line 3, .*"lots" is no port/],
        [
          "# mine\nsipport: 5060\n",
          /settings\.yaml line 2: there is no setting "sipport"; did you mean sip-port\?/,
        ],
        ['domain: a.test\nhost: "127.0.0.1\n', /settings\.yaml line \d: .*; correct the YAML/],
        ["- 5060\n", /settings\.yaml line 1: is no list of settings/],
      ] as const) {
        writeFileSync(path, text)
        await refuses(["up", "--data", fresh(), "--config", path], [pattern], { code: 2 })
      }
      await refuses(["up", "--config", join(directory, "none.yaml")], [/none\.yaml cannot be read/], {
        code: 2,
      })
    })

    test("of a certificate file is named with the file", async () => {
      const pem = join(directory, "not.pem")
      writeFileSync(pem, "hello")
      await refusesUp(
        ["--data", fresh(), "--tls-cert", pem, "--tls-key", pem],
        [/--tls-cert: .*not\.pem is no PEM/],
      )
      writeFileSync(pem, "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n")
      await refusesUp(["--data", fresh(), "--tls-cert", pem, "--tls-key", pem], [/--tls-cert/, /not\.pem/])
    })
  })

  describe("a command to a running node", IN_ORDER, () => {
    after(stillServes)
    const to = (...args: readonly string[]) => [...args, "--http", first.http, "--data", first.data]

    test("imports nothing of a file with an error in it, and names each line", async () => {
      const file = join(directory, "users.csv")
      const imports = () => runBeside(CARILLON, to("user", "import", file))
      writeFileSync(file, 'bob,one\ncarol\nal ice,x\n"dora,y\nbob,two\nerin,\n')
      const { code, stdout, stderr } = await imports()
      assert.deepEqual([code, stdout], [1, ""])
      const lines = stderr.trimEnd().split("\n")
      assert.deepEqual(
        lines.slice(0, -1).map((line) => /users\.csv line (\d): ./.exec(line)?.[1]),
        ["2", "3", "4", "5", "6"],
      )
      assert.match(
        lines.at(-1)!,
        /^carillon: 5 lines of .*users\.csv cannot be imported, so nothing was; correct/,
      )
      assert.equal(await usersOf(first), "alice@bad.test\n")
      writeFileSync(file, "name,password\nbob,one\n")
      assert.match((await imports()).stderr, /line 1: looks like a header; remove it/)
      writeFileSync(file, Buffer.from([0x62, 0xff, 0x2c, 0x78]))
      await refuses(to("user", "import", file), [
        /users\.csv is not UTF-8 text; give a file of name,password lines/,
      ])
      await refuses(to("user", "import", join(directory, "none.csv")), [/none\.csv does not exist/])
      assert.equal(await usersOf(first), "alice@bad.test\n")
    })

    test("says where no node answers, or what answers is none, by exit code 3", async (t) => {
      const nobody = ["status", "--data", first.data, "--http"]
      await refuses(
        [...nobody, `http://${SPARE}:18099`],
        [/127\.0\.12\.9:18099 \(connection refused\); start one/],
        {
          code: 3,
        },
      )
      const stranger = await listen(t, (socket) =>
        socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
      )
      await refuses([...nobody, `http://${stranger.address}`], [/is not a Carillon of this version/], {
        code: 3,
      })
    })

    test("with the wrong admin token does nothing, and the refusal is counted", async () => {
      const args = ["user", "remove", "alice", "--http", first.http]
      const said = [/admin-token/, /--token or CARILLON_TOKEN/]
      await refuses([...args, "--token", "wrong"], said)
      await refuses([...args, "--data", fresh()], said)
      await refuses([...args], said, { env: { CARILLON_TOKEN: "x" } })
      assert.equal((await first.counters("http_refused_total")).get('status="401"'), 3)
      assert.equal(await usersOf(first), "alice@bad.test\n")
    })

    test("refuses an invite for a role that no node has", async () => {
      await refuses(to("invite", "--roles", "bellringer"), [
        /"bellringer" is no role to give a node; write .*registrar/,
      ])
    })
  })
})
