import assert from "node:assert/strict"
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { test } from "node:test"
import { openAcceptor } from "./acceptor.ts"

test("connections beyond the limits, in all or from one source, are closed unheard, until others leave", async (t) => {
  const accepted: Socket[] = []
  const refused: string[] = []
  const acceptor = await openAcceptor({
    name: "sip",
    bind: { host: "0.0.0.0", port: 0 },
    limits: { connections: 3, connectionsPerSource: 2 },
    accepted: (socket) => accepted.push(socket),
    refused: (cause) => refused.push(cause),
  })
  t.after(() => acceptor.close())
  const open = async (from: string) => {
    const socket = connect({ port: acceptor.port, host: "127.0.0.1", localAddress: from })
    socket.on("error", () => undefined).resume()
    t.after(() => socket.destroy())
    await once(socket, "connect")
    return socket
  }

  const first = await open("127.0.0.1")
  await open("127.0.0.1")
  await once(await open("127.0.0.1"), "close")
  assert.deepEqual(refused, ["too-many-from-source"])
  await open("127.0.0.2")
  await once(await open("127.0.0.3"), "close")
  assert.deepEqual(refused, ["too-many-from-source", "too-many"])
  assert.equal(acceptor.open, 3)

  const left = once(accepted[0]!.resume(), "close")
  first.destroy()
  await left
  await open("127.0.0.1")
  while (accepted.length < 4) await new Promise(setImmediate)
  assert.equal(acceptor.open, 3)
})
