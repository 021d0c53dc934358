import assert from "node:assert/strict"
import { createSocket, type Socket as UdpSocket } from "node:dgram"
import { once } from "node:events"
import { connect, createServer, type Server, type Socket } from "node:net"
import { after, type TestContext, test } from "node:test"
import { createServer as createTlsServer, connect as tlsConnect } from "node:tls"
import type { ResolvedHop } from "../../src/core/node/interface.ts"
import { PortTakenError } from "../../src/host/network/listen.ts"
import { makeCertificates, startHost } from "./host-fixtures.ts"

const certificates = makeCertificates()
after(() => certificates.close())

const MESSAGE = "OPTIONS sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\nbody"
const OTHER = "BYE sip:b SIP/2.0\r\nl: 0\r\n\r\n"
const bytes = (text: string) => Buffer.from(text, "latin1")
const text = (from: Uint8Array) => Buffer.from(from).toString("latin1")

async function openUdp(t: TestContext): Promise<UdpSocket> {
  const socket = createSocket("udp4")
  socket.bind(0, "127.0.0.1")
  await once(socket, "listening")
  t.after(() => socket.close())
  return socket
}

async function openTcp(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1")
  t.after(() => socket.destroy())
  await once(socket, "connect")
  return socket
}

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  t.after(() => server.close())
  return (server.address() as { readonly port: number }).port
}

/** What the socket brings until that many bytes are there. */
async function readBytes(socket: Socket, count: number): Promise<string> {
  let read = ""
  while (read.length < count) read += text((await once(socket, "data"))[0])
  return read
}

const tcpHop = (port: number): ResolvedHop => ({
  kind: "address",
  transport: "TCP",
  address: { host: "127.0.0.1", port },
  serverName: undefined,
})

test("a datagram comes to the node with its flow, and goes back over it", async (t) => {
  const { node, host } = await startHost(t, certificates)
  const phone = await openUdp(t)
  phone.send(MESSAGE, host.ports.sip, "127.0.0.1")
  const { flow, bytes: received } = await node.told("received")
  assert.equal(text(received), MESSAGE)
  assert.deepEqual(flow, {
    transport: "UDP",
    local: { host: "127.0.0.1", port: host.ports.sip },
    remote: { host: "127.0.0.1", port: phone.address().port },
    connection: undefined,
    node: undefined,
  })
  node.ask(host, { kind: "send", id: "1", hop: { kind: "flow", flow }, bytes: bytes(OTHER) })
  const [answer, from] = await once(phone, "message")
  assert.equal(text(answer), OTHER)
  assert.equal(from.port, host.ports.sip)
})

test("keep-alives never reach the node; STUN among them is answered with the phone's address", async (t) => {
  const { node, host } = await startHost(t, certificates)
  const phone = await openUdp(t)
  for (const each of ["", "\r\n\r\n", "\n", "\0\0\0\0", "\x01"])
    phone.send(bytes(each), host.ports.sip, "127.0.0.1")
  // A Binding request without attributes, RFC 8489 §5.
  phone.send(Buffer.from(`000100002112a442${"07".repeat(12)}`, "hex"), host.ports.sip, "127.0.0.1")
  const [answer] = await once(phone, "message")
  assert.equal(answer.toString("hex", 0, 2), "0101")
  assert.equal(answer.readUInt16BE(26) ^ 0x2112, phone.address().port)
  phone.send(MESSAGE, host.ports.sip, "127.0.0.1")
  assert.equal(text((await node.told("received")).bytes), MESSAGE)
  assert.equal(node.untold("received"), 0)
})

test("a send that cannot be comes back with its id, over UDP and TCP alike", async (t) => {
  const { node, host } = await startHost(t, certificates)
  const closed = createServer()
  const port = await listen(t, closed)
  closed.close()
  const hops: Record<string, ResolvedHop> = {
    refused: tcpHop(port),
    port: {
      kind: "address",
      transport: "UDP",
      address: { host: "127.0.0.1", port: 0 },
      serverName: undefined,
    },
    family: {
      kind: "address",
      transport: "UDP",
      address: { host: "2001:db8::1", port: 5060 },
      serverName: undefined,
    },
    gone: {
      kind: "flow",
      flow: { transport: "TCP", local: LOCAL, remote: LOCAL, connection: 999, node: undefined },
    },
  }
  for (const [id, hop] of Object.entries(hops)) {
    node.ask(host, { kind: "send", id, hop, bytes: bytes(MESSAGE) })
    const failed = await node.told("send-failed")
    assert.equal(failed.id, id)
    assert.notEqual(failed.reason, "")
  }
})

const LOCAL = { host: "127.0.0.1", port: 5060 }

test("a TCP stream is cut into messages however it comes, and pings are answered", async (t) => {
  const { node, host } = await startHost(t, certificates)
  const phone = await openTcp(t, host.ports.sip)
  phone.setNoDelay(true)
  const stream = `\r\n\r\n${MESSAGE}${OTHER}`
  for (const part of [stream.slice(0, 20), stream.slice(20, 60), stream.slice(60)]) {
    phone.write(part, "latin1")
    await new Promise(setImmediate)
  }
  assert.equal(await readBytes(phone, 2), "\r\n")
  const first = await node.told("received")
  const second = await node.told("received")
  assert.deepEqual([text(first.bytes), text(second.bytes)], [MESSAGE, OTHER])
  assert.equal(first.flow.transport, "TCP")
  assert.equal(first.flow.connection, second.flow.connection)
  assert.equal(first.flow.remote.port, phone.localPort)
  assert.equal(host.gauges["sip_connections_tcp"], 1)
})

test("a connection that is closed by us has been sent everything before, and its flow is said to be closed", async (t) => {
  const { node, host } = await startHost(t, certificates)
  const phone = await openTcp(t, host.ports.sip)
  phone.write(OTHER)
  const { flow } = await node.told("received")
  const ended = once(phone, "end")
  node.ask(
    host,
    { kind: "send", id: "1", hop: { kind: "flow", flow }, bytes: bytes(MESSAGE) },
    { kind: "close-flow", flow },
  )
  assert.equal(await readBytes(phone, MESSAGE.length), MESSAGE)
  await ended
  assert.deepEqual((await node.told("flow-closed")).flow, flow)
  node.ask(host, { kind: "send", id: "2", hop: { kind: "flow", flow }, bytes: bytes(MESSAGE) })
  assert.equal((await node.told("send-failed")).id, "2")
})

test("a stream that is no SIP is cut", async (t) => {
  const { node, host, counted } = await startHost(t, certificates)
  const phone = await openTcp(t, host.ports.sip)
  phone.write("GET / HTTP/1.1\r\n\r\n")
  await once(phone, "close")
  await node.told("flow-closed")
  assert.deepEqual(counted, ["host_streams_cut_total framing"])
})

test("a phone that does not read is cut before its messages fill the memory", async (t) => {
  const { node, host, counted } = await startHost(t, certificates)
  const phone = await openTcp(t, host.ports.sip)
  phone.pause()
  phone.write(OTHER)
  const { flow } = await node.told("received")
  const large = bytes("x".repeat(65_000))
  const sends = Array.from({ length: 1_000 }, () => {
    return { kind: "send", id: "1", hop: { kind: "flow", flow }, bytes: large } as const
  })
  node.ask(host, ...sends)
  await node.told("flow-closed")
  assert.ok(counted.includes("host_streams_cut_total not-reading"))
})

test("what is sent to an address shares one connection, also one that came from there", async (t) => {
  const { node, host } = await startHost(t, certificates)
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.on("data", (data) => socket.write(data))
    socket.on("error", () => undefined)
    t.after(() => socket.destroy())
  })
  const hop = tcpHop(await listen(t, server))
  node.ask(
    host,
    { kind: "send", id: "1", hop, bytes: bytes(MESSAGE) },
    { kind: "send", id: "2", hop, bytes: bytes(OTHER) },
  )
  assert.equal(text((await node.told("received")).bytes), MESSAGE)
  assert.equal(text((await node.told("received")).bytes), OTHER)
  node.ask(host, { kind: "send", id: "3", hop, bytes: bytes(OTHER) })
  await node.told("received")
  assert.equal(connections, 1)

  const phone = await openTcp(t, host.ports.sip)
  phone.write(OTHER)
  await node.told("received")
  node.ask(host, { kind: "send", id: "4", hop: tcpHop(phone.localPort!), bytes: bytes(MESSAGE) })
  assert.equal(await readBytes(phone, MESSAGE.length), MESSAGE)
})

test("a phone speaks SIP over TLS with the phones' certificate", async (t) => {
  const { node, host } = await startHost(t, certificates)
  const phone = tlsConnect({
    port: host.ports.sips,
    host: "127.0.0.1",
    ca: certificates.rootPem,
    checkServerIdentity: (_, shown) =>
      assert.match(shown.subjectaltname ?? "", /URI:sip:phones.test/) as undefined,
  })
  t.after(() => phone.destroy())
  await once(phone, "secureConnect")
  phone.write(MESSAGE)
  const { flow } = await node.told("received")
  assert.equal(flow.transport, "TLS")
  assert.equal(flow.node, undefined)
  node.ask(host, { kind: "send", id: "1", hop: { kind: "flow", flow }, bytes: bytes(OTHER) })
  assert.equal(await readBytes(phone, OTHER.length), OTHER)
})

test("a TLS server is sent to only if its certificate is trusted and for the name that was asked for", async (t) => {
  const trusting = await startHost(t, certificates, { trustedRoots: [certificates.rootPem] })
  const wary = await startHost(t, certificates)
  const { certificate, key } = certificates.phone
  const heard: string[] = []
  const server = createTlsServer({ cert: certificate, key }, (socket) => {
    socket.on("data", (data) => heard.push(text(data)))
    socket.on("data", (data) => socket.write(data))
    socket.on("error", () => undefined)
    t.after(() => socket.destroy())
  })
  const port = await listen(t, server)
  const hop = (serverName: string | undefined): ResolvedHop => ({
    kind: "address",
    transport: "TLS",
    address: { host: "127.0.0.1", port },
    serverName,
  })
  const send = (hop: ResolvedHop) => ({ kind: "send", id: "1", hop, bytes: bytes(OTHER) }) as const

  trusting.node.ask(trusting.host, send(hop("other.test")))
  assert.match(
    (await trusting.node.told("send-failed")).reason,
    /for phones.test, 127.0.0.1, not for other.test/,
  )
  wary.node.ask(wary.host, send(hop("phones.test")))
  assert.match((await wary.node.told("send-failed")).reason, /certificate/)
  assert.deepEqual(heard, [])

  for (const name of ["phones.test", undefined]) {
    trusting.node.ask(trusting.host, send(hop(name)))
    assert.equal(text((await trusting.node.told("received")).bytes), OTHER)
  }
})

test("a port that is taken is named with what to do, and no other port stays bound", async (t) => {
  const taken = createServer()
  const port = await listen(t, taken)
  const free = createServer()
  const sip = await listen(t, free)
  await new Promise((resolve) => free.close(resolve))
  await assert.rejects(startHost(t, certificates, { ports: { sip, sips: 0, reload: port } }), (error) => {
    assert.ok(error instanceof PortTakenError)
    assert.match(error.message, new RegExp(`TCP port ${port} on 127.0.0.1 is taken.*--reload-port`))
    return true
  })
  const again = createServer()
  again.listen(sip, "127.0.0.1")
  await once(again, "listening")
  again.close()
})

test("a SIP port whose UDP side alone is taken is taken", async (t) => {
  const port = (await openUdp(t)).address().port
  await assert.rejects(
    startHost(t, certificates, { ports: { sip: port, sips: 0, reload: 0 } }),
    /UDP port.*--sip-port/,
  )
})
