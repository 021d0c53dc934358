import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { after, before, describe, test } from "node:test"
import type { Address } from "../../src/core/kit/address.ts"
import { layOutEarlierBuild } from "./support/earlier-build.ts"
import { Farm, type FarmNode, PORTS } from "./support/farm.ts"
import { until } from "./support/programs.ts"
import { RealPhone } from "./support/real-phone.ts"

const sipOf = (node: FarmNode): Address => ({ host: node.host, port: PORTS.sip })

describe("two versions in one farm", () => {
  const farm = new Farm("versions.test")
  const current = resolve(".")
  const phones: RealPhone[] = []
  let earlier = ""

  before(async () => {
    earlier = layOutEarlierBuild(farm.directory)
    await farm.add(undefined, earlier)
    await farm.add(farm.nodes[0], earlier)
    await farm.add(farm.nodes[0], current)
  })
  after(async () => {
    for (const phone of phones) phone.close()
    await farm.end()
  })

  const userNames = (node: FarmNode): readonly string[] => node.json("user", "list").users.toSorted()

  const { version } = JSON.parse(readFileSync("package.json", "utf8"))
  const versionsSeenBy = (node: FarmNode): readonly string[] =>
    node.json("status").nodes.map((each: { readonly version?: string }) => each.version ?? "unknown")

  async function complete(): Promise<void> {
    await until(
      "no node says that a record lacks a copy",
      () =>
        farm.nodes.every((node) => {
          const { nodes, records } = node.json("status")
          return nodes.length === farm.nodes.length && records.short === 0
        }),
      60_000,
    )
  }

  async function allReachAll(): Promise<void> {
    for (const node of farm.nodes)
      for (const callee of phones) {
        const caller = phones.find((phone) => phone !== callee)!
        const target = `sip:${callee.agent.settings.user}@${farm.domain}`
        const { call, status } = await caller.call(target, sipOf(node))
        assert.equal(status, 200, `${target} called through ${node.host}`)
        assert.equal(await caller.hangUp(call), 200)
      }
  }

  test("what is added at either is known at both, and calls pass between them", async () => {
    for (const [index, node] of farm.nodes.entries()) {
      node.must("user", "add", `user-${index}`, "--password", "secret")
      const phone = await RealPhone.open(`127.0.1.${index + 1}`, {
        user: `user-${index}`,
        password: "secret",
        domain: farm.domain,
        proxy: sipOf(node),
      })
      phones.push(phone)
      assert.equal((await phone.register()).status, 200)
    }
    const names = farm.nodes.map((_, index) => `user-${index}@${farm.domain}`)
    for (const node of farm.nodes) assert.deepEqual(userNames(node), names, node.host)
    await allReachAll()
    // The earlier one does not tell yet.
    assert.deepEqual(versionsSeenBy(farm.nodes[2]!).toSorted(), [version, "unknown", "unknown"])
  })

  test("upgraded node by node, the farm keeps every user and registration, and calls go on", async () => {
    const names = userNames(farm.nodes[2]!)
    for (const node of farm.nodes.filter(({ build }) => build === earlier)) {
      await complete()
      assert.equal(await node.stop(), 0)
      node.build = current
      await node.up()
      assert.deepEqual(userNames(node), names, node.host)
      await allReachAll()
    }
    await complete()
    for (const node of farm.nodes)
      await until("all have told which version they run", () =>
        versionsSeenBy(node).every((each) => each === version),
      )
  })
})
