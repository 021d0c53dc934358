import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import type { Address } from "../../src/core/kit/address.ts"
import { Farm, type FarmNode, PORTS } from "./support/farm.ts"
import { NameServer, serversOf } from "./support/name-server.ts"
import { until } from "./support/programs.ts"
import { RealPhone } from "./support/real-phone.ts"

const DOMAIN = "dead-path.test"
const TRANSPORTS = ["UDP", "TCP", "TLS"] as const
type Transport = (typeof TRANSPORTS)[number]

const SERVICES = { UDP: "_sip._udp", TCP: "_sip._tcp", TLS: "_sips._tcp" } as const

/** Alice calls through the first node; Bob's edge is the second. */
class Talk {
  readonly alice: RealPhone
  readonly bob: RealPhone
  readonly call: string

  constructor(alice: RealPhone, bob: RealPhone, call: string) {
    this.alice = alice
    this.bob = bob
    this.call = call
  }

  /** The call can still be changed and ended by that phone, and the other one learns of it. */
  async goesOnFrom(phone: RealPhone): Promise<void> {
    const other = phone === this.alice ? this.bob : this.alice
    assert.equal(await phone.reInvite(this.call), 200, "the re-INVITE")
    assert.equal(await phone.hangUp(this.call), 200, "the BYE")
    const ended = other.events.some((event) => event.kind === "call-ended" && event.call === this.call)
    assert.ok(ended, "the other phone has heard the BYE")
  }

  close(): void {
    this.alice.close()
    this.bob.close()
  }
}

class Scene {
  readonly farm: Farm
  #phones = 0

  constructor(farm: Farm) {
    this.farm = farm
  }

  get nodes(): readonly [FarmNode, FarmNode, FarmNode] {
    return this.farm.nodes as unknown as readonly [FarmNode, FarmNode, FarmNode]
  }

  async begin(): Promise<void> {
    const [first] = await this.farm.grow(3)
    for (const user of ["alice", "bob"]) first!.must("user", "add", user, "--password", "secret")
  }

  proxy(node: FarmNode, transport: Transport): Address {
    return { host: node.host, port: transport === "TLS" ? PORTS.sips : PORTS.sip }
  }

  async phone(user: string, transport: Transport, node: FarmNode): Promise<RealPhone> {
    const phone = await RealPhone.open(`127.0.1.${++this.#phones}`, {
      user,
      password: "secret",
      domain: DOMAIN,
      transport,
      ca: readFileSync(join(node.data, "membership", "phone.crt"), "utf8"),
      proxy: this.proxy(node, transport),
    })
    assert.equal((await phone.register()).status, 200)
    return phone
  }

  async talk(alices: Transport, bobs: Transport): Promise<Talk> {
    const [first, second] = this.nodes
    const bob = await this.phone("bob", bobs, second)
    const alice = await this.phone("alice", alices, first)
    const { call, status } = await alice.call(`sip:bob@${DOMAIN}`)
    assert.equal(status, 200)
    await until("the call stands at both ends", () =>
      bob.events.some((event) => event.kind === "call-confirmed" && event.call === call),
    )
    return new Talk(alice, bob, call)
  }

  /** Kills a node, lets `play` go on without it, and brings it back. */
  async without(node: FarmNode, play: () => Promise<void>): Promise<void> {
    await node.stop("SIGKILL")
    try {
      await play()
    } finally {
      await node.up()
      const living = () => this.nodes.every((each) => each.json("status").nodes.length === this.nodes.length)
      await until("all nodes see all nodes", living)
    }
  }

  /** It registers there by a new connection, as a phone does that lost the old one. */
  async moves(phone: RealPhone, transport: Transport, to: FarmNode): Promise<void> {
    phone.reconnect()
    assert.equal((await phone.register(3_600, false, this.proxy(to, transport))).status, 200)
  }
}

describe("an answered call that loses a node of its path", () => {
  const scene = new Scene(new Farm(DOMAIN))
  before(() => scene.begin())
  after(() => scene.farm.end())

  for (const bobs of ["TCP", "TLS"] as const) {
    test(`goes on from a callee by ${bobs} when the caller's node dies`, async () => {
      const talk = await scene.talk("UDP", bobs)
      await scene.without(scene.nodes[0], () => talk.goesOnFrom(talk.bob))
      talk.close()
    })

    test(`goes on from the caller when the edge of a callee by ${bobs} dies, who has come back elsewhere`, async () => {
      const talk = await scene.talk("UDP", bobs)
      await scene.without(scene.nodes[1], async () => {
        await scene.moves(talk.bob, bobs, scene.nodes[2])
        await talk.goesOnFrom(talk.alice)
      })
      talk.close()
    })
  }

  test("goes on from the caller when the edge of a callee by UDP dies, who does nothing about it", async () => {
    const talk = await scene.talk("UDP", "UDP")
    await scene.without(scene.nodes[1], () => talk.goesOnFrom(talk.alice))
    talk.close()
  })
})

describe("where phones find their proxy by SRV records, an answered call that loses a node of its path", () => {
  const hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
  let names: NameServer
  let scene: Scene

  before(async () => {
    names = await NameServer.open(DOMAIN, hosts, PORTS)
    scene = new Scene(new Farm(DOMAIN, { extra: ["--name-servers", names.address] }))
    await scene.begin()
    await recordRouteNamesTheDomain()
  })
  after(async () => {
    await scene?.farm.end()
    names?.close()
  })

  const recordRouteNamesTheDomain = () =>
    Promise.all(
      scene.nodes.flatMap((node) =>
        TRANSPORTS.map((transport) =>
          node.program!.says(new RegExp(`sip\\.record-route transport=${transport} route=domain`)),
        ),
      ),
    )

  /** The first of the domain's servers that takes a connection: RFC 3263 §4.3. */
  async function findsProxy(phone: RealPhone, transport: Transport): Promise<void> {
    for (const server of await serversOf(names.address, `${SERVICES[transport]}.${DOMAIN}`)) {
      if (!(await answers(server))) continue
      phone.reconnect()
      phone.agent.use(server)
      return
    }
    assert.fail("no server of the domain answers")
  }

  for (const [alices, bobs] of [
    ["UDP", "UDP"],
    ["UDP", "TLS"],
    ["TCP", "TCP"],
  ] as const) {
    test(`goes on from both sides when the caller's node dies, from ${alices} to ${bobs}`, async () => {
      for (const side of ["alice", "bob"] as const) {
        const talk = await scene.talk(alices, bobs)
        await scene.without(scene.nodes[0], async () => {
          await findsProxy(talk.alice, alices)
          if (alices !== "UDP") assert.equal((await talk.alice.register()).status, 200)
          if (bobs === "UDP") await findsProxy(talk.bob, bobs)
          await talk.goesOnFrom(talk[side])
        })
        talk.close()
        await recordRouteNamesTheDomain()
      }
    })
  }
})

const answers = ({ host, port }: Address) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, host)
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })
