import assert from "node:assert/strict"
import { join } from "node:path"
import { after, before, describe, type TestContext, test } from "node:test"
import { setTimeout as pause } from "node:timers/promises"
import { Baresip } from "./support/baresip.ts"
import { Farm, type FarmNode, PORTS } from "./support/farm.ts"
import { missing, until } from "./support/programs.ts"

const skip = missing("baresip")

/** RTCP summaries come with the end of a call that has lasted longer than RTCP's interval of 5 s. */
const TALK = 7_000

describe("baresip phones on three nodes", { skip }, () => {
  const farm = new Farm()
  const phones: Baresip[] = []
  let nodes: readonly FarmNode[] = []

  before(async () => {
    nodes = await farm.grow(3)
    for (const user of ["ulf", "tess", "tina"])
      nodes[0]!.must("user", "add", user, "--password", `${user}-secret`)
  })
  after(async () => {
    await Promise.all(phones.map((phone) => phone.stop()))
    await farm.end()
  })

  async function phone(
    user: string,
    node: FarmNode,
    transport: "udp" | "tcp" | "tls",
    password = `${user}-secret`,
  ) {
    const port = transport === "tls" ? PORTS.sips : PORTS.sip
    const started = await Baresip.start(farm.directory, {
      user,
      password,
      domain: farm.domain,
      proxy: `${node.host}:${port}`,
      transport,
      host: node.host.replace("127.0.0.", "127.0.1."),
      ...(transport === "tls" ? { caFile: join(node.data, "membership", "phone.crt") } : {}),
    })
    phones.push(started)
    return started
  }

  async function callAndTalk(
    context: TestContext,
    caller: Baresip,
    callee: Baresip,
    endedBy: Baresip,
  ): Promise<void> {
    const [seenByCaller, seenByCallee] = [caller.events.length, callee.events.length]
    await caller.dial(`sip:${callee.account.user}@${farm.domain}`)
    await callee.event("CALL_INCOMING", seenByCallee)
    await callee.accept()
    await caller.event("CALL_ESTABLISHED", seenByCaller)
    await callee.event("CALL_ESTABLISHED", seenByCallee)
    await pause(TALK)
    await endedBy.hangup()
    const other = endedBy === caller ? callee : caller
    await other.event("CALL_CLOSED", other === caller ? seenByCaller : seenByCallee)
    for (const each of [caller, callee]) {
      const packets = await each.rtpPackets()
      context.diagnostic(
        `${each.account.user}: RTP packets sent ${packets.sent}, received ${packets.received}`,
      )
      assert.ok(packets.sent > 100, `${each.account.user} sent ${packets.sent} RTP packets`)
      assert.ok(packets.received > 100, `${each.account.user} received ${packets.received} RTP packets`)
      each.program.output = ""
    }
  }

  test("register with digest over UDP, TCP and TLS, each on its own node", async () => {
    const started = [
      await phone("ulf", nodes[0]!, "udp"),
      await phone("tess", nodes[1]!, "tcp"),
      await phone("tina", nodes[2]!, "tls"),
    ]
    for (const each of started) await each.event("REGISTER_OK")
    for (const node of nodes) {
      for (const { account } of started) {
        const { bindings } = node.json("lookup", `${account.user}@${farm.domain}`)
        assert.equal(bindings.length, 1, `${account.user} as seen from ${node.host}`)
      }
    }
  })

  test("call from UDP to TLS over two nodes; the caller hangs up; RTP flows both ways", async (context) => {
    const [ulf, , tina] = phones
    await callAndTalk(context, ulf!, tina!, ulf!)
  })

  test("call from TLS to TCP over two nodes; the callee hangs up; RTP flows both ways", async (context) => {
    const [, tess, tina] = phones
    await callAndTalk(context, tina!, tess!, tess!)
  })

  test("call from TCP to UDP over two nodes; the caller hangs up; RTP flows both ways", async (context) => {
    const [ulf, tess] = phones
    await callAndTalk(context, tess!, ulf!, tess!)
  })

  test("a wrong password registers nowhere", async () => {
    const intruder = await phone("ulf", nodes[1]!, "tcp", "not-the-secret")
    const failed = await intruder.event("REGISTER_FAIL")
    assert.match(String(failed.param), /40[13]/)
    const { bindings } = nodes[2]!.json("lookup", `ulf@${farm.domain}`)
    assert.equal(bindings.length, 1)
    await intruder.stop()
  })

  test("a phone that is not registered cannot be called: 480; an unknown user: 404", async () => {
    const [ulf] = phones
    nodes[0]!.must("user", "add", "nobody-home", "--password", "x")
    for (const [user, status] of [
      ["nobody-home", "480"],
      ["who", "404"],
    ]) {
      const seen = ulf!.events.length
      await ulf!.dial(`sip:${user}@${farm.domain}`)
      const closed = await until(`the call to ${user} is refused`, () =>
        ulf!.events.slice(seen).find(({ type }) => type === "CALL_CLOSED"),
      )
      assert.match(String(closed.param), new RegExp(status!))
    }
  })
})
