import assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import type { NodeId } from "../../src/core/identity/node-id.ts"
import type { Address } from "../../src/core/kit/address.ts"
import { toHex } from "../../src/core/kit/hex.ts"
import { LIMITS } from "../../src/core/kit/limits.ts"
import type { Duration, Instant } from "../../src/core/kit/time.ts"
import { Framing } from "../../src/core/link/framing.ts"
import { parseConfiguration } from "../../src/core/reload/configuration-document.ts"
import { writeConfiguration } from "../../src/core/reload/configuration-writer.ts"
import type { TransactionId } from "../../src/core/reload/header.ts"
import { overlayHash, writeMessage } from "../../src/core/reload/message.ts"
import { signMessage } from "../../src/core/reload/signing.ts"
import { openAuthority } from "../../src/host/authority/authority.ts"
import { openSslCryptography } from "../../src/host/crypto/cryptography.ts"
import {
  dersOf,
  issueNodeCertificate,
  issueRoot,
  newKey,
  pemOf,
  publicKeyOf,
} from "../../src/host/crypto/issuing.ts"
import type { TlsMaterial } from "../../src/host/kit/interface.ts"
import { HOST_LIMITS } from "../../src/host/kit/limits.ts"
import { joinOverlay, type Membership } from "../../src/host/membership/membership.ts"
import { FarmNode, PORTS } from "./support/farm.ts"
import { removeDirectory, temporaryDirectory, until } from "./support/programs.ts"
import { openTcp, openTls, openUdp, type RawConnection } from "./support/raw.ts"
import { RealPhone } from "./support/real-phone.ts"

const HOST = "127.0.12.31"
const DOMAIN = "hostile.test"
/** Where the attacker sits, and where he does not. */
const ATTACKER = "127.0.12.66"
const OFFICE = "127.0.12.67"
const DAY = 86_400_000
/** What the process may have grown by at the end of it all. */
const GROWTH = 400 * 1_048_576

const directory = temporaryDirectory()
const node = new FarmNode(HOST, join(directory, "node"), ["--log-level", "warn", "--trusted", "none"], {})
const sip = { host: HOST, port: PORTS.sip }
const sips = { host: HOST, port: PORTS.sips }
const reload = { host: HOST, port: PORTS.reload }
const http = { host: HOST, port: PORTS.http }
const cryptography = openSslCryptography()
const now = () => Date.now() as Instant

/** A node of this fabric that runs no Carillon, and one that the operator has revoked. */
let member: Membership
let revoked: Membership
let phone: RealPhone
let memoryBefore: number

const phoneOf = (user: string, password: string, host = OFFICE) =>
  RealPhone.open(host, { user, password, domain: DOMAIN, proxy: sip })

before(async () => {
  await node.up("--domain", DOMAIN, "--user", "alice:secret", "--user", "mallory:secret")
  const invite = (await node.ask("invite", "--uses", "2")).trim()
  const join_ = (name: string) =>
    joinOverlay({ data: join(directory, name), invite, advertised: { host: ATTACKER, port: 1 } })
  member = await join_("member")
  revoked = await join_("revoked")
  assert.equal(await node.stop(), 0)
  await revoke(revoked.identity.nodeId)
  await node.up()
  phone = await phoneOf("alice", "secret")
  assert.equal((await phone.register()).status, 200)
  memoryBefore = await memory()
})
after(async () => {
  phone?.close()
  await node.stop("SIGKILL")
  await removeDirectory(directory)
})

/** As long as no command does it: puts the node on the list of the configuration document, under its signer's name. */
async function revoke(id: NodeId): Promise<void> {
  const membership = join(node.data, "membership")
  const authority = await openAuthority(join(membership, "authority"), DOMAIN, cryptography)
  const path = join(membership, "configuration.xml")
  const { configuration } = parseConfiguration(readFileSync(path, "utf8"))
  writeFileSync(path, writeConfiguration({ ...configuration, badNodes: [id] }, authority!.signer))
}

const memory = async () => (await node.counters("process_resident_memory_bytes")).get("")!

/** The counter rises by `by` at least while, or soon after, `provoke` runs; `said`: and the log has such a line. */
async function counts(
  name: string,
  labels: string,
  provoke: () => Promise<unknown>,
  { by = 1, said = /^/ }: { readonly by?: number; readonly said?: RegExp } = {},
): Promise<void> {
  const read = async () => (await node.counters(name)).get(labels) ?? 0
  const earlier = await read()
  const begin = node.program!.output.length
  await provoke()
  await until(`${name}{${labels}} has risen by ${by}`, async () => (await read()) >= earlier + by, 15_000)
  await until(`the log says ${said}`, () => said.test(node.program!.output.slice(begin)), 5_000)
}

/** The same process as ever takes a registration, and says that it is well. */
async function stillServes(): Promise<void> {
  assert.equal(node.program?.exitCode, undefined)
  assert.equal((await phone.register()).status, 200)
  assert.equal((await fetch(`${node.http}/healthz`)).status, 200)
  assert.doesNotMatch(node.program!.output, /^ {4}at /m, "a stack trace was logged")
}

describe("at the RELOAD port", () => {
  after(stillServes)
  const saysOfMember = (text: string) => new RegExp(`${member.identity.nodeId}.*${text}`)
  const cut = (cause: string) => `listener="reload",cause="${cause}"`

  test("bytes that are no TLS are cut off and counted", async () => {
    for (const bytes of [randomBytes(4_096), Buffer.from("GET / HTTP/1.1\r\n\r\n")])
      await counts("host_connections_refused_total", cut("tls"), async () => {
        const connection = await openTcp(reload, ATTACKER)
        connection.socket.write(bytes)
        await connection.closed
      })
  })

  test("a node without a certificate is cut off and counted", () =>
    counts(
      "host_connections_refused_total",
      cut("certificate"),
      async () => (await openTls(reload, ATTACKER)).closed,
    ))

  for (const [what, material, said] of [
    [
      "of another CA",
      () => foreignMaterial(),
      /node-.* is not signed by the CA of hostile\.test: admit it anew/,
    ],
    ["that has expired", () => expiredMaterial(), /node-.* expired 24 h ago: compare the clocks .* admit it/],
    ["that is revoked", () => revoked.fabricTls, /node-.* is revoked, .* bad-node .*: admit it anew/],
  ] as const) {
    test(`a certificate ${what} is no link, nor a way to speak SIP, and is counted`, async () => {
      const shown = { material: material() }
      await counts(
        "reload_refused_total",
        'cause="certificate"',
        async () => (await openTls(reload, ATTACKER, shown)).closed,
        { said },
      )
      await counts(
        "host_connections_refused_total",
        cut("certificate"),
        async () => (await openTls(reload, ATTACKER, { ...shown, protocol: "sip" })).closed,
      )
    })
  }

  test("a node of the fabric that does not speak RELOAD is cut off and counted", () =>
    counts(
      "reload_refused_total",
      'cause="not-reload"',
      async () => {
        const link = await openLink()
        link.socket.write(randomBytes(1_000).fill(0, 0, 1))
        await link.closed
      },
      { said: saysOfMember("not framed as RELOAD, a byte 0 .* the link was cut: run versions") },
    ))

  test("a frame above the overlay's largest message is cut off and counted", () =>
    counts(
      "reload_refused_total",
      'cause="too-large"',
      async () => {
        const link = await openLink()
        const frame = new Framing(1 << 24).frame(ping(), now())
        new DataView(frame.buffer).setUint32(4, member.configuration.maxMessageSize + 1)
        link.socket.write(frame)
        await link.closed
      },
      { said: saysOfMember("a message of 65537 bytes, above max-message-size 65536; the link was cut") },
    ))

  test("a message of another overlay, one with a wrong signature and one cut short are dropped and counted", async () => {
    const link = await openLink()
    const send = async (bytes: Uint8Array) => void link.socket.write(new Framing(65_536).frame(bytes, now()))
    const foreign = ping({ overlay: overlayHash(cryptography, "elsewhere.test") })
    await counts("reload_refused_total", 'cause="wrong-overlay"', () => send(foreign), {
      said: saysOfMember("of an overlay with the hash .* of hostile.test: stop that node, and join it"),
    })
    const forged = ping()
    forged[forged.length - 1]! ^= 1
    await counts("reload_refused_total", 'cause="signature"', () => send(forged), {
      said: saysOfMember("signature is not that of node-.*; the message was dropped: if this goes on"),
    })
    await counts("reload_refused_total", 'cause="malformed"', () => send(ping().subarray(0, 40)), {
      said: saysOfMember("a message of 40 bytes is malformed, .*: run versions"),
    })
    const asked = link.heard().length
    await send(ping())
    await until("the link still answers", () => link.heard().length > asked + 200, 5_000)
    link.socket.destroy()
  })

  const openLink = () => openTls(reload, ATTACKER, { protocol: "reload", material: member.fabricTls })

  /** A Ping to whoever gets it, signed by the member. */
  function ping({ overlay = overlayHash(cryptography, DOMAIN) } = {}): Uint8Array {
    const transaction = toHex(randomBytes(8)) as TransactionId
    const contents = { body: { kind: "ping-req", padding: new Uint8Array() }, extensions: [] } as const
    const header = {
      overlay,
      configurationSequence: member.configuration.sequence,
      ttl: 10,
      fragment: { last: true, offset: 0 },
      transaction,
      maxResponseLength: 0,
      via: [],
      destination: [{ kind: "node", node: "f".repeat(32) as NodeId }],
      options: [],
    } as const
    return writeMessage(header, signMessage(member.identity, { overlay, transaction, contents }))
  }

  function foreignMaterial(): TlsMaterial {
    const rootKey = newKey()
    return issue({ keyPem: rootKey, certificate: issueRoot(rootKey, `Carillon CA of ${DOMAIN}`, now()) }, 0)
  }

  function expiredMaterial(): TlsMaterial {
    const file = (name: string) => readFileSync(join(node.data, "membership", "authority", name), "utf8")
    return issue({ keyPem: file("root.key"), certificate: dersOf(file("root.crt"))[0]! }, 2 * DAY)
  }

  /** A certificate as the fabric issues them, of one day, that long ago. */
  function issue(issuer: Parameters<typeof issueNodeCertificate>[0], ago: number): TlsMaterial {
    const key = newKey()
    const nodeId = toHex(randomBytes(16)) as NodeId
    const names = {
      nodeId,
      overlay: DOMAIN,
      userName: `node-${nodeId}@${DOMAIN}`,
      roles: ["registrar", "proxy"],
    }
    const der = issueNodeCertificate(
      issuer,
      publicKeyOf(key),
      names,
      (now() - ago) as Instant,
      DAY as Duration,
    )
    return { certificate: pemOf(der) + pemOf(issuer.certificate), key }
  }
})

let requests = 0

/** A request, with lines changed, removed (undefined) or added. */
function request(
  method: string,
  changes: Readonly<Record<string, string | undefined>> = {},
  transport = "UDP",
): string {
  const number = ++requests
  const lines = Object.entries({
    Via: `SIP/2.0/${transport} ${ATTACKER}:5060;rport;branch=z9hG4bK${number}`,
    "Max-Forwards": "70",
    From: `<sip:someone@elsewhere.test>;tag=${number}`,
    To: `<sip:${DOMAIN}>`,
    "Call-ID": `hostile-${number}`,
    CSeq: `1 ${method}`,
    "Content-Length": "0",
    ...changes,
  }).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
  return `${[`${method} sip:${DOMAIN} SIP/2.0`, ...lines].join("\r\n")}\r\n\r\n`
}

const malformed = async () =>
  [...(await node.counters("sip_malformed_total")).values()].reduce((sum, each) => sum + each, 0)

describe("at the SIP port", () => {
  after(stillServes)

  /** 513 is for what is too much, RFC 3261 §21.5.7. */
  const WRONG: readonly (readonly [
    what: string,
    changes: Readonly<Record<string, string | undefined>>,
    answer: RegExp,
  ])[] = [
    ["without CSeq", { CSeq: undefined }, /^SIP\/2\.0 400 [^\r]*CSeq/],
    ["with a CSeq of another method", { CSeq: "1 INVITE" }, /^SIP\/2\.0 400 [^\r]*CSeq/],
    ["with a From that is no address", { From: "<<<>" }, /^SIP\/2\.0 400 [^\r]*From/],
    ["without Call-ID", { "Call-ID": undefined }, /^SIP\/2\.0 400 [^\r]*Call-ID/],
    [
      "with too many header fields",
      Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`X-${i}`, "x"])),
      /^SIP\/2\.0 513 More Than 256 Header Fields\r/,
    ],
    [
      "with a header field of 20,000 bytes",
      { Subject: "x".repeat(20_000) },
      /^SIP\/2\.0 513 Header Field Above 16384 Bytes\r/,
    ],
  ]

  test("a malformed request is answered with what is wrong with it, over UDP and TCP, and counted", async () => {
    const before = await malformed()
    const udp = await openUdp(ATTACKER, sip)
    for (const [what, changes, answer] of WRONG) {
      assert.match(await udp.ask(request("OPTIONS", changes)), answer, what)
      const tcp = await openTcp(sip, ATTACKER)
      tcp.socket.write(request("OPTIONS", changes, "TCP"))
      await until(`${what}: an answer over TCP`, () => answer.test(tcp.heard()), 5_000)
      tcp.socket.destroy()
    }
    udp.close()
    assert.equal(await malformed(), before + 2 * WRONG.length)
  })

  test("what cannot be answered is met with silence, and counted", async () => {
    const before = await malformed()
    const udp = await openUdp(ATTACKER, sip)
    const nonsense = [
      randomBytes(500).fill(200, 0, 1),
      "hello",
      request("OPTIONS", { Via: undefined }),
      request("ACK", { CSeq: undefined }),
      "SIP/2.0 200 OK\r\nnonsense\r\n\r\n",
    ]
    for (const bytes of nonsense) udp.send(bytes)
    await until("all are counted", async () => (await malformed()) >= before + nonsense.length, 5_000)
    assert.match(await udp.ask(request("OPTIONS")), /^SIP\/2\.0 200 /)
    assert.equal(udp.heard.length, 1)
    udp.close()
  })

  test("a stream in which no next message can be found is cut and counted", async () => {
    for (const bytes of [
      request("OPTIONS", { "Content-Length": undefined }, "TCP"),
      request("OPTIONS", { "Content-Length": "70000" }, "TCP"),
      request("OPTIONS", { "Content-Length": "x" }, "TCP"),
      Buffer.alloc(70_000, "x"),
    ])
      await counts("host_streams_cut_total", 'cause="framing"', async () => {
        const tcp = await openTcp(sip, ATTACKER)
        tcp.socket.write(bytes)
        await tcp.closed
      })
  })

  test("a phone registers while 20,000 datagrams of garbage come in", async () => {
    const udp = await openUdp(ATTACKER, sip)
    const garbage = [
      randomBytes(600).fill(200, 0, 1),
      Buffer.from(request("INVITE", { Via: undefined })),
      Buffer.from(request("INVITE", { CSeq: undefined })),
    ]
    const flood = (async () => {
      for (let sent = 0; sent < 20_000; sent += 100) {
        for (let i = 0; i < 100; i++) udp.send(garbage[i % garbage.length]!)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    })()
    const before = await malformed()
    for (let round = 0; round < 5; round++) assert.equal((await phone.register()).status, 200)
    await flood
    assert.equal((await phone.register()).status, 200)
    await until("most of the flood is counted", async () => (await malformed()) > before + 5_000, 20_000)
    udp.close()
  })
})

describe("a guesser of passwords", () => {
  after(stillServes)

  test("is answered 401 again, then 403 whatever he says, while others register", async () => {
    const { failuresPerSource } = LIMITS.sip
    const guesser = await phoneOf("mallory", "wrong", ATTACKER)
    const statuses: number[] = []
    await counts("sip_refused_total", 'status="403"', async () => {
      while (statuses.at(-1) !== 403 && statuses.length <= failuresPerSource)
        statuses.push((await guesser.register()).status)
    })
    guesser.close()
    assert.deepEqual(statuses, [...Array<number>(failuresPerSource - 1).fill(401), 403])
    const lucky = await phoneOf("mallory", "secret", ATTACKER)
    assert.equal((await lucky.register()).status, 403)
    lucky.close()
    const other = await phoneOf("mallory", "secret", "127.0.12.68")
    assert.equal((await other.register()).status, 200)
    other.close()
  })
})

describe("many idle connections", () => {
  const open: RawConnection[] = []
  after(async () => {
    for (const { socket } of open) socket.destroy()
    await stillServes()
  })

  /** Opens so many, says nothing, and gives how many were not closed again. */
  async function hold(address: Address, count: number): Promise<void> {
    for (let opened = 0; opened < count; opened += 200)
      open.push(
        ...(await Promise.all(
          Array.from({ length: Math.min(200, count - opened) }, () => openTcp(address, ATTACKER)),
        )),
      )
  }

  test("from one source are bounded at each port, the rest is refused and counted", async () => {
    const refused = (listener: string) => `listener="${listener}",cause="too-many-from-source"`
    const { streams, links } = HOST_LIMITS
    await counts(
      "host_connections_refused_total",
      refused("sip"),
      () => hold(sip, streams.connectionsPerSource + 50),
      { by: 50 },
    )
    await counts(
      "host_connections_refused_total",
      refused("reload"),
      () => hold(reload, links.connectionsPerSource + 50),
      { by: 50 },
    )
    await hold(sips, 500)
  })

  test("do not keep phones out, by any transport", async () => {
    assert.equal((await phone.register()).status, 200)
    const tcp = await openTcp(sip, OFFICE)
    const tls = await openTls(sips, OFFICE)
    for (const [transport, connection] of [
      ["TCP", tcp],
      ["TLS", tls],
    ] as const) {
      connection.socket.write(request("OPTIONS", {}, transport))
      await until(`an answer over ${transport}`, () => connection.heard().startsWith("SIP/2.0 200 "), 5_000)
      connection.socket.destroy()
    }
  })

  test("at the HTTP port are bounded and counted", async () => {
    // What the kernel has accepted the node may not have seen yet: all stay open until it has counted those that are too
    // many. It cannot say so over HTTP while they are held, so that it is its closing some of them that is waited for.
    const refused = 'listener="http",cause="too-many"'
    await counts("host_connections_refused_total", refused, async () => {
      const held = await Promise.all(Array.from({ length: 300 }, () => openTcp(http, ATTACKER)))
      await Promise.any(held.map(({ closed }) => closed))
      for (const { socket } of held) socket.destroy()
    })
  })
})

test("memory is bounded through all of it", async () => {
  const grown = (await memory()) - memoryBefore
  console.log(
    `# memory before ${Math.round(memoryBefore / 1_048_576)} MB, grown by ${Math.round(grown / 1_048_576)} MB`,
  )
  assert.ok(grown < GROWTH, `${grown} bytes`)
})

describe("with loopback trusted, as it is by default", () => {
  before(async () => {
    await node.stop()
    await node.up("--trusted", "127.0.0.0/8")
  })
  after(stillServes)

  test("wrong passwords are 401 for ever, and nobody is let in without the right one", async () => {
    const guesser = await phoneOf("mallory", "wrong", ATTACKER)
    for (let round = 0; round <= LIMITS.sip.failuresPerSource + 5; round++)
      assert.equal((await guesser.register()).status, 401)
    guesser.close()
    const owner = await phoneOf("mallory", "secret", ATTACKER)
    assert.equal((await owner.register()).status, 200)
    owner.close()
  })
})
