import assert from "node:assert/strict"
import { statSync } from "node:fs"
import { join } from "node:path"
import { after, describe, test } from "node:test"
import { Farm, FarmNode, PORTS } from "./support/farm.ts"
import { removeDirectory, runToEnd, until } from "./support/programs.ts"
import { RealPhone } from "./support/real-phone.ts"

const PASSPHRASE = ["--passphrase", "a long passphrase"]

describe("a farm that burnt down, and was backed up before", () => {
  const farm = new Farm("backup.test")
  const phones: RealPhone[] = []
  after(async () => {
    for (const phone of phones) phone.close()
    await farm.end()
  })

  async function phoneOf(user: string, node: FarmNode, index: number): Promise<RealPhone> {
    const proxy = { host: node.host, port: PORTS.sip }
    const settings = { user, password: `secret of ${user}`, domain: farm.domain, proxy }
    const phone = await RealPhone.open(`127.0.1.${index}`, settings)
    phones.push(phone)
    return phone
  }

  test("rises again on another machine: users, calls, invites, the same CA", async () => {
    const nodes = await farm.grow(3)
    const users = Array.from({ length: 20 }, (_, index) => `user-${index}`)
    for (const [index, user] of users.entries())
      await nodes[index % 3]!.ask("user", "add", user, "--password", `secret of ${user}`)
    const file = join(farm.directory, "farm.backup")
    const said = await nodes[0]!.ask("backup", file, ...PASSPHRASE)
    assert.match(said, /the CA, the configuration, the fabric keys and \d+ values of 3 nodes of backup\.test/)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.match(nodes[0]!.run("backup", file, ...PASSPHRASE).stderr, /is there already; give another name/)
    await Promise.all(nodes.map((node) => node.stop("SIGKILL")))
    for (const node of nodes) await removeDirectory(node.data)

    const restored = new FarmNode("127.0.0.9", join(farm.directory, "restored"), [], {})
    farm.nodes.push(restored)
    const restore = (...words: readonly string[]) =>
      runToEnd("bin/carillon", ["restore", file, "--data", restored.data, ...words])
    const wrong = restore("--passphrase", "another passphrase")
    assert.equal(wrong.code, 1)
    assert.match(wrong.stderr, /farm\.backup: it does not open: the passphrase is another/)
    const right = restore(...PASSPHRASE)
    assert.equal(right.code, 0, right.stderr)
    assert.match(right.stdout, /is a new node of backup\.test with \d+ values; start it/)
    const again = restore(...PASSPHRASE)
    assert.equal(again.code, 1)
    assert.match(again.stderr, /is of the overlay backup\.test/)

    await restored.up()
    const listed = restored.json("user", "list").users.map((name: string) => name.split("@")[0])
    assert.deepEqual(listed.sort(), [...users].sort())
    const fresh = await farm.add(restored)
    const [caller, callee] = [await phoneOf("user-3", restored, 1), await phoneOf("user-4", fresh, 2)]
    for (const phone of [caller, callee]) assert.equal((await phone.register()).status, 200)
    const { call, status } = await caller.call(`sip:user-4@${farm.domain}`)
    assert.equal(status, 200)
    await caller.hangUp(call)
    await until(
      "the new node holds the CA too",
      () => fresh.json("status").roleCounts.enrolment === 2,
      60_000,
    )
  })
})
