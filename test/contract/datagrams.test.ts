import assert from "node:assert/strict"
import { pbkdf2 } from "node:crypto"
import { createSocket, type Socket } from "node:dgram"
import { once } from "node:events"
import { type TestContext, test } from "node:test"
import { promisify } from "node:util"
import type { Address } from "../../src/core/kit/address.ts"
import { ListenError, PortTakenError } from "../../src/host/network/listen.ts"
import type { DatagramSettings, DatagramTransport } from "../../src/host/network/udp/transport.ts"
import { openDatagrams } from "../../src/host/network/udp.ts"

// What any way of moving datagrams promises; each is put to the same tests.

/** Linux on these is where batches are promised; elsewhere `auto` is `plain`, and tested twice. */
const isBatching = process.platform === "linux" && ["x64", "arm64"].includes(process.arch)

interface Got {
  readonly text: string
  readonly from: Address
}

class Listener {
  readonly got: Got[] = []
  transport!: DatagramTransport
  #wake: () => void = () => undefined

  readonly received = (bytes: Uint8Array, from: Address): void => {
    this.got.push({ text: Buffer.from(bytes).toString("latin1"), from })
    this.#wake()
  }

  async until(count: number): Promise<readonly Got[]> {
    while (this.got.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.got
  }
}

for (const way of ["auto", "plain"] as const) {
  const open = async (
    t: TestContext,
    host = "127.0.0.1",
    settings: Partial<DatagramSettings> = {},
  ): Promise<Listener> => {
    const listener = new Listener()
    const { received } = listener
    listener.transport = await openDatagrams({ bind: { host, port: 0 }, received, ...settings }, way)
    t.after(() => listener.transport.close())
    return listener
  }

  test(`${way}: says which way it is, and why`, async (t) => {
    const { transport } = await open(t)
    const expected = way === "auto" && isBatching ? "batched" : "plain"
    assert.equal(transport.way.kind, expected)
    assert.notEqual(transport.way.reason, "")
  })

  for (const host of ["127.0.0.1", "::1"]) {
    test(`${way}: messages come from their sender on ${host}, in order, and go back`, async (t) => {
      const { transport, until } = bind(await open(t, host))
      const phone = await phoneOn(t, host)
      const texts = Array.from({ length: 300 }, (_, i) => `OPTIONS ${i} ${"x".repeat(i * 7)}`)
      for (const text of texts) phone.send(text, transport.local.port, host)
      const got = await until(300)
      assert.deepEqual(
        got.map(({ text }) => text),
        texts,
      )
      const from = { host, port: phone.address().port }
      for (const each of got) assert.deepEqual(each.from, from)
      const answers = collect(phone, 300)
      for (const { text } of got) transport.send(Buffer.from(`re ${text}`), from, fail)
      assert.deepEqual(
        await answers,
        texts.map((text) => `re ${text}`),
      )
    })
  }

  test(`${way}: a socket on :: hears and reaches IPv4 under its own name`, async (t) => {
    const { transport, until } = bind(await open(t, "::"))
    const phone = await phoneOn(t, "127.0.0.1")
    phone.send("OPTIONS", transport.local.port, "127.0.0.1")
    const [{ from }] = (await until(1)) as [Got]
    assert.deepEqual(from, { host: "127.0.0.1", port: phone.address().port })
    const answers = collect(phone, 1)
    transport.send(Buffer.from("200"), from, fail)
    assert.deepEqual(await answers, ["200"])
  })

  test(`${way}: several senders at once are told apart`, async (t) => {
    const { transport, until } = bind(await open(t))
    const phones = await Promise.all(Array.from({ length: 20 }, () => phoneOn(t, "127.0.0.1")))
    for (const phone of phones) phone.send(String(phone.address().port), transport.local.port, "127.0.0.1")
    for (const { text, from } of await until(20)) assert.equal(text, String(from.port))
  })

  test(`${way}: the largest datagram there is goes both ways`, async (t) => {
    const { transport, until } = bind(await open(t))
    const phone = await phoneOn(t, "127.0.0.1")
    const large = "S".repeat(65_507)
    phone.send(large, transport.local.port, "127.0.0.1")
    const [{ text, from }] = (await until(1)) as [Got]
    assert.equal(text, large)
    const answers = collect(phone, 1)
    transport.send(Buffer.from(large), from, fail)
    assert.deepEqual(await answers, [large])
  })

  test(`${way}: STUN is answered with the sender's address; other keep-alives reach nobody`, async (t) => {
    const { transport, until } = bind(await open(t))
    const phone = await phoneOn(t, "127.0.0.1")
    const say = (bytes: Uint8Array | string) => phone.send(bytes, transport.local.port, "127.0.0.1")
    for (const each of ["", "\r\n\r\n", "\n", "\0\0\0\0", "\x01"]) say(each)
    const answer = once(phone, "message") as Promise<[Buffer]>
    // A Binding request without attributes, RFC 8489 §5.
    say(Buffer.from(`000100002112a442${"07".repeat(12)}`, "hex"))
    assert.equal((await answer)[0].readUInt16BE(26) ^ 0x2112, phone.address().port)
    say("\r\nOPTIONS")
    assert.deepEqual(
      (await until(1)).map(({ text }) => text),
      ["\r\nOPTIONS"],
    )
  })

  test(`${way}: what cannot be sent is told with a reason, and what is behind it goes`, async (t) => {
    const { transport } = await open(t)
    const phone = await phoneOn(t, "127.0.0.1")
    const here = { host: "127.0.0.1", port: phone.address().port }
    const answers = collect(phone, 2)
    const send = (text: string, to: Address) =>
      new Promise<string>((resolve) => transport.send(Buffer.from(text), to, resolve))
    transport.send(Buffer.from("before"), here, fail)
    const reasons = [
      send("a", { ...here, port: 0 }),
      send("b", { host: "2001:db8::1", port: 5060 }),
      send("c".repeat(65_508), here),
      // A network that this machine may not broadcast to: the kernel itself refuses.
      send("d", { host: "255.255.255.255", port: 5060 }),
    ]
    transport.send(Buffer.from("after"), here, fail)
    for (const reason of await Promise.all(reasons)) assert.match(reason, /\S/)
    assert.deepEqual(await answers, ["before", "after"])
  })

  test(`${way}: a taken port and a foreign address are refused in the operator's words`, async (t) => {
    const { transport } = await open(t)
    const settings = { received: () => undefined }
    await assert.rejects(openDatagrams({ ...settings, bind: transport.local }, way), (error: Error) => {
      assert.ok(error instanceof PortTakenError)
      assert.match(error.message, /UDP port \d+ on 127\.0\.0\.1 is taken/)
      return true
    })
    const foreign = { host: "192.0.2.1", port: 0 }
    await assert.rejects(openDatagrams({ ...settings, bind: foreign }, way), ListenError)
  })

  test(`${way}: a shared port can be opened more than once`, async (t) => {
    const first = await open(t, "127.0.0.1", { sharedPort: true })
    const { port } = first.transport.local
    const second = await open(t, "127.0.0.1", { sharedPort: true, bind: { host: "127.0.0.1", port } })
    assert.equal(second.transport.local.port, port)
    // The kernel spreads by sender: of so many, each socket gets some.
    const phones = await Promise.all(Array.from({ length: 64 }, () => phoneOn(t, "127.0.0.1")))
    for (const phone of phones) phone.send("OPTIONS", port, "127.0.0.1")
    await Promise.all([first.until(1), second.until(1)])
  })

  test(`${way}: datagrams that the kernel threw away are counted`, {
    skip: process.platform !== "linux",
  }, async (t) => {
    const { transport, until } = bind(await open(t, "127.0.0.1", { bufferBytes: 4_096 }))
    assert.equal(transport.dropped, 0)
    const sender = await open(t)
    // Nobody takes them meanwhile: this is one turn of the event loop, and `plain` sends within it too.
    const message = Buffer.from("x".repeat(1_000))
    for (let i = 0; i < 300; i++) sender.transport.send(message, transport.local, fail)
    await until(1)
    assert.ok(transport.dropped! > 0 && transport.dropped! < 300)
  })

  test(`${way}: many idle sockets leave the thread pool to others`, async (t) => {
    await Promise.all(Array.from({ length: 16 }, () => open(t)))
    await promisify(pbkdf2)("password", "salt", 1, 16, "sha256")
  })

  test(`${way}: a socket can be closed from within, and is silent then`, async (t) => {
    const got: string[] = []
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    const transport = await openDatagrams(
      {
        bind: { host: "127.0.0.1", port: 0 },
        received: (bytes) => {
          got.push(Buffer.from(bytes).toString())
          if (got.length === 2) void transport.close().then(resolve)
        },
      },
      way,
    )
    const phone = await phoneOn(t, "127.0.0.1")
    for (const text of ["1", "2", "3"]) phone.send(`OPTIONS ${text}`, transport.local.port, "127.0.0.1")
    await closed
    assert.deepEqual(got, ["OPTIONS 1", "OPTIONS 2"])
    // The port is free again.
    const next = await openDatagrams({ bind: transport.local, received: () => undefined }, way)
    await next.close()
  })
}

const bind = (listener: Listener) => ({
  transport: listener.transport,
  until: (count: number) => listener.until(count),
})

async function phoneOn(t: TestContext, host: string): Promise<Socket> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4")
  socket.bind(0, host)
  await once(socket, "listening")
  socket.setRecvBufferSize(4_194_304)
  t.after(() => socket.close())
  return socket
}

/** The next datagrams of a socket; all of a burst come, as the kernel's buffer holds them. */
function collect(socket: Socket, count: number): Promise<readonly string[]> {
  const { promise, resolve } = Promise.withResolvers<readonly string[]>()
  const texts: string[] = []
  socket.on("message", (bytes) => {
    texts.push(bytes.toString("latin1"))
    if (texts.length === count) resolve(texts)
  })
  return promise
}

const fail = (reason: string): void => assert.fail(reason)
