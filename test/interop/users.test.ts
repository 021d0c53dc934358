import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { join, resolve } from "node:path"
import { after, before, describe, test } from "node:test"
import { Farm, type FarmNode, PORTS } from "./support/farm.ts"
import { missing, Program, until } from "./support/programs.ts"
import { RealPhone } from "./support/real-phone.ts"

const IMPORTED = 10_000
/** How long that many may take, in seconds, on a machine that has other work too: a quiet one needs a tenth. */
const PATIENCE = 120

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

  /** Seconds of processors: what our nodes have used, and what there was. */
  async function spent() {
    const each = await Promise.all(nodes.map((node) => node.counters("process_cpu_seconds_total")))
    const times = cpus().map(({ times }) => times)
    const all = times.flatMap((of) => Object.values(of)).reduce((sum, part) => sum + part, 0)
    return {
      nodes: each.reduce((sum, counters) => sum + counters.get("")!, 0),
      idle: times.reduce((sum, { idle }) => sum + idle, 0),
      all,
    }
  }

  test("are usable on all nodes when the command that adds, changes or removes them on one has returned", async () => {
    const users = Array.from({ length: 6 }, (_, index) => `user-${index}`)
    const nodeOf = (index: number) => nodes[index % 3]!
    for (const [index, user] of users.entries()) {
      await nodeOf(index).ask("user", "add", user, "--password", "old")
      for (const node of nodes) assert.equal(await registering(user, "old", node), 200)
    }
    const isChanged = (index: number) => index < users.length / 2
    for (const [index, user] of users.entries())
      if (isChanged(index)) await nodeOf(index + 1).ask("user", "passwd", user, "--password", "new")
      else await nodeOf(index + 1).ask("user", "remove", user)
    for (const [index, user] of users.entries())
      for (const node of nodes) {
        if (isChanged(index)) assert.equal(await registering(user, "new", node), 200)
        // An answer that let somebody in may be remembered for a moment.
        await until(
          `${node.host} lets ${user} in by the old password no longer`,
          async () => (await registering(user, "old", node)) === 401,
        )
        if (!isChanged(index)) assert.match(node.run("lookup", user).stdout, /is no user of this fabric/)
      }
  })

  test(`${IMPORTED} are imported from a CSV, with a bar, and known to every node`, {
    skip: missing("script"),
  }, async (context) => {
    const names = Array.from({ length: IMPORTED }, (_, index) => `u${String(index).padStart(5, "0")}`)
    const file = join(farm.directory, "users.csv")
    writeFileSync(file, names.map((name) => `${name},secret of ${name}\n`).join(""))
    // `script` lends it a terminal, as a bar is drawn for people only.
    const command = [resolve("bin/carillon"), "user", "import", file, "--http", nodes[1]!.http]
    const shell = [...command, "--data", nodes[1]!.data].join(" ")
    const before = await spent()
    const started = performance.now()
    const run = new Program("import", "script", ["-qec", shell, "/dev/null"])
    assert.equal(await run.exited, 0, run.output.slice(-500))
    const seconds = (performance.now() - started) / 1_000
    const after = await spent()
    const computed = after.nodes - before.nodes
    const idle = (after.idle - before.idle) / (after.all - before.all)
    const bars = new Set([...run.output.matchAll(/[█░]+ (\d+) of 10000 users/g)].map(([, count]) => count))
    const figures = `${IMPORTED} users in ${seconds.toFixed(1)} s, ${computed.toFixed(1)} s of them the nodes' on processors that were ${Math.round(100 * idle)} % idle`
    context.diagnostic(`${figures}; the bar showed ${[...bars].join(" ")}`)
    assert.ok(seconds < PATIENCE, figures)
    assert.match(run.output, /10,?000 users imported in [\d.]+ s/)
    assert.ok(bars.size >= 5 && bars.has(String(IMPORTED)), "the bar moves, and ends full")
    for (const node of nodes) {
      const listed = (await node.ask("user", "list")).match(/^u\d.*$/gm)!
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
