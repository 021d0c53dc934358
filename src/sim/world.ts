import type { Identity } from "../core/identity/certificate.ts"
import { type FakeAuthority, FakeCryptography, fakeAuthority } from "../core/identity/fake-cryptography.ts"
import { parseNodeId } from "../core/identity/node-id.ts"
import { DEFAULT_ROLES } from "../core/identity/roles.ts"
import { randomBytes } from "../core/kit/bytes.ts"
import type { Hashes } from "../core/kit/crypto.ts"
import { toHex } from "../core/kit/hex.ts"
import { SeededRandom } from "../core/kit/random.ts"
import {
  after,
  type Duration,
  type Instant,
  milliseconds,
  minutes,
  NEVER,
  seconds,
} from "../core/kit/time.ts"
import type { CarillonNode, NodeAnswer, NodeCommand } from "../core/node/interface.ts"
import { createNode } from "../core/node/node.ts"
import type { Configuration } from "../core/reload/configuration.ts"
import { Agenda } from "./agenda.ts"
import { type Conditions, Weather } from "./conditions.ts"
import { EventLog } from "./event-log.ts"
import { Network } from "./network.ts"
import { SimHost, type Surroundings } from "./sim-host.ts"
import { SimPhone } from "./sim-phone.ts"
import { RELOAD_PORT, SIP_PORT } from "./sim-ports.ts"
import { UserAgent, type UserAgentSettings } from "./user-agent.ts"

/** The invented world begins on 1 January 2030, so that times look like times. */
const BEGINNING = 1_893_456_000_000 as Instant

export type PhoneSettings = Pick<UserAgentSettings, "user" | "password"> &
  Partial<Pick<UserAgentSettings, "transport" | "answers">>

/** Whole nodes, phones, a network, disks and a clock, all made up from one seed. */
export class World {
  readonly hosts: SimHost[] = []
  readonly phones: SimPhone[] = []
  readonly log: EventLog
  readonly domain: string
  /** May be changed at any time. */
  readonly weather: Weather
  readonly network: Network
  readonly #random: SeededRandom
  readonly #agenda = new Agenda()
  readonly #hashes: Hashes
  readonly #cryptography: FakeCryptography
  readonly #authority: FakeAuthority
  readonly #surroundings: Surroundings
  readonly #byHost = new Map<string, SimHost>()
  #numbered = 0
  #now = BEGINNING

  /** `hashes`: the platform's; hashing need not be invented. `watch` is shown every line of the event log. */
  constructor(seed: number, conditions: Conditions, hashes: Hashes, watch?: (line: string) => void) {
    const { domain = "carillon.test", diskDelay = milliseconds(2) } = conditions
    this.domain = domain
    this.#random = new SeededRandom(seed)
    this.#hashes = hashes
    this.log = new EventLog(hashes, watch)
    this.#cryptography = new FakeCryptography(hashes)
    this.#authority = fakeAuthority(this.#cryptography, { overlay: domain, seed })
    const now = () => this.#now
    this.weather = new Weather(this.#chance(), conditions)
    this.network = new Network(this.#agenda, this.weather, now)
    const hostAt = (host: string) => this.#byHost.get(host)
    const { network, log } = this
    this.#surroundings = { agenda: this.#agenda, network, log, diskDelay, now, hostAt }
    for (let i = 0; i < conditions.nodes; i++) this.join()
  }

  get now(): Instant {
    return this.#now
  }

  get alive(): readonly SimHost[] {
    return this.hosts.filter((host) => host.alive)
  }

  /** A new node comes, and joins through `bootstrap`: some that are there, where nothing else is said. */
  join(bootstrap: readonly SimHost[] = this.#contacts()): SimHost {
    const host = `10.0.${this.hosts.length >> 8}.${this.hosts.length & 255}`
    const nodeId = parseNodeId(toHex(randomBytes(this.#random, 16)))
    const identity = this.#authority.issue({ nodeId, roles: DEFAULT_ROLES })
    const simulated = new SimHost(this.#surroundings, {
      host,
      identity,
      bootstrap: bootstrap.map(({ address }) => address),
      create: () => this.#createNode(host, identity),
    })
    this.hosts.push(simulated)
    this.#byHost.set(host, simulated)
    this.network.settle(simulated)
    simulated.start()
    return simulated
  }

  /** It hands over what it has, leaves and stops. */
  leave(host: SimHost): void {
    this.command(host, { kind: "drain" })
    host.crash("reset")
  }

  /** A phone that uses `node` for everything. */
  phone(node: SimHost, settings: PhoneSettings): SimPhone {
    const number = this.phones.length
    const agent = new UserAgent({
      domain: this.domain,
      address: { host: `10.1.${number >> 8}.${number & 255}`, port: SIP_PORT },
      transport: "UDP",
      proxy: { host: node.host, port: SIP_PORT },
      hashes: this.#hashes,
      random: this.#chance(),
      answers: { kind: "accept", after: milliseconds(100) },
      ...settings,
    })
    const phone = new SimPhone(this.#surroundings, agent)
    this.phones.push(phone)
    this.network.settle(phone)
    return phone
  }

  /** Asks a node, and lets time pass until it has answered. */
  command(host: SimHost, command: NodeCommand, patience: Duration = seconds(60)): NodeAnswer {
    let answer: NodeAnswer | undefined
    host.command(command, (given) => {
      answer = given
    })
    this.runUntil(() => answer !== undefined, patience)
    if (answer === undefined)
      throw new Error(`${host.host} did not answer ${command.kind} within ${patience} ms`)
    return answer
  }

  /** 1, 2, 3 …: for names of calls and the like. */
  nextNumber(): number {
    return ++this.#numbered
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new Error("there is nothing to pick from")
    return from[this.below(from.length)]!
  }

  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number {
    return Math.floor(limit * this.#random.next())
  }

  /** The same things in any order. */
  shuffle<T>(things: readonly T[]): readonly T[] {
    const rest = [...things]
    return things.map(() => rest.splice(this.below(rest.length), 1)[0]!)
  }

  /** Something that happens while time passes. */
  plan(wait: Duration, run: () => void): void {
    this.#agenda.plan(after(this.#now, wait), run)
  }

  /** Machines lose power, all at one instant: nobody hears anything of them. */
  cutPower(hosts: readonly SimHost[] = this.alive): void {
    for (const host of hosts) host.crash("silent")
  }

  /** From now on nothing passes between these parts; `network.heal()` ends it. */
  part(...sides: readonly (readonly { readonly host: string }[])[]): void {
    this.network.cut(sides.map((side) => side.map(({ host }) => host)))
  }

  /** Lets time pass. */
  run(span: Duration): void {
    this.runUntil(() => false, span)
  }

  /** Lets time pass until the condition holds; says whether it did within `span`. */
  runUntil(condition: () => boolean, span: Duration): boolean {
    const end = after(this.#now, span)
    while (!condition()) {
      if (this.#agenda.next > end || this.#agenda.next === NEVER) {
        this.#now = end
        return condition()
      }
      this.#now = this.#agenda.next
      this.#agenda.runNext()
    }
    return true
  }

  /** Three nodes to try: more than one, since any may be down. */
  #contacts(): readonly SimHost[] {
    return this.shuffle(this.alive).slice(0, 3)
  }

  #chance(): SeededRandom {
    return new SeededRandom(this.#random.next() * 2 ** 32)
  }

  #createNode(host: string, identity: Identity): CarillonNode {
    return createNode({
      identity,
      cryptography: this.#cryptography,
      random: this.#chance(),
      configuration: this.#configuration(),
      advertised: { host, port: RELOAD_PORT },
      listeners: [
        { transport: "UDP", advertised: { host, port: SIP_PORT } },
        { transport: "TCP", advertised: { host, port: SIP_PORT } },
        { transport: "TLS", advertised: { host, port: 5061 } },
      ],
      aliases: [host],
      trusted: [],
      fabricKeys: [{ epoch: 1, key: this.#hashes.sha256(new Uint8Array([1])) }],
      digestAlgorithms: ["MD5"],
      version: "sim",
    })
  }

  #configuration(): Configuration {
    return {
      instanceName: this.domain,
      sequence: 1,
      expiration: NEVER,
      topologyPlugin: "CHORD-RELOAD",
      nodeIdLength: 16,
      rootCertificates: [this.#authority.root],
      enrollmentServers: [],
      bootstrapNodes: [],
      clientsPermitted: true,
      noIce: true,
      maxMessageSize: 65_536,
      initialTtl: 100,
      overlayReliabilityTimer: seconds(3),
      overlayLinkProtocols: ["TLS"],
      configurationSigners: [],
      kindSigners: [],
      badNodes: [],
      mandatoryExtensions: [],
      kinds: [],
      chord: { updateInterval: minutes(10), pingInterval: minutes(60), reactive: true },
      sipDomain: this.domain,
    }
  }
}
