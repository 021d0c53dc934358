import assert from "node:assert/strict"
import { X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { Farm, type FarmNode, PORTS } from "./support/farm.ts"
import { removeDirectory, until } from "./support/programs.ts"
import { RealPhone } from "./support/real-phone.ts"

/** So that all certificates are renewed, and the first ones end, while the test runs. */
const LIFE = 90

describe("a farm whose first node is gone for good", () => {
  const farm = new Farm("first.test", { extra: ["--certificate-life", `${LIFE}s`] })
  let second: FarmNode
  let third: FarmNode
  let newcomer: FarmNode
  const phones: RealPhone[] = []

  before(async () => {
    const [first, ...others] = await farm.grow(3)
    ;[second, third] = others as [FarmNode, FarmNode]
    await holdersAre(3, second)
    await first!.stop("SIGKILL")
    await removeDirectory(first!.data)
  })
  after(async () => {
    for (const phone of phones) phone.close()
    await farm.end()
  })

  async function status(node: FarmNode) {
    const answer = await fetch(`${node.http}/api/status`)
    return (await answer.json()) as {
      readonly node: string
      readonly nodes: readonly { readonly node: string }[]
      readonly roleCounts: Readonly<Record<string, number>>
    }
  }

  const holdersAre = (count: number, node: FarmNode) =>
    until(
      () =>
        `${node.host} sees ${count} nodes that hold the CA; it said:\n${node.program?.output.slice(-1_500)}`,
      async () => (await status(node)).roleCounts["enrolment"] === count,
      60_000,
    )

  async function phoneAt(index: number, user: string, node: FarmNode): Promise<RealPhone> {
    const proxy = { host: node.host, port: PORTS.sip }
    const phone = await RealPhone.open(`127.0.1.${index}`, {
      user,
      password: "secret",
      domain: farm.domain,
      proxy,
    })
    phones.push(phone)
    return phone
  }

  /** One call from each phone to the other, and a user who is new, known to every node. */
  async function expectService(name: string): Promise<void> {
    const nodes = [second, third, newcomer]
    await nodes[0]!.ask("user", "add", name, "--password", "secret")
    for (const node of nodes)
      assert.match(await node.ask("user", "list"), new RegExp(`^${name}@`, "m"), `${name} on ${node.host}`)
    const [caller, callee] = phones as [RealPhone, RealPhone]
    for (const node of nodes) {
      const answer = await callee.register(3_600, false, { host: node.host, port: PORTS.sip })
      assert.equal(answer.status, 200, `a phone registers at ${node.host}`)
      const via = { host: second.host, port: PORTS.sip }
      const { call, status } = await caller.call(`sip:${callee.agent.settings.user}@${farm.domain}`, via)
      assert.equal(status, 200, `a phone at ${node.host} is called through ${second.host}`)
      await caller.hangUp(call)
    }
  }

  test("admits nodes by an invite of a survivor, takes users, and rings their phones", async () => {
    newcomer = await farm.add(second)
    await second.ask("user", "add", "alice", "--password", "secret")
    await third.ask("user", "add", "bob", "--password", "secret")
    const [alice, bob] = [await phoneAt(1, "alice", second), await phoneAt(2, "bob", newcomer)]
    assert.equal((await alice.register()).status, 200)
    assert.equal((await bob.register()).status, 200)
    await expectService("carol")
  })

  test("renews all certificates, and goes on when those it began with have ended", async (context) => {
    const certificateOf = (node: FarmNode, file: string) =>
      new X509Certificate(readFileSync(join(node.data, "membership", file)))
    const nodes = [second, third, newcomer]
    const files = nodes.flatMap((node) => ["node.crt", "phone.crt"].map((file) => ({ node, file })))
    // The second and third got theirs from the first node, or, with the CA, made another.
    const begun = files.map(({ node, file }) => certificateOf(node, file))
    const ends = Math.max(...begun.map(({ validToDate }) => validToDate.getTime()))
    for (const [index, { node, file }] of files.entries())
      await until(
        () => `${node.host} renews its ${file}; it said:\n${node.program?.output.slice(-1_500)}`,
        () => certificateOf(node, file).validToDate > begun[index]!.validToDate,
        2 * LIFE * 1_000,
      )
    await until("the first certificates have ended", () => Date.now() > ends, 2 * LIFE * 1_000)
    for (const node of nodes) assert.equal((await status(node)).nodes.length, 3, `as ${node.host} sees it`)
    await expectService("dave")
    context.diagnostic(`${files.length} certificates were renewed`)
  })

  test("takes a node's certificate back by a command on any other", async () => {
    const { node } = await status(newcomer)
    const said = await third.ask("node", "revoke", node.slice(0, 8))
    assert.match(said, new RegExp(`revoked ${node.slice(0, 8)}`))
    for (const other of [second, third])
      await until(
        () =>
          `${other.host} knows the revoked node no longer; it said:\n${other.program?.output.slice(-1_500)}`,
        async () => !(await status(other)).nodes.some((each) => each.node === node),
        60_000,
      )
    await newcomer.stop("SIGKILL")
    await newcomer.up()
    const seen = /overlay\.link-refused.*revoked/
    await Promise.any([second, third].map((other) => other.program!.says(seen)))
    for (const other of [second, third]) assert.equal((await status(other)).nodes.length, 2, other.host)
  })
})
