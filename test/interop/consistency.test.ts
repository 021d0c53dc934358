import assert from "node:assert/strict"
import { after, before, describe, test } from "node:test"
import type { Address } from "../../src/core/kit/address.ts"
import { Farm, type FarmNode, PORTS } from "./support/farm.ts"
import { RealPhone } from "./support/real-phone.ts"

const ROUNDS = 1_000

const sipOf = (node: FarmNode): Address => ({ host: node.host, port: PORTS.sip })

describe("what one node has confirmed, every node knows", () => {
  const farm = new Farm()
  const phones: RealPhone[] = []
  let places: readonly Address[] = []

  before(async () => {
    const nodes = await farm.grow(3)
    places = nodes.map(sipOf)
    for (const user of ["caller", "mover", "many", "roamer"])
      nodes[0]!.must("user", "add", user, "--password", "secret")
  })
  after(async () => {
    for (const phone of phones) phone.close()
    await farm.end()
  })

  async function phone(user: string, host: string): Promise<RealPhone> {
    const settings = { user, password: "secret", domain: farm.domain, proxy: places[0]! }
    const opened = await RealPhone.open(host, settings)
    phones.push(opened)
    return opened
  }

  test(`a registration at one node is reached by a call through another, and a removal is not, ${ROUNDS} times in a row`, async (context) => {
    const [caller, mover] = [await phone("caller", "127.0.1.1"), await phone("mover", "127.0.1.2")]
    for (let round = 0; round < ROUNDS; round++) {
      const [here, there] = [places[round % 3]!, places[(round + 1) % 3]!]
      assert.equal((await mover.register(3_600, false, here)).status, 200, `round ${round}: register`)
      const { call, status } = await caller.call(`sip:mover@${farm.domain}`, there)
      assert.equal(status, 200, `round ${round}: call`)
      assert.equal(await caller.hangUp(call), 200, `round ${round}: hang-up`)
      assert.equal((await mover.register(0, false, here)).status, 200, `round ${round}: removal`)
      assert.equal(
        (await caller.call(`sip:mover@${farm.domain}`, there)).status,
        480,
        `round ${round}: call after removal`,
      )
    }
    context.diagnostic(`${ROUNDS} registrations were seen at once, and ${ROUNDS} removals`)
  })

  test("Contact: * on one node removes what three nodes registered", async () => {
    const many = await Promise.all([1, 2, 3].map((number) => phone("many", `127.0.2.${number}`)))
    for (const [index, each] of many.entries()) {
      const { status, contacts } = await each.register(3_600, false, places[index]!)
      assert.equal(status, 200)
      assert.equal(contacts.length, index + 1, "the answer lists what the other nodes registered")
    }
    const { status, contacts } = await many[1]!.register(0, true)
    assert.equal(status, 200)
    assert.deepEqual(contacts, [])
    const [caller] = phones
    for (const place of places)
      assert.equal((await caller!.call(`sip:many@${farm.domain}`, place)).status, 480)
  })

  test("a phone that moves from node to node is reached at the new place only", async () => {
    const [caller, mover] = phones
    for (let round = 0; round < 30; round++) {
      await mover!.register(3_600, false, places[round % 3]!)
      const rings = mover!.events.filter(({ kind }) => kind === "ringing").length
      const { call, status } = await caller!.call(`sip:mover@${farm.domain}`, places[(round + 2) % 3]!)
      assert.equal(status, 200)
      await caller!.hangUp(call)
      assert.equal(mover!.events.filter(({ kind }) => kind === "ringing").length, rings + 1, "it rings once")
    }
    for (const node of farm.nodes)
      assert.equal(node.json("lookup", `mover@${farm.domain}`).bindings.length, 1)
  })

  test("a phone that says which it is, and comes over a new connection to another node, is called there only", async () => {
    // What it left behind still stands, connection and all, as of a phone whose network changed under it.
    const instance = ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>";reg-id=1'
    const lives: RealPhone[] = []
    const rings = () => lives.map(({ events }) => events.filter(({ kind }) => kind === "ringing").length)
    for (let round = 0; round < 12; round++) {
      const host = `127.0.3.${round + 1}`
      const proxy = places[(2 * round) % 3]!
      const settings = { user: "roamer", password: "secret", domain: farm.domain, proxy, instance }
      const roamer = await RealPhone.open(host, { ...settings, transport: "TCP" })
      phones.push(roamer)
      lives.push(roamer)
      assert.equal((await roamer.register()).status, 200)
      for (const from of places) {
        const { call, status } = await phones[0]!.call(`sip:roamer@${farm.domain}`, from)
        assert.equal(status, 200)
        assert.equal(await phones[0]!.hangUp(call), 200)
      }
      assert.deepEqual(rings(), Array<number>(round + 1).fill(places.length))
      const { bindings } = farm.nodes[round % 3]!.json("lookup", `roamer@${farm.domain}`)
      assert.deepEqual([bindings.length, bindings[0].source.split(":")[0]], [1, host])
    }
  })
})
