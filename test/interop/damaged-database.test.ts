import assert from "node:assert/strict"
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { after, before, describe, test } from "node:test"
import { Farm, type FarmNode, PORTS } from "./support/farm.ts"
import { until } from "./support/programs.ts"
import { RealPhone } from "./support/real-phone.ts"

const USERS = Array.from({ length: 40 }, (_, index) => `user-${index}`)

const databaseOf = (node: FarmNode) => join(node.data, "records.db")

/** Everything of a stopped node's store is in its main file, so that what happens to that happens to all. */
function settleLog(node: FarmNode): void {
  const database = new DatabaseSync(databaseOf(node))
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
  database.close()
}

function garble(file: string, start: number, end: number): void {
  const bytes = readFileSync(file)
  bytes.fill(0xa5, start, end)
  writeFileSync(file, bytes)
}

const setAsideBy = (node: FarmNode) =>
  readdirSync(node.data).filter((name) => name.startsWith("records.db.damaged-") && !name.endsWith("-wal"))

describe("four nodes of which one comes back with a damaged database", () => {
  const farm = new Farm("damaged.test")
  const phones: RealPhone[] = []

  before(async () => {
    await farm.grow(4)
    const file = join(farm.directory, "users.csv")
    writeFileSync(file, USERS.map((user) => `${user},secret\n`).join(""))
    farm.nodes[0]!.must("user", "import", file)
    for (const [index, node] of farm.nodes.entries()) {
      const phone = await RealPhone.open(`127.0.1.${index + 1}`, {
        user: USERS[index]!,
        password: "secret",
        domain: farm.domain,
        proxy: { host: node.host, port: PORTS.sip },
      })
      phones.push(phone)
      assert.equal((await phone.register()).status, 200)
    }
  })
  after(async () => {
    for (const phone of phones) phone.close()
    await farm.end()
  })

  const complete = () =>
    until(
      "every node holds what it should, and no record is short",
      () =>
        farm.nodes.every((node) => {
          const { nodes, records } = node.json("status")
          return nodes.length === 4 && records.short === 0 && records.held === records.due
        }),
      60_000,
    )

  const damages: Readonly<Record<string, (file: string) => void>> = {
    "its pages are garbage": (file) => garble(file, 4_096, readFileSync(file).length),
    "its header is another": (file) => garble(file, 0, 64),
    "it has been cut off": (file) => truncateSync(file, 3 * 4_096),
    "it has no byte left": (file) => truncateSync(file, 0),
  }
  for (const [index, [what, inflict]] of Object.entries(damages).entries())
    test(`it has everything again where ${what}, and the damaged file is kept`, async () => {
      await complete()
      const node = farm.nodes[index]!
      assert.equal(setAsideBy(node).length, 0)
      await node.stop("SIGKILL")
      settleLog(node)
      inflict(databaseOf(node))
      const damaged = readFileSync(databaseOf(node))
      await node.up()
      const said = node.program!.output
      const [aside] = setAsideBy(node)
      assert.ok(aside !== undefined, said)
      assert.deepEqual(readFileSync(join(node.data, aside)), damaged)
      assert.match(
        said,
        new RegExp(`^note: the record store is .* set aside as .*${aside} .*from the other nodes$`, "m"),
      )
      assert.match(said, /error store\.lost .*state=fetching/)
      assert.match(
        node.must("status"),
        /^record store +is .* set aside as .* its records come from the other nodes$/m,
      )
      assert.equal(node.json("status").store.aside, join(node.data, aside))
      await complete()
      const names = USERS.map((user) => `${user}@${farm.domain}`).sort()
      assert.deepEqual([...node.json("user", "list").users].sort(), names)
      for (const phone of phones) {
        const { user, bindings } = node.json("lookup", phone.agent.settings.user)
        assert.deepEqual({ user, contacts: bindings.length }, { user: true, contacts: 1 })
      }
    })
})

describe("a node with a damaged database that nobody can help", () => {
  const farm = new Farm("alone.test")
  after(() => farm.end())

  const refuses = async (node: FarmNode, ...patterns: readonly RegExp[]) => {
    await assert.rejects(node.up(), (error: Error) => {
      for (const pattern of patterns) assert.match(error.message, pattern)
      return true
    })
    assert.equal(await node.program!.exited, 1)
  }

  test("does not start empty where it is alone, says why, and does where its operator accepts the loss", async () => {
    const node = await farm.add()
    node.must("user", "add", "alice", "--password", "secret")
    await node.stop()
    garble(databaseOf(node), 4_096, readFileSync(databaseOf(node)).length)
    const damaged = readFileSync(databaseOf(node))
    const files = readdirSync(node.data).sort()
    await refuses(
      node,
      /carillon: the record store .*records\.db is damaged \(.*\), and this node knows no other that has copies; nothing was changed\./,
      /carillon restore.*--accept-loss/,
    )
    assert.deepEqual(readFileSync(databaseOf(node)), damaged)
    assert.deepEqual(readdirSync(node.data).sort(), files)
    await node.up("--accept-loss")
    assert.match(
      node.program!.output,
      /^note: the record store is damaged .*: this node goes on without what was in it$/m,
    )
    assert.deepEqual(node.json("user", "list").users, [])
    assert.deepEqual(readFileSync(join(node.data, setAsideBy(node)[0]!)), damaged)
    node.must("user", "add", "bob", "--password", "secret")
    await node.stop()
    await node.up()
    assert.deepEqual(node.json("user", "list").users, ["bob@alone.test"])
    assert.equal(node.json("status").store, undefined)
  })

  test("gives up after a while where the others do not answer, and has everything when one of them does", async () => {
    const [first] = farm.nodes
    const second = await farm.add()
    await until("the second has what the first has", () => {
      const [held, all] = farm.nodes.map((node) => node.json("status").records.held)
      return held === all
    })
    await Promise.all([first!.stop("SIGKILL"), second.stop("SIGKILL")])
    settleLog(second)
    truncateSync(databaseOf(second), 2 * 4_096)
    await refuses(
      second,
      /is damaged .* was set aside as .*, and no other node answers that has copies\. Start another node/,
    )
    // As its supervisor would.
    const again = second.up()
    await until("it waits", () => second.program?.output.includes("record store is damaged"))
    await first!.up()
    await again
    assert.deepEqual(second.json("user", "list").users, ["bob@alone.test"])
    assert.ok(existsSync(join(second.data, setAsideBy(second)[0]!)))
  })
})
