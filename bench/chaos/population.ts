import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import type { Farm, FarmNode } from "../../test/interop/support/farm.ts"
import { PORTS } from "../../test/interop/support/farm.ts"
import { RealPhone } from "../../test/interop/support/real-phone.ts"

const TRANSPORTS = ["UDP", "TCP", "TLS"] as const
export const PASSWORD = "secret"
export const SIPP_USERS = { caller: "sipp-caller", callee: "sipp-callee" } as const
/** A phone that was told no time to wait comes back after so long, in seconds. */
const BARE_WAIT = 5
/** How often a phone comes back that is told to. */
const PATIENCE = 8

/** Runs `work` on each item, `width` at a time. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items]
  const lane = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: width }, lane))
}

const proxyOf = (node: FarmNode, transport: (typeof TRANSPORTS)[number]) => ({
  host: node.host,
  port: transport === "TLS" ? PORTS.sips : PORTS.sip,
})

/** A user with one phone, which is always busy: 486 proves that a call was delivered, and costs little. */
export interface Member {
  readonly user: string
  readonly transport: (typeof TRANSPORTS)[number]
  readonly phone: RealPhone
  node: FarmNode
  /** Where it registers when all is well. */
  readonly home: FarmNode
}

/** A call that did not reach its phone. */
export interface Missed {
  readonly user: string
  readonly transport: string
  readonly through: string
  readonly status: number
}

export interface Storm {
  /** Until each phone was registered, in seconds. */
  readonly took: readonly number[]
  /** Answers 503, and those of them without Retry-After. */
  readonly putOff: number
  readonly bare: number
  /** Phones that were refused otherwise, or not answered. */
  readonly gaveUp: number
}

/** Thousands of registered phones, spread over all nodes and transports. */
export class Population {
  readonly members: Member[] = []
  readonly #farm: Farm

  constructor(farm: Farm) {
    this.#farm = farm
  }

  /** Imports the users on the first node and registers each one's phone. Gives seconds for either. */
  async settle(count: number): Promise<{ readonly importing: number; readonly registering: number }> {
    const file = join(this.#farm.directory, "users.csv")
    const users = Array.from({ length: count }, (_, index) => `user${index}`)
    const extra = ["caller", "answerer", ...Object.values(SIPP_USERS)]
    writeFileSync(file, `${[...users, ...extra].map((user) => `${user},${PASSWORD}`).join("\n")}\n`)
    const importing = await seconds(async () => {
      await this.#farm.nodes[0]!.ask("user", "import", file)
    })
    for (const [index, user] of users.entries()) {
      const transport = TRANSPORTS[index % TRANSPORTS.length]!
      const node = this.#farm.nodes[Math.floor(index / TRANSPORTS.length) % this.#farm.nodes.length]!
      this.members.push(await this.#member(user, transport, node))
    }
    const registering = await seconds(() => this.register(this.members))
    return { importing, registering }
  }

  async #member(user: string, transport: Member["transport"], node: FarmNode): Promise<Member> {
    const phone = await RealPhone.open("127.0.1.1", {
      user,
      password: PASSWORD,
      domain: this.#farm.domain,
      proxy: proxyOf(node, transport),
      transport,
      ca: readFileSync(join(node.data, "membership", "phone.crt"), "utf8"),
      answers: { kind: "refuse", status: 486 },
    })
    return { user, transport, phone, node, home: node }
  }

  /** Registers phones where they are, and again when they are told to come back; throws where one is refused. */
  async register(members: readonly Member[]): Promise<void> {
    await inParallel(members, 64, async ({ phone, user, node }) => {
      for (let tries = 1; ; tries++) {
        const { status } = await phone.register(3_600)
        if (status === 200) return
        const said = node.program?.output.split("\n").filter((line) => line.includes(`${user}@`)) ?? []
        if (status !== 503 || phone.retryAfter === undefined || tries === PATIENCE)
          throw new Error(
            `${user} could not register at ${node.host}: ${status}\n${said.slice(-5).join("\n")}`,
          )
        await pause(1_000 * phone.retryAfter)
      }
    })
  }

  /** Phones whose connection died with their node find another, as phones do: by their list of servers. */
  async moveFlowsFrom(dead: readonly FarmNode[], living: readonly FarmNode[]): Promise<readonly Member[]> {
    const moved = this.members.filter(({ node, transport }) => dead.includes(node) && transport !== "UDP")
    for (const [index, member] of moved.entries()) this.#use(member, living[index % living.length]!)
    await this.register(moved)
    return moved
  }

  /** Whoever is not at its own node, or has lost its connection, goes there and registers. */
  async goHome(): Promise<void> {
    const away = this.members.filter(({ node, home, transport }) => node !== home || transport !== "UDP")
    for (const member of away) this.#use(member, member.home)
    await this.register(away)
  }

  /** All register at that node at the same moment, and come back when they are told to. */
  async storm(node: FarmNode): Promise<Storm> {
    const took: number[] = []
    let [putOff, bare, gaveUp] = [0, 0, 0]
    for (const member of this.members) this.#use(member, node)
    const start = performance.now()
    const come = async (phone: RealPhone): Promise<void> => {
      const { status } = await phone.register(3_600)
      if (status === 200) took.push((performance.now() - start) / 1_000)
      else if (status !== 503) gaveUp++
      else {
        putOff++
        if (phone.retryAfter === undefined) bare++
        await pause(1_000 * (phone.retryAfter ?? BARE_WAIT))
        await come(phone)
      }
    }
    await Promise.all(this.members.map(({ phone }) => come(phone)))
    return { took, putOff, bare, gaveUp }
  }

  #use(member: Member, node: FarmNode): void {
    member.node = node
    Object.assign(member.phone.agent.settings, { proxy: proxyOf(node, member.transport) })
    member.phone.reconnect()
  }

  async caller(node: FarmNode, host = "127.0.2.1"): Promise<RealPhone> {
    return RealPhone.open(host, {
      user: "caller",
      password: PASSWORD,
      domain: this.#farm.domain,
      proxy: proxyOf(node, "UDP"),
    })
  }

  async answerer(node: FarmNode): Promise<RealPhone> {
    const phone = await RealPhone.open("127.0.2.2", {
      user: "answerer",
      password: PASSWORD,
      domain: this.#farm.domain,
      proxy: proxyOf(node, "UDP"),
    })
    await phone.register(3_600)
    return phone
  }

  /** Calls every one of `members` through every one of `nodes`; gives those that were not reached. */
  async callAll(members: readonly Member[], nodes: readonly FarmNode[]) {
    const missed: Missed[] = []
    let made = 0
    for (const node of nodes) {
      const caller = await this.caller(node)
      await inParallel(members, 24, async ({ user, transport }) => {
        const { status } = await caller.call(`sip:${user}@${this.#farm.domain}`)
        made++
        if (status !== 486) missed.push({ user, transport, through: node.host, status })
      })
      caller.close()
    }
    return { made, missed }
  }

  close(): void {
    for (const { phone } of this.members) phone.close()
  }
}

export async function seconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1_000
}
