import assert from "node:assert/strict"
import { once } from "node:events"
import { createConnection, createServer } from "node:net"
import { test } from "node:test"
import { Turns } from "./turns.ts"

const FOR_EVER = 1_000_000

/** As long as it takes for a turn of the event loop to end. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

test("work is done at once while the turn has room, and what is too much waits, in order", async () => {
  const done: number[] = []
  const turns = new Turns<number>((job) => done.push(job), { budget: FOR_EVER, most: 2 })
  for (const job of [1, 2, 3, 4, 5]) turns.do(job)
  assert.deepEqual(done, [1, 2])
  assert.equal(turns.waiting, 3)
  while (turns.waiting > 0) await turn()
  assert.deepEqual(done, [1, 2, 3, 4, 5])
})

test("work that takes long ends its turn", async () => {
  const done: number[] = []
  const turns = new Turns<number>((job) => done.push(job), { budget: 0, most: FOR_EVER })
  turns.do(1)
  turns.do(2)
  assert.deepEqual(done, [])
  assert.equal(turns.waiting, 2)
  turns.stop()
  assert.equal(turns.waiting, 0)
})

test("what comes while work is done goes behind what waits", async () => {
  const done: number[] = []
  const turns = new Turns<number>(
    (job) => {
      done.push(job)
      if (job === 2) turns.do(9)
    },
    { budget: FOR_EVER, most: 1 },
  )
  for (const job of [1, 2, 3]) turns.do(job)
  while (turns.waiting > 0) await turn()
  assert.deepEqual(done, [1, 2, 3, 9])
})

test("a socket is heard between the turns, however much work waits", async () => {
  let left = 10_000
  const turns = new Turns<number>(() => left--, { budget: FOR_EVER, most: 1 })
  const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { port: number }
  const client = createConnection(port, "127.0.0.1")
  await once(client, "connect")
  for (let i = 0; i < 10_000; i++) turns.do(i)
  client.write("are you there?")
  await once(client, "data")
  assert.ok(left > 0, "the answer came before all was done")
  client.destroy()
  server.close()
  turns.stop()
})
