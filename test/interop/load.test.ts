import assert from "node:assert/strict"
import { after, before, describe, test } from "node:test"
import { Farm, type FarmNode, PORTS } from "./support/farm.ts"
import { missing } from "./support/programs.ts"
import {
  answer,
  authentication,
  call,
  callRefused,
  callUnauthenticated,
  register,
  registerRefused,
  ringUntilCancelled,
} from "./support/scenarios.ts"
import { startSipp } from "./support/sipp.ts"

const skip = missing("sipp")

const at = (node: FarmNode) => `${node.host}:${PORTS.sip}`
const local = (host: string, port: number) => ["-i", host, "-p", String(port)]

describe("SIPp against three nodes", { skip }, () => {
  const farm = new Farm()
  let nodes: readonly FarmNode[] = []

  before(async () => {
    nodes = await farm.grow(3)
    for (const user of ["caller", "callee", "forked"])
      nodes[1]!.must("user", "add", user, "--password", "secret")
  })
  after(() => farm.end())

  const line = (user: string, callee = "", password = "secret") =>
    `${user};${authentication(user, password)};${callee}`

  /** Runs a scenario to its end and expects every one of `count` to succeed. */
  async function all(
    name: string,
    scenario: string,
    node: FarmNode,
    args: readonly string[],
    values: string[],
    count = 1,
  ) {
    const run = startSipp(farm.directory, name, scenario, [at(node), "-m", String(count), ...args], values)
    const result = await run.finished()
    assert.equal(result.successful, count, `${name}: ${result.failed} failed\n${result.output}`)
    assert.equal(result.code, 0)
    return result
  }

  test("40 calls at 10 a second from one node to a phone on another", async (context) => {
    const callee = local("127.0.1.1", 25_060)
    await all("register-callee", register(farm.domain), nodes[0]!, callee, [line("callee")])
    const phone = startSipp(farm.directory, "callee", answer(200), [...callee, "-m", "40"])
    const { successful, failed } = await all(
      "calls",
      call(farm.domain, 1_000),
      nodes[1]!,
      [...local("127.0.1.2", 25_061), "-r", "10"],
      [line("caller", "callee")],
      40,
    )
    const answered = (await phone.finished()).successful
    context.diagnostic(`${successful} calls went well, ${failed} failed, ${answered} were answered`)
    assert.equal(answered, 40)
  })

  test("a phone registered at three nodes at once rings everywhere, and the losers are cancelled", async () => {
    const places = nodes.map((node, index) => ({ node, args: local(`127.0.1.${10 + index}`, 25_060) }))
    for (const [index, { node, args }] of places.entries())
      await all(`register-forked-${index}`, register(farm.domain), node, args, [line("forked")])
    const phones = places.map(({ args }, index) => {
      const scenario = index === 0 ? answer(500) : ringUntilCancelled()
      return startSipp(farm.directory, `forked-${index}`, scenario, [...args, "-m", "1"])
    })
    await all("fork", call(farm.domain, 500), nodes[2]!, local("127.0.1.2", 25_062), [
      line("caller", "forked"),
    ])
    for (const phone of phones) {
      const result = await phone.finished()
      assert.equal(result.successful, 1, result.output)
    }
  })

  test("a call without credentials is challenged, with wrong ones refused, and nothing rings", async () => {
    await all("no-credentials", callUnauthenticated(farm.domain), nodes[0]!, local("127.0.1.3", 25_063), [
      line("caller", "callee"),
    ])
    await all("wrong-password", callRefused(farm.domain, 407), nodes[0]!, local("127.0.1.3", 25_064), [
      line("caller", "callee", "wrong"),
    ])
    await all("wrong-register", registerRefused(farm.domain, 401), nodes[0]!, local("127.0.1.3", 25_065), [
      line("caller", "", "wrong"),
    ])
  })
})
