import assert from "node:assert/strict"
import { constants } from "node:os"
import { test } from "node:test"
import { setImmediate as turn } from "node:timers/promises"
import { AF_INET } from "./batch-memory.ts"
import { BatchedDatagrams } from "./batched.ts"
import { LINGER } from "./lingering.ts"
import type { SocketCalls } from "./socket-calls.ts"

const { EAGAIN, EPERM } = constants.errno
const TO = { host: "127.0.0.1", port: 5060 }

/** Of struct mmsghdr, and where in it the kernel says how long the datagram is. */
const HEADER = 64
const MESSAGE_LENGTH = 56

/** A kernel that takes what it is told to, and remembers how much it was offered. */
class FakeKernel implements SocketCalls {
  /** What the next sends are answered; once all are used, everything is taken. */
  answers: number[] = []
  readonly offered: number[] = []
  waitsToWrite = false
  isClosed = false
  #wake: (events: { readonly writable: boolean }) => void = () => undefined

  socket = () => 3
  setOption = () => 0
  option = () => undefined
  bind = () => 0
  localName = () => 0
  interfaceIndex = () => 0
  /** In the order in which their addresses were asked for: headers and data of what is received come first. */
  readonly #memories: ArrayBuffer[] = []

  addressOf = (memory: ArrayBuffer): bigint => {
    this.#memories.push(memory)
    return 0x7f00_0000_0000n
  }
  /** How many datagrams there are at each look; once all are used, none. */
  arrivals: number[] = []
  looks = 0
  /** Milliseconds that a look takes; nothing else takes any. */
  lookTime = 0.001
  readonly clock = (): number => this.looks * this.lookTime

  receive = (): number => {
    this.looks++
    const count = this.arrivals.shift() ?? 0
    const [headers, data] = this.#memories as [ArrayBuffer, ArrayBuffer]
    const slotBytes = data.byteLength / (headers.byteLength / HEADER)
    for (let slot = 0; slot < count; slot++) {
      new DataView(headers).setUint32(slot * HEADER + MESSAGE_LENGTH, 1, true)
      new Uint8Array(data)[slot * slotBytes] = "x".charCodeAt(0)
    }
    return count > 0 ? count : -EAGAIN
  }

  send = (_fd: number, _vector: bigint, count: number): number => {
    this.offered.push(count)
    return this.answers.shift() ?? count
  }

  close = (): void => {
    this.isClosed = true
  }

  watch: SocketCalls["watch"] = (_fd, ready) => {
    this.#wake = ready
    return {
      alsoForWriting: (wanted) => {
        this.waitsToWrite = wanted
      },
      close: () => undefined,
    }
  }

  async becomeWritable(): Promise<void> {
    this.#wake({ writable: true })
    await turn()
  }

  async becomeReadable(): Promise<void> {
    this.#wake({ writable: false })
    await turn()
  }
}

const open = (kernel: FakeKernel) =>
  new BatchedDatagrams(kernel, AF_INET, 3, TO, { received: () => undefined })

const send = (transport: BatchedDatagrams, reasons: string[], ...texts: readonly string[]) => {
  for (const text of texts)
    transport.send(Buffer.from(text), TO, (reason) => reasons.push(`${text}: ${reason}`))
}

test("what is sent in one turn is one call", async () => {
  const kernel = new FakeKernel()
  const reasons: string[] = []
  send(open(kernel), reasons, "1", "2", "3")
  assert.deepEqual(kernel.offered, [])
  await turn()
  assert.deepEqual(kernel.offered, [3])
})

test("what the kernel has no room for waits until it has, in order, and nothing overtakes it", async () => {
  const kernel = new FakeKernel()
  kernel.answers = [1, -EAGAIN]
  const transport = open(kernel)
  const reasons: string[] = []
  send(transport, reasons, "1", "2", "3")
  await turn()
  assert.deepEqual(kernel.offered, [3, 2])
  assert.equal(kernel.waitsToWrite, true)
  send(transport, reasons, "4")
  await turn()
  assert.deepEqual(kernel.offered, [3, 2])
  await kernel.becomeWritable()
  assert.deepEqual(kernel.offered, [3, 2, 3])
  assert.equal(kernel.waitsToWrite, false)
  assert.deepEqual(reasons, [])
})

test("a datagram that the kernel refuses does not keep back those behind it", async () => {
  const kernel = new FakeKernel()
  kernel.answers = [1, -EPERM]
  const reasons: string[] = []
  send(open(kernel), reasons, "1", "2", "3")
  await turn()
  assert.deepEqual(kernel.offered, [3, 2, 1])
  assert.equal(reasons.length, 1)
  assert.match(reasons[0]!, /^2: 127\.0\.0\.1:5060/)
})

test("a kernel that takes nothing is not waited for with endless memory", async () => {
  const kernel = new FakeKernel()
  kernel.answers = Array.from({ length: 1_000 }, () => -EAGAIN)
  const transport = open(kernel)
  const reasons: string[] = []
  const large = "x".repeat(60_000)
  send(transport, reasons, ...Array.from({ length: 300 }, () => large))
  await turn()
  assert.ok(reasons.length > 0 && reasons.length < 300)
  assert.match(reasons[0]!, /more slowly than they are sent/)
})

test("a full batch is sent at once, so that memory is enough for all", async () => {
  const kernel = new FakeKernel()
  send(open(kernel), [], ...Array.from({ length: 300 }, String))
  await turn()
  assert.deepEqual(kernel.offered, [128, 128, 44])
})

/** A server that answers each datagram. */
function echo(kernel: FakeKernel): void {
  const received = () => transport.send(Buffer.from("200"), TO, () => assert.fail("not sent"))
  const settings = { received }
  const transport: BatchedDatagrams = new BatchedDatagrams(kernel, AF_INET, 3, TO, settings, kernel.clock)
}

test("the answers to a full batch are one call, those to a small one are two", async () => {
  const kernel = new FakeKernel()
  echo(kernel)
  kernel.arrivals = [32]
  await kernel.becomeReadable()
  kernel.arrivals = [8]
  await kernel.becomeReadable()
  kernel.arrivals = [1]
  await kernel.becomeReadable()
  assert.deepEqual(kernel.offered, [32, 4, 4, 1])
})

test("what comes just after a batch is taken without another wake-up", async () => {
  const kernel = new FakeKernel()
  echo(kernel)
  kernel.arrivals = [3, 0, 0, 2]
  await kernel.becomeReadable()
  assert.equal(
    kernel.offered.reduce((sum, count) => sum + count),
    5,
  )
})

test("what comes later wakes it", async () => {
  const kernel = new FakeKernel()
  kernel.lookTime = LINGER
  echo(kernel)
  kernel.arrivals = [3, 0, 0, 2]
  await kernel.becomeReadable()
  assert.deepEqual(kernel.arrivals, [2])
  await kernel.becomeReadable()
  assert.deepEqual(kernel.arrivals, [])
})

test("a wake-up for nothing is not waited at", async () => {
  const kernel = new FakeKernel()
  echo(kernel)
  await kernel.becomeReadable()
  assert.equal(kernel.looks, 1)
})

test("others have their turn, however many datagrams come", async () => {
  const kernel = new FakeKernel()
  echo(kernel)
  kernel.arrivals = Array.from({ length: 1_000 }, () => 32)
  await kernel.becomeReadable()
  assert.equal(kernel.arrivals.length, 996)
})

test("closing sends what waits for its batch first", async () => {
  const kernel = new FakeKernel()
  const transport = open(kernel)
  send(transport, [], "1")
  await transport.close()
  assert.deepEqual(kernel.offered, [1])
  assert.equal(kernel.isClosed, true)
})
