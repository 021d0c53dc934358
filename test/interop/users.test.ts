import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { after, before, describe, test } from "node:test"
import { Farm, type FarmNode, PORTS } from "./support/farm.ts"
import { missing, Program, until } from "./support/programs.ts"
import { RealPhone } from "./support/real-phone.ts"

const IMPORTED = 10_000
/** How long that many may take. */
const PATIENCE = 30

describe("users of three nodes", () => {
  const farm = new Farm("users.test")
  let nodes: readonly FarmNode[] = []

  before(async () => {
    nodes = await farm.grow(3)
  })
  after(() => farm.end())

  /** What a REGISTER with that password ends with at that node. */
  async function registering(user: string, password: string, node: FarmNode): Promise<number> {
    const proxy = { host: node.host, port: PORTS.sip }
    const phone = await RealPhone.open("127.0.1.1", { user, password, domain: farm.domain, proxy })
    const { status } = await phone.register()
    phone.close()
    return status
  }

  test("are usable on all nodes when the command that adds, changes or removes them on one has returned", async () => {
    const users = Array.from({ length: 6 }, (_, index) => `user-${index}`)
    const everywhere = users.flatMap((user) => nodes.map((node) => ({ user, node })))
    const nodeOf = (index: number) => nodes[index % 3]!
    const known = async (password: string) => {
      for (const { user, node } of everywhere) assert.equal(await registering(user, password, node), 200)
    }
    /** An answer that let somebody in may be remembered for a moment. */
    const forgotten = async (password: string) => {
      for (const { user, node } of everywhere)
        await until(
          `${node.host} lets ${user} in by "${password}" no longer`,
          async () => (await registering(user, password, node)) === 401,
        )
    }
    for (const [index, user] of users.entries()) {
      await nodeOf(index).ask("user", "add", user, "--password", "old")
      for (const node of nodes) assert.equal(await registering(user, "old", node), 200)
    }
    for (const [index, user] of users.entries())
      await nodeOf(index + 1).ask("user", "passwd", user, "--password", "new")
    await known("new")
    await forgotten("old")
    for (const [index, user] of users.entries()) await nodeOf(index + 2).ask("user", "remove", user)
    await forgotten("new")
    for (const { user, node } of everywhere)
      assert.match(node.run("lookup", user).stdout, /is no user of this fabric/)
  })

  test(`${IMPORTED} are imported from a CSV in under ${PATIENCE} s, with a bar, and known to every node`, {
    skip: missing("script"),
  }, async (context) => {
    const names = Array.from({ length: IMPORTED }, (_, index) => `u${String(index).padStart(5, "0")}`)
    const file = join(farm.directory, "users.csv")
    writeFileSync(file, names.map((name) => `${name},secret of ${name}\n`).join(""))
    // `script` lends it a terminal, as a bar is drawn for people only.
    const command = [resolve("bin/carillon"), "user", "import", file, "--http", nodes[1]!.http]
    const shell = [...command, "--data", nodes[1]!.data].join(" ")
    const started = performance.now()
    const run = new Program("import", "script", ["-qec", shell, "/dev/null"])
    assert.equal(await run.exited, 0, run.output.slice(-500))
    const seconds = (performance.now() - started) / 1_000
    const bars = new Set([...run.output.matchAll(/[█░]+ (\d+) of 10000 users/g)].map(([, count]) => count))
    context.diagnostic(`${IMPORTED} users in ${seconds.toFixed(1)} s; the bar showed ${[...bars].join(" ")}`)
    assert.ok(seconds < PATIENCE, `${seconds} s`)
    assert.match(run.output, /10,?000 users imported in [\d.]+ s/)
    assert.ok(bars.size >= 5 && bars.has(String(IMPORTED)), "the bar moves, and ends full")
    for (const node of nodes) {
      const listed = (await node.ask("user", "list")).trim().split("\n")
      assert.deepEqual(
        listed.sort(),
        names.map((name) => `${name}@${farm.domain}`),
        `on ${node.host}`,
      )
    }
    for (const [index, node] of nodes.entries()) {
      const user = names[3_333 * (index + 1)]!
      assert.equal(await registering(user, `secret of ${user}`, node), 200)
    }
  })
})
