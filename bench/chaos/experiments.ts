import { setTimeout as pause } from "node:timers/promises"
import { SeededRandom } from "../../src/core/kit/random.ts"
import { Farm, type FarmNode } from "../../test/interop/support/farm.ts"
import { until } from "../../test/interop/support/programs.ts"
import type { RealPhone } from "../../test/interop/support/real-phone.ts"
import { CallLoad } from "./load.ts"
import { type Member, Population, seconds } from "./population.ts"
import { pictureOf, type Row } from "./report.ts"

export const EXPERIMENTS = ["freeze", "pair", "half", "power", "churn", "first"] as const
export type ExperimentName = (typeof EXPERIMENTS)[number]

export interface ChaosSettings {
  readonly seed: number
  readonly nodes: number
  readonly users: number
  readonly say: (line: string) => void
}

interface Status {
  readonly node: string
  readonly nodes: readonly { readonly node: string }[]
  readonly records: { readonly held: number; readonly due: number; readonly short: number }
}

/** A farm, its phones, and what is done to them. */
export class Chaos {
  readonly rows: Row[] = []
  readonly #settings: ChaosSettings
  readonly #farm = new Farm("chaos.test")
  readonly #population = new Population(this.#farm)
  readonly #random: SeededRandom
  readonly #callers: RealPhone[] = []
  #living: FarmNode[] = []

  constructor(settings: ChaosSettings) {
    this.#settings = settings
    this.#random = new SeededRandom(settings.seed)
  }

  async settle(): Promise<void> {
    const { nodes, users, say } = this.#settings
    const growing = await seconds(async () => {
      await this.#farm.grow(nodes)
    })
    this.#living = [...this.#farm.nodes]
    say(`${nodes} nodes up in ${growing.toFixed(1)} s`)
    const { importing, registering } = await this.#population.settle(users)
    say(
      `${users} users imported in ${importing.toFixed(1)} s, phones registered in ${registering.toFixed(1)} s`,
    )
    for (let i = 0; i < 8; i++)
      this.#callers.push(await this.#population.caller(this.#living[0]!, `127.0.2.${10 + i}`))
    await this.#complete("at the start")
    const { missed } = await this.#population.callAll(this.#population.members, [this.#living.at(-1)!])
    this.#row("phones reached before anything dies", users - missed.length, users)
  }

  async run(name: ExperimentName): Promise<void> {
    this.#settings.say(`\n--- ${name} ---`)
    switch (name) {
      case "freeze":
        return this.#freeze()
      case "pair":
        return this.#pair()
      case "half":
        return this.#half()
      case "power":
        return this.#power()
      case "churn":
        return this.#churn()
      case "first":
        return this.#first()
    }
  }

  async end(): Promise<void> {
    this.#population.close()
    for (const caller of this.#callers) caller.close()
    await this.#farm.end()
  }

  /** One node stands still for ten seconds, links open. */
  async #freeze(): Promise<void> {
    const victim = this.#pick(this.#living)
    const others = this.#living.filter((node) => node !== victim)
    const load = await this.#load(() => others)
    const running = load.run(20)
    await pause(2_000)
    this.#settings.say(`SIGSTOP ${victim.host}`)
    victim.program!.child.kill("SIGSTOP")
    await pause(10_000)
    victim.program!.child.kill("SIGCONT")
    await pause(3_000)
    await load.stop()
    await running
    this.#settings.say(
      pictureOf(
        load.seconds,
        new Map([
          [2, "Freeze"],
          [12, "Thaw"],
        ]),
      ),
    )
    const last = load.failures.filter(({ at }) => at < 12).at(-1)
    const rerouted = last === undefined ? 0 : last.at + 1 - 2
    this.#verdict("freeze: seconds until no call fails", rerouted.toFixed(0), rerouted <= 4)
    await this.#complete("after the thaw")
    const seen = await Promise.all(this.#living.map((node) => statusOf(node)))
    const ghosts = seen.filter(({ nodes }) => nodes.length !== this.#living.length).length
    this.#verdict("freeze: nodes that see another number of nodes afterwards", String(ghosts), ghosts === 0)
  }

  /** Two at once: a record's responsible peer, and one of its copies. */
  async #pair(): Promise<void> {
    const victims = await this.#holdersOfSomething(2)
    const living = this.#living.filter((node) => !victims.includes(node))
    const load = await this.#load(() => living)
    const running = load.run(40)
    await pause(1_000)
    await this.#kill(victims)
    await pause(3_000)
    await load.stop()
    await running
    this.#settings.say(pictureOf(load.seconds, new Map([[1, "Kill"]])))
    const early = load.failures.length
    this.#row("pair: calls in the first 3 s", load.reached, load.reached + early, "")
    const moved = await this.#population.moveFlowsFrom(victims, living)
    const { made, missed } = await this.#population.callAll(this.#population.members, living)
    this.#sayMissed(missed)
    this.#settings.say(`${moved.length} phones had their connection on a dead node and registered again`)
    this.#row("pair: phones reached from every survivor", made - missed.length, made)
    await this.#return(victims)
  }

  /** Half of the farm at once, beyond what three copies can bear. */
  async #half(): Promise<void> {
    const count = Math.floor(this.#living.length / 2)
    const victims = await this.#holdersOfSomething(count)
    const dead = await Promise.all(victims.map(async (node) => (await statusOf(node)).node))
    const doomed = new Set<string>()
    for (const { user } of this.#population.members) {
      const { responsible, copies } = await lookup(this.#living[0]!, `${user}@${this.#farm.domain}`)
      if ([responsible, ...copies].every((holder) => dead.includes(holder))) doomed.add(user)
    }
    await this.#kill(victims)
    const living = this.#living
    await pause(8_000)
    const known = new Set(
      (JSON.parse(await living[0]!.ask("user", "list", "--json")).users as string[]).map(
        (name) => name.split("@")[0]!,
      ),
    )
    const lost = this.#population.members.filter(({ user }) => !known.has(user))
    const safe = this.#population.members.filter(({ user }) => !doomed.has(user))
    const plain = safe.filter(({ node, transport }) => transport === "UDP" || !victims.includes(node))
    const { made, missed } = await this.#population.callAll(plain, [living[0]!])
    this.#sayMissed(missed)
    this.#settings.say(
      `records whose three holders were all among the ${count} dead: ${doomed.size}; index entries lost: ${lost.length}`,
    )
    this.#row("half: phones reached whose records had a living holder", made - missed.length, made)
    const fresh = await seconds(async () => {
      for (let i = 0; i < count; i++) this.#living.push(await this.#farm.add(this.#living[0]!))
    })
    const repaired = await seconds(() => this.#complete("with fresh nodes"))
    this.#verdict("half: seconds for fresh nodes to be up", fresh.toFixed(1), true)
    this.#verdict("half: seconds until no record is short", repaired.toFixed(1), repaired < 30)
    await this.#share("half")
    for (const victim of victims) await victim.up()
    this.#living.push(...victims)
    await this.#complete("with the dead returned")
    await this.#population.register(this.#population.members.filter(({ node }) => victims.includes(node)))
  }

  /** All dead at once, all started at once. */
  async #power(): Promise<void> {
    const nodes = [...this.#living]
    await Promise.all(nodes.map((node) => node.stop("SIGKILL")))
    const up = await seconds(async () => {
      await Promise.all(nodes.map((node) => node.up()))
    })
    this.#settings.say(`all ${nodes.length} nodes killed and started: up in ${up.toFixed(1)} s`)
    await this.#complete("after the power cut")
    const streams = this.#population.members.filter(({ transport }) => transport !== "UDP")
    for (const { phone } of streams) phone.reconnect()
    await this.#population.register(streams)
    const { made, missed } = await this.#population.callAll(this.#population.members, [this.#pick(nodes)])
    this.#sayMissed(missed)
    this.#row("power: phones reached after all nodes died and returned", made - missed.length, made)
  }

  /** A node joins and a node dies every two seconds, for a minute, under 50 calls a second. */
  async #churn(): Promise<void> {
    const stable = this.#living.slice(0, 3)
    const load = await this.#load(() => stable)
    const running = load.run(50)
    const marks = new Map<number, string>()
    const start = performance.now()
    for (let round = 0; performance.now() - start < 60_000; round++) {
      const next = start + 2_000 * (round + 1)
      const candidates = this.#living.filter((node) => !stable.includes(node))
      if (candidates.length > 1) {
        await this.#kill([this.#pick(candidates)])
        marks.set(Math.floor((performance.now() - start) / 1_000), "Kill")
      }
      this.#living.push(await this.#farm.add(this.#pick(stable)))
      await pause(Math.max(0, next - performance.now()))
    }
    await load.stop()
    await running
    this.#settings.say(pictureOf(load.seconds, marks))
    this.#row("churn: calls that reached their phone", load.reached, load.reached + load.failures.length, "")
    this.#verdict("churn: answered calls that could not be hung up", String(load.lost), load.lost === 0)
    await this.#complete("after the churn")
    const plain = this.#population.members.filter(({ transport }) => transport === "UDP")
    const { made, missed } = await this.#population.callAll(plain, [this.#pick(this.#living)])
    this.#sayMissed(missed)
    this.#row("churn: phones on plain UDP reached afterwards", made - missed.length, made)
  }

  /** The node that made the fabric, gone for good. */
  async #first(): Promise<void> {
    const first = this.#farm.nodes[0]!
    if (this.#living.includes(first)) await this.#kill([first])
    await pause(4_000)
    const [here, there] = [this.#pick(this.#living), this.#pick(this.#living)]
    await here.ask("user", "add", `late-${this.#settings.seed}`, "--password", "secret")
    const known = (JSON.parse(await there.ask("user", "list", "--json")).users as string[]).some((name) =>
      name.startsWith("late-"),
    )
    this.#verdict("first: a user added without the first node is known elsewhere", String(known), known)
    const joined = await this.#farm.add(here)
    this.#living.push(joined)
    const { nodes } = await statusOf(joined)
    this.#verdict(
      "first: nodes after one more joined",
      `${nodes.length} of ${this.#living.length}`,
      nodes.length === this.#living.length,
    )
  }

  async #load(living: () => readonly FarmNode[]): Promise<CallLoad> {
    const answerer = await this.#population.answerer(living()[0]!)
    this.#callers.push(answerer)
    const callers = this.#callers.filter((each) => each !== answerer && each.agent.settings.user === "caller")
    const { domain } = this.#farm
    const plain = this.#population.members.filter(({ transport }) => transport === "UDP")
    const targets = {
      answering: `sip:answerer@${domain}`,
      busy: plain.map(({ user }) => `sip:${user}@${domain}`),
    }
    return new CallLoad(callers, targets, living)
  }

  async #kill(victims: readonly FarmNode[]): Promise<void> {
    this.#settings.say(`SIGKILL ${victims.map(({ host }) => host).join(", ")}`)
    await Promise.all(victims.map((node) => node.stop("SIGKILL")))
    this.#living = this.#living.filter((node) => !victims.includes(node))
  }

  async #return(victims: readonly FarmNode[]): Promise<void> {
    for (const victim of victims) await victim.up()
    this.#living.push(...victims)
    await this.#complete("with the dead returned")
  }

  /** Nodes that hold one record together, its responsible peer first, filled up with others. */
  async #holdersOfSomething(count: number): Promise<readonly FarmNode[]> {
    const { user } = this.#pick<Member>(this.#population.members)
    const { responsible, copies } = await lookup(this.#living[0]!, `${user}@${this.#farm.domain}`)
    const ids = new Map<string, FarmNode>()
    for (const node of this.#living) ids.set((await statusOf(node)).node, node)
    const holders = [responsible, copies[0]].flatMap((id) =>
      id !== undefined && ids.has(id) ? [ids.get(id)!] : [],
    )
    const others = this.#living.filter((node) => !holders.includes(node))
    while (holders.length < count)
      holders.push(others.splice(Math.floor(this.#random.next() * others.length), 1)[0]!)
    return holders
  }

  /** Waits until every node sees every other and no record is short. */
  async #complete(when: string): Promise<void> {
    const took = await seconds(async () => {
      await until(
        `no record is short ${when}`,
        async () => {
          const all = await Promise.all(this.#living.map((node) => statusOf(node)))
          return all.every(
            ({ nodes, records }) => nodes.length === this.#living.length && records.short === 0,
          )
        },
        120_000,
      )
    })
    this.#settings.say(`no record short ${when}: ${took.toFixed(1)} s`)
  }

  async #share(name: string): Promise<void> {
    const held = (await Promise.all(this.#living.map((node) => statusOf(node)))).map(
      ({ records }) => records.held,
    )
    const mean = held.reduce((sum, each) => sum + each, 0) / held.length
    this.#verdict(`${name}: share held, max over mean`, (Math.max(...held) / mean).toFixed(2), true)
  }

  #sayMissed(
    missed: readonly {
      readonly user: string
      readonly transport: string
      readonly through: string
      readonly status: number
    }[],
  ): void {
    for (const { user, transport, through, status } of missed.slice(0, 10))
      this.#settings.say(`missed: ${user} (${transport}) through ${through}: ${status}`)
  }

  #row(what: string, good: number, all: number, verdict?: Row[2]): void {
    this.rows.push([what, `${good} of ${all}`, verdict ?? (good === all ? "ok" : "NOT")])
  }

  #verdict(what: string, figure: string, isGood: boolean): void {
    this.rows.push([what, figure, isGood ? "ok" : "NOT"])
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random.next() * from.length)]!
  }
}

async function statusOf(node: FarmNode): Promise<Status> {
  const response = await fetch(`${node.http}/api/status`)
  return (await response.json()) as Status
}

async function lookup(
  node: FarmNode,
  aor: string,
): Promise<{ readonly responsible: string; readonly copies: readonly string[] }> {
  const response = await fetch(`${node.http}/api/lookup/${encodeURIComponent(aor)}`, {
    headers: { authorization: `Bearer ${node.token()}` },
  })
  return (await response.json()) as { responsible: string; copies: string[] }
}
