import assert from "node:assert/strict"
import { after, before, describe, test } from "node:test"
import type { Address } from "../../src/core/kit/address.ts"
import { Farm, type FarmNode, PORTS } from "./support/farm.ts"
import { missing } from "./support/programs.ts"
import { RealPhone } from "./support/real-phone.ts"
import { answer, authentication, call, register } from "./support/scenarios.ts"
import { startSipp } from "./support/sipp.ts"

const sipOf = (node: FarmNode): Address => ({ host: node.host, port: PORTS.sip })

/** Each order of stopping once, and each of starting. */
const ORDERS = [
  { stop: [0, 1, 2], start: [0, 1, 2] },
  { stop: [0, 2, 1], start: [2, 1, 0] },
  { stop: [1, 0, 2], start: [2, 0, 1] },
  { stop: [1, 2, 0], start: [0, 2, 1] },
  { stop: [2, 0, 1], start: [1, 2, 0] },
  { stop: [2, 1, 0], start: [1, 0, 2] },
] as const

describe("a farm that is stopped and started", () => {
  const farm = new Farm()
  const phones: RealPhone[] = []
  let nodes: readonly FarmNode[] = []
  const users = Array.from({ length: 12 }, (_, index) => `user-${index}`)

  before(async () => {
    nodes = await farm.grow(3)
    for (const [index, user] of users.entries()) {
      nodes[index % 3]!.must("user", "add", user, "--password", "secret")
      const phone = await RealPhone.open(`127.0.1.${index + 1}`, {
        user,
        password: "secret",
        domain: farm.domain,
        proxy: sipOf(nodes[index % 3]!),
      })
      phones.push(phone)
      assert.equal((await phone.register()).status, 200)
    }
  })
  after(async () => {
    for (const phone of phones) phone.close()
    await farm.end()
  })

  async function expectEverything(): Promise<void> {
    for (const node of nodes) {
      assert.deepEqual(
        node
          .json("user", "list")
          .users.map((name: string) => name.split("@")[0])
          .sort(),
        [...users].sort(),
        `users on ${node.host}`,
      )
    }
    const [caller, ...others] = phones
    for (const [index, other] of others.entries()) {
      const { user } = other.agent.settings
      const { call, status } = await caller!.call(`sip:${user}@${farm.domain}`, sipOf(nodes[index % 3]!))
      assert.equal(status, 200, `${user} called through ${nodes[index % 3]!.host}`)
      await caller!.hangUp(call)
    }
  }

  for (const { stop, start } of ORDERS) {
    test(`stopped as ${stop}, started as ${start}: every user and registration is there`, async () => {
      for (const index of stop) assert.equal(await nodes[index]!.stop(), 0)
      for (const index of start) await nodes[index]!.up()
      await expectEverything()
    })
  }

  test("stopped all at once, started all at once: every user and registration is there", async () => {
    assert.deepEqual(await Promise.all(nodes.map((node) => node.stop())), [0, 0, 0])
    await Promise.all(nodes.map((node) => node.up()))
    await expectEverything()
  })

  test("killed all at once, started all at once: every user and registration is there", async () => {
    await Promise.all(nodes.map((node) => node.stop("SIGKILL")))
    await Promise.all(nodes.map((node) => node.up()))
    await expectEverything()
  })
})

describe("a farm that changes under load", { skip: missing("sipp") }, () => {
  const farm = new Farm()
  after(() => farm.end())

  test("a node joins and another drains under 20 calls a second: no call fails", async (context) => {
    const [first, second] = await farm.grow(3)
    for (const user of ["caller", "callee"]) first!.must("user", "add", user, "--password", "secret")
    const callee = ["-i", "127.0.1.1", "-p", "25060"]
    const registered = startSipp(
      farm.directory,
      "register",
      register(farm.domain),
      [`${second!.host}:${PORTS.sip}`, "-m", "1", ...callee],
      [`callee;${authentication("callee", "secret")};`],
    )
    assert.equal((await registered.finished()).successful, 1)
    const calls = 400
    const phone = startSipp(farm.directory, "callee", answer(100), [...callee, "-m", String(calls)])
    const load = startSipp(
      farm.directory,
      "load",
      call(farm.domain, 500),
      [`${first!.host}:${PORTS.sip}`, "-m", String(calls), "-r", "20", "-i", "127.0.1.2", "-p", "25061"],
      [`caller;${authentication("caller", "secret")};callee`],
    )
    const fourth = await farm.add()
    const drained = second!.must("drain")
    assert.match(drained, /safe to stop/)
    assert.equal(await second!.stop(), 0)
    const result = await load.finished()
    assert.equal(result.successful, calls, `${result.failed} failed\n${result.output.slice(-3_000)}`)
    const answered = (await phone.finished()).successful
    context.diagnostic(
      `${result.successful} calls went well, ${result.failed} failed, ${answered} were answered`,
    )
    assert.equal(answered, calls)
    assert.equal(fourth.json("status").nodes.length, 3)
  })
})
