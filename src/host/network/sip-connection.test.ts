import assert from "node:assert/strict"
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import { type TestContext, test } from "node:test"
import { after, type Duration, type Instant, minutes, seconds } from "../../core/kit/time.ts"
import type { Flow } from "../../core/sip/transport.ts"
import { SipConnection } from "./sip-connection.ts"

const START = 1_000_000 as Instant
const FLOW: Flow = {
  transport: "TCP",
  local: { host: "127.0.0.1", port: 5060 },
  remote: { host: "127.0.0.1", port: 40_000 },
  connection: 1,
  node: undefined,
}
const MESSAGE = "OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"

/** One connection whose clock is the test's; `sent` has the peer say something, and waits until it was heard. */
async function open(t: TestContext, isStranger: boolean) {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const peer = connect((server.address() as { readonly port: number }).port, "127.0.0.1")
  const [socket] = (await once(server, "connection")) as [Socket]
  server.close()
  t.after(() => {
    peer.destroy()
    socket.destroy()
  })
  let now = START
  const cuts: string[] = []
  const events = {
    message: () => undefined,
    cut: (_: Flow, cause: string, detail: string) => cuts.push(`${cause}: ${detail}`),
    closed: () => undefined,
  }
  const connection = new SipConnection(socket, FLOW, isStranger, () => now, events)
  return {
    cuts,
    async sent(text: string, at: Duration) {
      now = after(START, at)
      peer.write(text, "latin1")
      await once(socket, "data")
    },
    sweep: (at: Duration) => connection.sweep(after(START, at)),
  }
}

const UNFINISHED = ["idle: no whole message in time"]

test("a stranger that says nothing is cut after 30 s, and one that said something is not", async (t) => {
  const silent = await open(t, true)
  silent.sweep(seconds(30))
  assert.deepEqual(silent.cuts, [])
  silent.sweep(seconds(31))
  assert.deepEqual(silent.cuts, UNFINISHED)

  const phone = await open(t, true)
  await phone.sent(MESSAGE, seconds(1))
  phone.sweep(minutes(119))
  assert.deepEqual(phone.cuts, [])
  phone.sweep(minutes(121))
  assert.deepEqual(phone.cuts, ["idle: silent for too long"])
})

test("a message that is begun and trickles is cut; keep-alives begin none", async (t) => {
  const trickle = await open(t, false)
  await trickle.sent("\r\n", seconds(1))
  trickle.sweep(seconds(60))
  assert.deepEqual(trickle.cuts, [])
  await trickle.sent(MESSAGE.slice(0, 10), seconds(60))
  await trickle.sent(MESSAGE.slice(10, 20), seconds(80))
  trickle.sweep(seconds(91))
  assert.deepEqual(trickle.cuts, UNFINISHED)

  const slow = await open(t, false)
  await slow.sent(MESSAGE.slice(0, 10), seconds(1))
  await slow.sent(MESSAGE.slice(10), seconds(20))
  slow.sweep(seconds(60))
  assert.deepEqual(slow.cuts, [])
})
