import { SeededRandom } from "../../src/core/kit/random.ts"
import { Farm, type FarmNode } from "../../test/interop/support/farm.ts"
import { until } from "../../test/interop/support/programs.ts"
import type { RealPhone } from "../../test/interop/support/real-phone.ts"
import { CallLoad } from "./load.ts"
import { type Member, type Missed, Population, seconds } from "./population.ts"
import { oneDecimal, pictureOf, type Row } from "./report.ts"
import { holdersOf, resourceIdOf } from "./ring.ts"
import { statusOf } from "./watch.ts"

/** How long things may take, in seconds. */
export interface Limits {
  /** From a kill on: calls may fail. */
  readonly rerouted: number
  /** From a freeze on: calls may fail or hang. */
  readonly frozen: number
  /** Until no record is short of a copy once nodes enough are there. */
  readonly repaired: number
  /** A registration in a storm may take. */
  readonly stormed: number
}

/** How often it is said what a wait is for, in milliseconds. */
const TELL_EVERY = 10_000

/** What is promised. */
export const TARGETS: Limits = { rerouted: 3, frozen: 4, repaired: 30, stormed: 30 }
/** For a machine that does much else: outcomes count, not times. */
export const GENEROUS: Limits = { rerouted: 30, frozen: 30, repaired: 120, stormed: 120 }

export interface ChaosSettings {
  readonly seed: number
  readonly nodes: number
  readonly users: number
  readonly limits: Limits
  /** How long nodes come and go, in seconds. */
  readonly churn: number
  readonly say: (line: string) => void
}

/** A farm, its phones, what is done to them, and what came of it. */
export class Chaos {
  readonly rows: Row[] = []
  readonly settings: ChaosSettings
  readonly farm = new Farm("chaos.test")
  readonly population = new Population(this.farm)
  readonly #random: SeededRandom
  readonly #callers: RealPhone[] = []
  readonly #nodeIds = new Map<FarmNode, string>()
  living: FarmNode[] = []

  constructor(settings: ChaosSettings) {
    this.settings = settings
    this.#random = new SeededRandom(settings.seed)
  }

  /** Starts the farm, and registers the phones at all nodes and by all transports. */
  async settle(): Promise<void> {
    const { nodes, users } = this.settings
    const growing = await seconds(async () => {
      await this.farm.grow(nodes)
    })
    this.living = [...this.farm.nodes]
    this.say(`${nodes} nodes up in ${oneDecimal(growing)} s`)
    const { importing, registering } = await this.population.settle(users)
    this.say(
      `${users} users imported in ${oneDecimal(importing)} s, phones registered in ${oneDecimal(registering)} s`,
    )
    for (let i = 0; i < 8; i++)
      this.#callers.push(await this.population.caller(this.living[0]!, `127.0.2.${10 + i}`))
    await this.complete("at the start")
    await this.callEveryone("phones reached before anything dies", this.population.members, [
      this.living.at(-1)!,
    ])
  }

  async end(): Promise<void> {
    this.population.close()
    for (const caller of this.#callers) caller.close()
    await this.farm.end()
  }

  say(line: string): void {
    this.settings.say(line)
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random.next() * from.length)]!
  }

  /** Calls at `rate` a second from several phones, through the nodes that `living` gives. */
  async load(living: () => readonly FarmNode[], rate: number): Promise<CallLoad> {
    const answerer = await this.population.answerer(living()[0]!)
    const { domain } = this.farm
    const plain = this.population.members.filter(({ transport }) => transport === "UDP")
    const targets = {
      answering: `sip:answerer@${domain}`,
      busy: plain.map(({ user }) => `sip:${user}@${domain}`),
    }
    const load = new CallLoad(this.#callers, targets, living, () => answerer.close())
    load.begin(rate)
    return load
  }

  picture(load: CallLoad, marks: ReadonlyMap<number, string>): void {
    this.say(pictureOf(load.seconds, marks))
    for (const { at, status, through } of load.failures.slice(0, 5))
      this.say(`failed: a call begun at ${oneDecimal(at)} s through ${through}: ${status}`)
  }

  /** SIGKILL; gives the moment. */
  async kill(victims: readonly FarmNode[]): Promise<number> {
    this.say(`SIGKILL ${victims.map(({ host }) => host).join(", ")}`)
    this.living = this.living.filter((node) => !victims.includes(node))
    const at = Date.now()
    await Promise.all(victims.map((node) => node.stop("SIGKILL")))
    return at
  }

  async return(victims: readonly FarmNode[]): Promise<void> {
    await Promise.all(victims.map((victim) => victim.up()))
    this.living.push(...victims)
    await this.complete("with the dead returned")
  }

  /** A new node, invited by one that lives. */
  async join(inviter: FarmNode): Promise<FarmNode> {
    const node = await this.farm.add(inviter)
    this.living.push(node)
    return node
  }

  /** It hands over what it has and leaves. */
  async drain(node: FarmNode): Promise<void> {
    this.living = this.living.filter((each) => each !== node)
    await node.stop("SIGTERM")
  }

  /** A node that can admit others. */
  async admitter(): Promise<FarmNode> {
    for (const node of this.living) if ((await statusOf(node)).roles.includes("enrolment")) return node
    throw new Error("no node lives that could admit others")
  }

  /** The Node-ID, which stays the same as long as its data do. */
  async idOf(node: FarmNode): Promise<string> {
    const known = this.#nodeIds.get(node) ?? (await statusOf(node)).node
    this.#nodeIds.set(node, known)
    return known
  }

  idsOf(nodes: readonly FarmNode[]): Promise<readonly string[]> {
    return Promise.all(nodes.map((node) => this.idOf(node)))
  }

  /** The users whose records are at these nodes alone. */
  async doomedWith(victims: readonly FarmNode[]): Promise<ReadonlySet<string>> {
    const ids = await this.idsOf(this.living)
    const dead = await this.idsOf(victims)
    const users = this.population.members.map(({ user }) => user)
    const isDoomed = (user: string) => this.#holdersOf(user, ids).every((holder) => dead.includes(holder))
    return new Set(users.filter(isDoomed))
  }

  /** Of the holders of one record so many, its responsible peer first, filled up with others; never `spared`. */
  async holdersOfSomething(
    count: number,
    { spared = [], together = 2 }: { spared?: readonly FarmNode[]; together?: number } = {},
  ): Promise<readonly FarmNode[]> {
    const candidates = this.living.filter((node) => !spared.includes(node))
    const ids = await this.idsOf(this.living)
    const byId = new Map(
      await Promise.all(candidates.map(async (node) => [await this.idOf(node), node] as const)),
    )
    const holders = () =>
      this.#holdersOf(this.pick<Member>(this.population.members).user, ids).slice(0, together)
    let drawn = holders()
    while (!drawn.every((id) => byId.has(id))) drawn = holders()
    const victims = drawn.map((id) => byId.get(id)!)
    const others = candidates.filter((node) => !victims.includes(node))
    while (victims.length < count)
      victims.push(others.splice(Math.floor(this.#random.next() * others.length), 1)[0]!)
    return victims
  }

  #holdersOf(user: string, ids: readonly string[]): readonly string[] {
    return holdersOf(ids, resourceIdOf(`${user}@${this.farm.domain}`))
  }

  /** Waits until every node sees every other, holds what is due to it and nothing else, and no record is short. */
  async complete(when: string): Promise<number> {
    let toldAt = performance.now()
    const took = await seconds(async () => {
      await until(
        `no record is short ${when}`,
        async () => {
          const lacking = await this.#lacking()
          if (lacking.length > 0 && performance.now() > toldAt + TELL_EVERY) {
            toldAt = performance.now()
            this.say(`still waiting ${when}: ${lacking.join("; ")}`)
          }
          return lacking.length === 0
        },
        120_000,
      )
    })
    this.say(`every node sees every other and no record is short ${when}: after ${oneDecimal(took)} s`)
    return took
  }

  /** What each node lacks that is not complete. */
  async #lacking(): Promise<readonly string[]> {
    const all = await Promise.all(this.living.map(async (node) => ({ node, status: await statusOf(node) })))
    return all.flatMap(({ node: { host }, status: { nodes, records } }) => {
      const { held, due, short } = records
      if (nodes.length === this.living.length && short === 0 && held === due) return []
      return [
        `${host} sees ${nodes.length} of ${this.living.length} nodes, holds ${held} of ${due}, ${short} short`,
      ]
    })
  }

  async callEveryone(what: string, members: readonly Member[], through: readonly FarmNode[]): Promise<void> {
    const { made, missed } = await this.population.callAll(members, through)
    this.sayMissed(missed)
    this.count(what, made - missed.length, made)
  }

  sayMissed(missed: readonly Missed[]): void {
    for (const { user, transport, through, status } of missed.slice(0, 10))
      this.say(`missed: ${user} (${transport}) through ${through}: ${status}`)
  }

  /** A row: all of them are to be good. */
  count(what: string, good: number, all: number): void {
    this.rows.push([what, `${good} of ${all}`, "all", good === all ? "ok" : "NOT"])
  }

  /** A row for a figure that has a target. */
  verdict(what: string, figure: string, target: string, isGood: boolean): void {
    this.rows.push([what, figure, target, isGood ? "ok" : "NOT"])
  }

  /** A row for a time in seconds that has a bound. */
  within(what: string, took: number, limit: number): void {
    this.verdict(what, `${oneDecimal(took)} s`, `< ${limit} s`, took < limit)
  }

  /** A row for a figure that is only told. */
  note(what: string, figure: string): void {
    this.rows.push([what, figure, "", ""])
  }
}
