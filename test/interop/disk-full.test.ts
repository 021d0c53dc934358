import assert from "node:assert/strict"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { noSmallDisks, SmallDisk } from "../../bench/kills/full-disk.ts"
import { FarmNode, PORTS } from "./support/farm.ts"
import { removeDirectory, temporaryDirectory, until } from "./support/programs.ts"
import { openTcp } from "./support/raw.ts"

const DOMAIN = "full.test"
const directory = temporaryDirectory()
const skip = noSmallDisks()

describe("a node whose disk is full", { skip }, () => {
  const node = new FarmNode("127.0.3.1", join(directory, "disk", "data"), [], {})
  let disk: SmallDisk

  before(async () => {
    disk = new SmallDisk(join(directory, "disk"), 6 * 1_048_576)
    await node.up("--domain", DOMAIN)
  })
  after(async () => {
    await node.stop("SIGKILL")
    disk.remove()
    await removeDirectory(directory)
  })

  const healthIs = (status: number) =>
    until(
      () => `/healthz answers ${status}; it said:\n${node.program?.output.slice(-1_000)}`,
      async () => (await fetch(`${node.http}/healthz`)).status === status,
    )

  /** What a REGISTER without credentials is answered. */
  async function registering(): Promise<string> {
    const phone = await openTcp({ host: node.host, port: PORTS.sip }, "127.0.1.1")
    phone.socket.write(
      [
        `REGISTER sip:${DOMAIN} SIP/2.0`,
        "Via: SIP/2.0/TCP 127.0.1.1:5060;branch=z9hG4bKfull",
        `From: <sip:alice@${DOMAIN}>;tag=1`,
        `To: <sip:alice@${DOMAIN}>`,
        "Call-ID: full",
        "CSeq: 1 REGISTER",
        "Contact: <sip:alice@127.0.1.1:5060;transport=tcp>",
        "Max-Forwards: 70",
        "Content-Length: 0",
        "\r\n",
      ].join("\r\n"),
    )
    const answer = await until("the REGISTER is answered", () => /^SIP.*?\r\n\r\n/s.exec(phone.heard())?.[0])
    phone.socket.destroy()
    return answer
  }

  test("says so, acknowledges nothing, sends phones elsewhere, and is well again when there is space", async () => {
    node.must("user", "add", "alice", "--password", "secret")
    disk.fill()
    const refusals = Array.from({ length: 20 }, (_, index) => index).map((index) =>
      node.run("user", "add", `late-${index}`, "--password", "x".repeat(120)),
    )
    const acknowledged = refusals.flatMap(({ code }, index) => (code === 0 ? [`late-${index}`] : []))
    const refused = refusals.filter(({ code }) => code !== 0)
    assert.ok(refused.length > 0, "the disk is full")
    for (const { stderr } of refused) assert.match(stderr, /the disk is full|not answer|cannot serve/)
    await healthIs(503)
    assert.match(node.must("status"), /unhealthy: the disk is full: free space for/)
    const answer = await registering()
    assert.match(answer, /^SIP\/2\.0 503 /)
    assert.match(answer, /^Retry-After: \d+/m)
    assert.match(answer, /^Warning: 399 .*the disk is full/m)

    disk.free()
    await healthIs(200)
    assert.match(await registering(), /^SIP\/2\.0 401 /)
    node.must("user", "add", "bob", "--password", "secret")
    await node.stop("SIGKILL")
    await node.up()
    const users: readonly string[] = node.json("user", "list").users
    for (const name of ["alice", "bob", ...acknowledged])
      assert.ok(users.includes(`${name}@${DOMAIN}`), `${name} is there after a restart`)
  })
})
