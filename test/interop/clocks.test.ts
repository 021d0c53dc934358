import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { Farm, type FarmNode, PORTS } from "./support/farm.ts"
import { until } from "./support/programs.ts"
import { RealPhone } from "./support/real-phone.ts"
import { cannotSetClock, SetClock } from "./support/set-clock.ts"

const HOUR = 3_600
/** As it is told: what a message takes on a busy machine makes it a little more or less. */
const AN_HOUR = "(3599|36\\d\\d)(\\.\\d)? s"
const { version } = JSON.parse(readFileSync("package.json", "utf8"))

describe("three nodes whose clocks are set", { skip: cannotSetClock }, () => {
  const farm = new Farm("clocks.test")
  const clocks: SetClock[] = []
  const phones: RealPhone[] = []
  const [first, second, third] = [0, 1, 2]

  before(async () => {
    await farm.grow(3)
    for (const [index, node] of farm.nodes.entries()) {
      const clock = new SetClock(join(farm.directory, `clock-${index}`))
      clocks.push(clock)
      node.within = clock.within
      await node.stop()
      await node.up()
      node.must("user", "add", `user-${index}`, "--password", "secret")
      const phone = await RealPhone.open(`127.0.1.${index + 1}`, {
        user: `user-${index}`,
        password: "secret",
        domain: farm.domain,
        proxy: { host: node.host, port: PORTS.sip },
      })
      phones.push(phone)
    }
  })
  after(async () => {
    for (const phone of phones) phone.close()
    await farm.end()
  })

  /** A short interval, so that an hour matters. */
  const registerAll = async () => {
    for (const phone of phones) assert.equal((await phone.register(120)).status, 200)
  }

  async function allReachAll(): Promise<void> {
    for (const node of farm.nodes)
      for (const [index, callee] of phones.entries()) {
        const caller = phones[(index + 1) % 3]!
        const target = `sip:${callee.agent.settings.user}@${farm.domain}`
        const { call, status } = await caller.call(target, { host: node.host, port: PORTS.sip })
        assert.equal(status, 200, `${target} called through ${node.host}`)
        assert.equal(await caller.hangUp(call), 200)
      }
  }

  const stepOf = (node: FarmNode): number => node.json("status").clockStep ?? 0

  test("an hour's step of one, either way, expires no registration and keeps none from being made", async () => {
    await registerAll()
    await allReachAll()
    const node = farm.nodes[second]!
    for (const seconds of [HOUR, -HOUR]) {
      clocks[second]!.set(seconds)
      await until("it has noticed", () => Math.abs(stepOf(node) - seconds * 1_000) < 5_000)
      await allReachAll()
      await registerAll()
      node.must("user", "passwd", "user-0", "--password", "secret")
      await allReachAll()
      const where = `${AN_HOUR} ${seconds > 0 ? "ahead of" : "behind"}`
      assert.match(
        node.must("status"),
        new RegExp(`^own clock +the system's is ${where} the one this node goes by`, "m"),
      )
    }
    assert.match(node.program!.output, /warn +host\.clock-stepped milliseconds=3(59|60)\d{4}\b/)
    clocks[second]!.set(0)
    await until("all is as before", () => node.json("status").clockStep === undefined)
  })

  test("one that starts an hour ahead is not let in, says why, and is when its clock has been set", async () => {
    const node = farm.nodes[third]!
    await node.stop()
    clocks[third]!.set(HOUR)
    const started = node.up()
    await node.program!.says(
      new RegExp(
        `error +overlay\\.clock-refused cause="the clock of this node is ${AN_HOUR} ahead of that of the fabric's nodes, and at most 30 s may lie between: set the clocks by NTP`,
      ),
    )
    await node.program!.says(new RegExp(`^still joining: the clock of this node is ${AN_HOUR} ahead of`, "m"))
    assert.match(
      node.must("status"),
      new RegExp(`^health +joining: the clock of this node is ${AN_HOUR} ahead`, "m"),
    )
    assert.equal((await fetch(`${node.http}/healthz`)).status, 503)
    const ahead = await farm.nodes[first]!.counters("carillon_clock_ahead_seconds")
    const id: string = node.json("status").node
    assert.ok(Math.abs(ahead.get(`node="${id}"`)! - HOUR) < 5)
    assert.match(
      farm.nodes[first]!.must("status"),
      new RegExp(`^clocks +apart from this node's: ${id.slice(0, 8)} ahead by ${AN_HOUR}`, "m"),
    )
    await node.stop("SIGKILL")
    await started.catch(() => undefined)
    clocks[third]!.set(0)
    await node.up()
    await registerAll()
    await allReachAll()
  })

  test("one that is up first with a clock an hour behind keeps the others out, and catches up when it has been set", async () => {
    await Promise.all(farm.nodes.map((node) => node.stop("SIGKILL")))
    clocks[third]!.set(-HOUR)
    await farm.nodes[third]!.up()
    const others = [farm.nodes[first]!, farm.nodes[second]!]
    const started = others.map((node) => node.up())
    for (const node of others)
      await node.program!.says(
        new RegExp(`error +overlay\\.clock-refused cause="the clock of this node is ${AN_HOUR} ahead`),
      )
    clocks[third]!.set(0)
    await farm.nodes[third]!.program!.says(/warn +host\.clock-advanced milliseconds=3(59|60)\d{4}\b/)
    await Promise.all(started)
    await registerAll()
    await allReachAll()
  })

  test("which version each node runs is in status", async () => {
    const node = farm.nodes[first]!
    await until("all have told", () =>
      node.json("status").nodes.every((each: { readonly version: string }) => each.version === version),
    )
    assert.doesNotMatch(node.must("status"), /^versions/m)
  })
})
