import type { Identity, Role } from "../core/identity/certificate.ts"
import { DEFAULT_ROLES } from "../core/identity/roles.ts"
import type { Hashes } from "../core/kit/crypto.ts"
import { type Duration, milliseconds, seconds } from "../core/kit/time.ts"
import type { CarillonNode, NodeAnswer, NodeCommand } from "../core/node/interface.ts"
import { createNode } from "../core/node/node.ts"
import type { Conditions } from "./conditions.ts"
import { configurationOf } from "./configuration.ts"
import type { Surroundings } from "./machine-host.ts"
import { Scene } from "./scene.ts"
import { SimHost } from "./sim-host.ts"
import { SimPhone } from "./sim-phone.ts"
import { RELOAD_PORT, SIP_PORT } from "./sim-ports.ts"
import { UserAgent, type UserAgentSettings } from "./user-agent.ts"

export type PhoneSettings = Pick<UserAgentSettings, "user" | "password"> &
  Partial<Pick<UserAgentSettings, "transport" | "answers">>

/** Whole nodes, phones, a network, disks and a clock, all made up from one seed. */
export class World extends Scene {
  readonly hosts: SimHost[] = []
  readonly phones: SimPhone[] = []
  readonly #hashes: Hashes
  readonly #roles: readonly Role[]
  readonly #surroundings: Surroundings
  readonly #byHost = new Map<string, SimHost>()

  /** `hashes`: the platform's; hashing need not be invented. `watch` is shown every line of the event log. */
  constructor(seed: number, conditions: Conditions, hashes: Hashes, watch?: (line: string) => void) {
    const {
      nodes,
      domain = "carillon.test",
      diskDelay = milliseconds(2),
      roles = DEFAULT_ROLES,
      ...climate
    } = conditions
    super(seed, { domain, ...climate }, hashes, watch)
    this.#hashes = hashes
    this.#roles = roles
    const hostAt = (host: string) => this.#byHost.get(host)
    const { agenda, network, log } = this
    this.#surroundings = { agenda, network, log, diskDelay, now: () => this.now, hostAt }
    for (let i = 0; i < nodes; i++) this.join()
  }

  get alive(): readonly SimHost[] {
    return this.hosts.filter((host) => host.alive)
  }

  /** A new node comes, and joins through `bootstrap`: some that are there, where nothing else is said. */
  join(bootstrap: readonly SimHost[] = this.#contacts()): SimHost {
    const host = `10.0.${this.hosts.length >> 8}.${this.hosts.length & 255}`
    const identity = this.authority.issue({ nodeId: this.newNodeId(), roles: this.#roles })
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
      random: this.chance(),
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

  /** Machines lose power, all at one instant: nobody hears anything of them. */
  cutPower(hosts: readonly SimHost[] = this.alive): void {
    for (const host of hosts) host.crash("silent")
  }

  /** Three nodes to try: more than one, since any may be down. */
  #contacts(): readonly SimHost[] {
    return this.shuffle(this.alive).slice(0, 3)
  }

  #createNode(host: string, identity: Identity): CarillonNode {
    return createNode({
      identity,
      cryptography: this.cryptography,
      random: this.chance(),
      configuration: configurationOf(this.authority),
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
}
