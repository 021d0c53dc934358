import assert from "node:assert/strict"
import { X509Certificate } from "node:crypto"
import { once } from "node:events"
import { readFileSync, statSync } from "node:fs"
import { type IncomingMessage, request } from "node:http"
import { connect, createServer, type Socket } from "node:net"
import { join } from "node:path"
import { after, type TestContext, test } from "node:test"
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls"
import type { Address } from "../../src/core/kit/address.ts"
import type { Instant } from "../../src/core/kit/time.ts"
import type { NodeEffect } from "../../src/core/node/interface.ts"
import { openSslCryptography } from "../../src/host/crypto/cryptography.ts"
import type { EnrolmentHttpRequest } from "../../src/host/kit/interface.ts"
import { createFabricTrust } from "../../src/host/network/fabric-trust.ts"
import { makeCertificates, nodeIdOf, type Started, startHost, temporaryDirectory } from "./host-fixtures.ts"

const certificates = makeCertificates()
after(() => certificates.close())

const MESSAGE = "OPTIONS sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\nbody"
const bytes = (text: string) => Buffer.from(text, "latin1")
const text = (from: Uint8Array) => Buffer.from(from).toString("latin1")
const derOf = (digit: string) => new X509Certificate(certificates.node(digit).certificate).raw

const reloadOf = ({ host }: Started): Address => ({ host: "127.0.0.1", port: host.ports.reload })

async function openTls(t: TestContext, to: Started, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = tlsConnect({ ...reloadOf(to), rejectUnauthorized: false, ...options })
  t.after(() => socket.destroy())
  socket.on("error", () => undefined)
  await once(socket, "secureConnect")
  return socket
}

const sipTo = (digit: string, address: Address): NodeEffect => ({
  kind: "send",
  id: "1",
  hop: { kind: "node", node: nodeIdOf(digit), address },
  bytes: bytes(MESSAGE),
})

test("a link carries bytes both ways, each end knows the other's certificate, and both hear its end", async (t) => {
  const a = await startHost(t, certificates, { identity: "a" })
  const b = await startHost(t, certificates, { identity: "b" })
  a.node.ask(a.host, { kind: "open-link", attempt: 7, address: reloadOf(b) })
  const here = await a.node.told("link-opened")
  const there = await b.node.told("link-opened")
  assert.equal(here.attempt, 7)
  assert.equal(there.attempt, undefined)
  assert.ok(derOf("b").equals(here.certificate))
  assert.ok(derOf("a").equals(there.certificate))
  assert.deepEqual(here.remote, reloadOf(b))

  a.node.ask(a.host, { kind: "link-send", link: here.link, bytes: bytes("to b") })
  b.node.ask(b.host, { kind: "link-send", link: there.link, bytes: bytes("to a") })
  assert.equal(text((await b.node.told("link-received")).bytes), "to b")
  assert.equal(text((await a.node.told("link-received")).bytes), "to a")
  assert.equal(a.host.gauges["reload_links"], 1)

  a.node.ask(
    a.host,
    { kind: "link-send", link: here.link, bytes: bytes("last") },
    { kind: "close-link", link: here.link, reason: "done" },
  )
  assert.equal(text((await b.node.told("link-received")).bytes), "last")
  assert.equal((await b.node.told("link-closed")).link, there.link)
  while (b.host.gauges["accepted_reload"] !== 0) await new Promise(setImmediate) // The limits forget it too.
})

test("a link to nobody, and to no TLS server, fails in words", async (t) => {
  const a = await startHost(t, certificates)
  const plain = createServer((socket) => {
    socket.on("error", () => undefined).resume()
    socket.end("hello, this is no TLS at all")
  })
  plain.listen(0, "127.0.0.1")
  await once(plain, "listening")
  const { port } = plain.address() as { readonly port: number }
  a.node.ask(a.host, { kind: "open-link", attempt: 1, address: { host: "127.0.0.1", port } })
  const first = await a.node.told("link-failed")
  assert.equal(first.attempt, 1)
  assert.match(first.reason, /127\.0\.0\.1/)
  plain.close()
  await once(plain, "close")
  a.node.ask(a.host, { kind: "open-link", attempt: 2, address: { host: "127.0.0.1", port } })
  const second = await a.node.told("link-failed")
  assert.equal(second.attempt, 2)
  assert.equal(second.reason, `127.0.0.1:${port} refused the connection`)
})

test("a client without ALPN is a RELOAD node, and one without a certificate is nobody", async (t) => {
  const b = await startHost(t, certificates, { identity: "b" })
  const { certificate, key } = certificates.foreign
  const stranger = await openTls(t, b, { cert: certificate, key })
  stranger.write("frame")
  const { certificate: shown } = await b.node.told("link-opened")
  assert.ok(new X509Certificate(certificate).raw.equals(shown), "judging it is the overlay's")
  assert.equal(text((await b.node.told("link-received")).bytes), "frame")

  const nobody = await openTls(t, b, {})
  await once(nobody, "close")
  assert.equal(b.node.untold("link-opened"), 0)
  assert.ok(b.counted.includes("host_connections_refused_total reload certificate"))
})

test("where keys are logged each frame travels in a TLS record of its own", async (t) => {
  const keyLog = join(temporaryDirectory(t), "keys")
  const a = await startHost(t, certificates, { identity: "a", keyLog })
  const b = await startHost(t, certificates, { identity: "b" })
  const seen: Buffer[] = []
  const relay = createServer((near: Socket) => {
    const far = connect(b.host.ports.reload, "127.0.0.1")
    near.on("data", (data) => seen.push(data))
    near.pipe(far).pipe(near)
    for (const each of [near, far]) {
      each.on("error", () => undefined)
      t.after(() => each.destroy())
    }
  })
  relay.listen(0, "127.0.0.1")
  await once(relay, "listening")
  t.after(() => relay.close())
  const { port } = relay.address() as { readonly port: number }
  a.node.ask(a.host, { kind: "open-link", attempt: 1, address: { host: "127.0.0.1", port } })
  const { link } = await a.node.told("link-opened")
  await b.node.told("link-opened")
  const before = recordLengths(Buffer.concat(seen)).length
  a.node.ask(
    a.host,
    ...Array.from(
      { length: 20 },
      (): NodeEffect => ({ kind: "link-send", link, bytes: bytes("x".repeat(1_000)) }),
    ),
  )
  for (let received = 0; received < 20_000; ) received += (await b.node.told("link-received")).bytes.length
  // TLS 1.3 adds the content type and a 16-byte tag. RFC 8446 §5.2.
  assert.deepEqual(recordLengths(Buffer.concat(seen)).slice(before), Array(20).fill(1_017))
})

/** Lengths of the TLS records in a stream. RFC 8446 §5.1. */
function recordLengths(stream: Buffer): readonly number[] {
  const lengths: number[] = []
  for (let at = 0; at + 5 <= stream.length; at += 5 + lengths.at(-1)!)
    lengths.push(stream.readUInt16BE(at + 3))
  return lengths
}

test("SIP between nodes goes over one connection in both directions, each end authenticated", async (t) => {
  const a = await startHost(t, certificates, { identity: "a" })
  const b = await startHost(t, certificates, { identity: "b" })
  a.node.ask(a.host, sipTo("b", reloadOf(b)), sipTo("b", reloadOf(b)))
  const { flow, bytes: received } = await b.node.told("received")
  assert.equal(text(received), MESSAGE)
  assert.equal(flow.node, nodeIdOf("a"))
  assert.equal(flow.transport, "TLS")
  const again = await b.node.told("received")
  assert.equal(again.flow.connection, flow.connection)

  b.node.ask(b.host, sipTo("a", { host: "127.0.0.1", port: 1 }))
  assert.equal((await a.node.told("received")).flow.node, nodeIdOf("b"))
  assert.equal(b.host.gauges["sip_connections_node"], 1)
})

test("SIP is not sent to another node than the one that was meant", async (t) => {
  const a = await startHost(t, certificates, { identity: "a" })
  const b = await startHost(t, certificates, { identity: "b" })
  a.node.ask(a.host, sipTo("c", reloadOf(b)))
  const { id, reason, node } = await a.node.told("send-failed")
  assert.equal(id, "1")
  assert.equal(node, nodeIdOf("c"))
  assert.match(reason, new RegExp(`${nodeIdOf("b")}, not ${nodeIdOf("c")}`))
  assert.equal(b.node.untold("received"), 0)
})

test("SIP between nodes is taken from none but nodes of the fabric", async (t) => {
  const b = await startHost(t, certificates, { identity: "b" })
  for (const { certificate, key } of [certificates.foreign, certificates.phone]) {
    const stranger = await openTls(t, b, { cert: certificate, key, ALPNProtocols: ["sip"] })
    stranger.write(MESSAGE)
    await once(stranger, "close")
  }
  const nobody = await openTls(t, b, { ALPNProtocols: ["sip"] })
  await once(nobody, "close")
  assert.equal(b.node.untold("received"), 0)
  const refusals = b.counted.filter((each) => each === "host_connections_refused_total reload certificate")
  assert.equal(refusals.length, 3)
})

test("a foreign CA's node is not sent SIP, though it names the same overlay", async (t) => {
  const a = await startHost(t, certificates, { identity: "a" })
  const f = await startHost(t, certificates, { fabricTls: certificates.foreign })
  a.node.ask(a.host, sipTo("f", reloadOf(f)))
  assert.match((await a.node.told("send-failed")).reason, /not signed by the CA of overlay.test/)
})

test("enrolment is HTTP on the same port, for clients with and without a certificate", async (t) => {
  const asked: EnrolmentHttpRequest[] = []
  const enrolling = await startHost(t, certificates, {
    enrolment: async (asking) => {
      asked.push(asking)
      return { status: 201, headers: { "content-type": "text/plain" }, body: bytes("welcome") }
    },
  })
  const post = async (body: Buffer, options: ConnectionOptions) => {
    const socket = await openTls(t, enrolling, { ALPNProtocols: ["http/1.1"], ...options })
    const headers = { "content-length": body.length, "x-tag": "1" }
    const sent = request({ createConnection: () => socket, method: "POST", path: "/enroll", headers })
    sent.on("error", () => undefined)
    sent.end(body)
    const [response] = (await once(sent, "response")) as [IncomingMessage]
    return { status: response.statusCode, body: text(Buffer.concat(await response.toArray())) }
  }
  assert.deepEqual(await post(bytes("csr"), {}), { status: 201, body: "welcome" })
  const { certificate, key } = certificates.node("c")
  await post(bytes("again"), { cert: certificate, key })
  assert.deepEqual(
    asked.map(({ method, path, body }) => [method, path, text(body)]),
    [
      ["POST", "/enroll", "csr"],
      ["POST", "/enroll", "again"],
    ],
  )
  assert.equal(asked[0]?.headers["x-tag"], "1")
  assert.equal(asked[0]?.clientCertificate, undefined)
  assert.ok(derOf("c").equals(asked[1]!.clientCertificate!))
  assert.equal((await post(Buffer.alloc(1_048_577), {})).status, 413)
  assert.equal(asked.length, 2)
})

test("a node that cannot enrol refuses the protocol", async (t) => {
  const b = await startHost(t, certificates)
  const socket = tlsConnect({ ...reloadOf(b), rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] })
  const [error] = await once(socket, "error")
  assert.match(error.message, /no application protocol/)
})

test("the key log holds secrets of both ends, and only its owner may read it", async (t) => {
  const keyLog = join(temporaryDirectory(t), "keys")
  const a = await startHost(t, certificates, { identity: "a", keyLog })
  const b = await startHost(t, certificates, { identity: "b" })
  a.node.ask(a.host, { kind: "open-link", attempt: 1, address: reloadOf(b) })
  b.node.ask(b.host, { kind: "open-link", attempt: 1, address: reloadOf(a) })
  await a.node.told("link-opened")
  await a.node.told("link-opened")
  const randoms = readFileSync(keyLog, "latin1").match(/(?<=^CLIENT_TRAFFIC_SECRET_0 )[0-9a-f]{64}/gm)
  assert.equal(new Set(randoms).size, 2)
  assert.equal(statSync(keyLog).mode & 0o777, 0o600)
})

test("a node's certificate is judged by the time it is, and by what it says", () => {
  const day = 86_400_000
  const judge = (days: number, der: Uint8Array | undefined) => {
    const clock = () => (Date.now() + days * day) as Instant
    return createFabricTrust(certificates.node("a"), openSslCryptography(), clock).judge(der)
  }
  assert.deepEqual(judge(0, derOf("b")), { kind: "node", node: nodeIdOf("b") })
  for (const [days, der, reason] of [
    [40, derOf("b"), /expired 10 days ago/],
    [-1, derOf("b"), /becomes valid in/],
    [0, new X509Certificate(certificates.rootPem).raw, /./],
    [0, Buffer.from("no DER"), /./],
    [0, undefined, /no certificate/],
  ] as const) {
    const judged = judge(days, der)
    assert.equal(judged.kind, "stranger")
    assert.match(judged.reason, reason)
  }
})
