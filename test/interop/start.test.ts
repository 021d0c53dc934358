import assert from "node:assert/strict"
import { join } from "node:path"
import { after, test } from "node:test"
import { FarmNode, PORTS } from "./support/farm.ts"
import { removeDirectory, temporaryDirectory, until } from "./support/programs.ts"
import { openUdp } from "./support/raw.ts"

const HOST = "127.0.13.1"
/** From the command to the answer, in seconds, on a machine that has other work too; a quiet one needs a twentieth. */
const PATIENCE = 20
const ROUNDS = 5

const directory = temporaryDirectory()
const node = new FarmNode(HOST, join(directory, "node"), [], {})
after(async () => {
  await node.stop("SIGKILL")
  await removeDirectory(directory)
})

const options = (number: number) =>
  [
    "OPTIONS sip:start.test SIP/2.0",
    `Via: SIP/2.0/UDP 127.0.13.2:5060;rport;branch=z9hG4bKstart${number}`,
    "Max-Forwards: 70",
    `From: <sip:someone@elsewhere.test>;tag=${number}`,
    "To: <sip:start.test>",
    `Call-ID: start-${number}`,
    "CSeq: 1 OPTIONS",
    "Content-Length: 0",
    "\r\n",
  ].join("\r\n")

test(`a node that has been up before answers OPTIONS within ${PATIENCE} s of its command`, async (context) => {
  await node.up("--domain", "start.test")
  assert.equal(await node.stop(), 0)
  const udp = await openUdp("127.0.13.2", { host: HOST, port: PORTS.sip })
  const taken: number[] = []
  for (let round = 0, number = 0; round < ROUNDS; round++) {
    const seen = udp.heard.length
    const started = performance.now()
    const ready = node.up()
    const asking = setInterval(() => udp.send(options(++number)), 20)
    await until("it answers", () => udp.heard.length > seen)
    clearInterval(asking)
    taken.push((performance.now() - started) / 1_000)
    assert.match(udp.heard[seen]!, /^SIP\/2\.0 200 /)
    await ready
    assert.equal(await node.stop(), 0)
  }
  udp.close()
  taken.sort((a, b) => a - b)
  context.diagnostic(`first answer after ${taken.map((each) => each.toFixed(2)).join(", ")} s`)
  // The median, as other programs may be busy on the machine for a moment.
  assert.ok(taken[ROUNDS >> 1]! < PATIENCE, `${taken}`)
})
