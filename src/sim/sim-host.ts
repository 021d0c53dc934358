import type { Identity } from "../core/identity/certificate.ts"
import type { Address } from "../core/kit/address.ts"
import type { Duration, Instant } from "../core/kit/time.ts"
import type {
  CarillonNode,
  Health,
  NodeAnswer,
  NodeCommand,
  NodeEffect,
  NodeInput,
} from "../core/node/interface.ts"
import type { Flow } from "../core/sip/transport.ts"
import type { Agenda } from "./agenda.ts"
import { Disk } from "./disk.ts"
import { Drive } from "./drive.ts"
import type { EventLog } from "./event-log.ts"
import type { Network, Station } from "./network.ts"
import { RELOAD_PORT, SimPorts } from "./sim-ports.ts"
import type { Stream } from "./stream.ts"

export interface Surroundings {
  readonly agenda: Agenda
  readonly network: Network
  readonly log: EventLog
  readonly diskDelay: Duration
  now(): Instant
  hostAt(host: string): SimHost | undefined
}

export interface SimHostSettings {
  readonly host: string
  readonly identity: Identity
  /** What the operator wrote into its settings: tried at every start, beside the peers it remembers. */
  readonly bootstrap: readonly Address[]
  /** Makes the node of one life. */
  readonly create: () => CarillonNode
}

/** Drives one node in the invented world, as the real host does in the real one. */
export class SimHost implements Station {
  readonly host: string
  readonly identity: Identity
  readonly disk = new Disk()
  readonly ports: SimPorts
  readonly #world: Surroundings
  readonly #settings: SimHostSettings
  readonly #answers = new Map<number, (answer: NodeAnswer) => void>()
  /** Counts lives: what was planned for an earlier one is void. */
  #life = 0
  #node: CarillonNode | undefined
  readonly #drive: Drive<NodeInput, NodeEffect>
  #hasPower = false
  #commands = 0
  #peers: readonly Address[] = []
  health: Health = { state: "joining" }

  constructor(world: Surroundings, settings: SimHostSettings) {
    this.#world = world
    this.#settings = settings
    this.host = settings.host
    this.identity = settings.identity
    const owner = {
      host: this.host,
      nodeId: this.nodeId,
      certificate: this.identity.certificate.der,
      portsAt: (host: string) => {
        const other = world.hostAt(host)
        return other?.alive ? other.ports : undefined
      },
      tell: (input: NodeInput) => this.tell(input),
    }
    this.ports = new SimPorts(owner, world.network)
    this.#drive = new Drive(world, {
      takes: (input) => this.#note(describe(input)),
      perform: (effect) => this.#performOne(effect),
    })
  }

  get nodeId(): string {
    return this.identity.nodeId
  }

  /** Where others open links to it. */
  get address(): Address {
    return { host: this.host, port: RELOAD_PORT }
  }

  get alive(): boolean {
    return this.#node !== undefined
  }

  /** Its machine says "nobody here" to those who knock while the node is down. */
  get powered(): boolean {
    return this.#hasPower && !this.#drive.isFrozen
  }

  get node(): CarillonNode {
    if (this.#node === undefined) throw new Error(`node ${this.host} is down`)
    return this.#node
  }

  /** Begins a life, with what is on disk. `lost`: which is less than there was, and the node has noticed. */
  start(lost?: "records" | "accepted"): void {
    if (this.alive) throw new Error(`node ${this.host} is up already`)
    this.#life++
    this.#hasPower = true
    this.#node = this.#settings.create()
    this.#node.restore(this.disk.contents())
    this.#drive.begin(this.#node)
    this.health = { state: "joining" }
    const bootstrap = [...this.#settings.bootstrap, ...this.#peers].filter(({ host }) => host !== this.host)
    this.tell({ kind: "start", bootstrap, ...(lost && { lost }) })
  }

  /**
   * The node dies; its disk stays. `reset`: its process, so that its machine resets what was open.
   * `silent`: its machine, so that others hear nothing at all. `torn`: the share of what the disk was just
   * writing that is on it nevertheless.
   */
  crash(how: "reset" | "silent" = "reset", torn = 0): void {
    this.#node = undefined
    this.#drive.end()
    this.#hasPower = how === "reset"
    this.#answers.clear()
    this.#note(`crash ${how}`)
    this.disk.tear(torn)
    this.ports.closeAll(how)
  }

  /** It neither answers nor resets, until it thaws and finds all that came in the meantime. */
  freeze(): void {
    this.#note("freeze")
    this.#drive.freeze()
  }

  thaw(): void {
    this.#note("thaw")
    this.#drive.thaw()
  }

  /** From now on it takes so long over every input; 0 ends it. */
  slow(span: Duration): void {
    this.#note(`slow ${span}`)
    this.#drive.slow(span)
  }

  /** From now on its clock is ahead by so much, or behind. */
  skew(span: Duration): void {
    this.#note(`skew ${span}`)
    this.#drive.setSkew(span)
  }

  /** Of a life that ends before, the answer does not come. */
  command(command: NodeCommand, answered: (answer: NodeAnswer) => void): void {
    const ticket = ++this.#commands
    this.#answers.set(ticket, answered)
    this.tell({ kind: "command", ticket, command })
  }

  receive(flow: Flow, bytes: Uint8Array): void {
    this.tell({ kind: "received", flow, bytes })
  }

  /** Nobody opens a stream to the station itself: its ports have them all. */
  lost(stream: Stream, reason: string): void {
    this.ports.lost(stream, reason)
  }

  tell(input: NodeInput): void {
    this.#drive.tell(input)
  }

  #performOne(effect: NodeEffect): void {
    const { log, network } = this.#world
    switch (effect.kind) {
      case "send":
        return this.ports.send(effect, this.#thisLife())
      case "open-link":
        return this.ports.openLink(effect.attempt, effect.address, this.#thisLife())
      case "link-send":
        return this.ports.sendOnLink(effect.link, effect.bytes)
      case "close-link":
        return this.ports.close(effect.link, effect.reason)
      case "close-flow":
        return this.ports.close(effect.flow.connection ?? 0, "closed by the node")
      case "persist":
        return this.#persist(effect)
      case "resolve":
        return network.later(this.host, this.host, () =>
          this.tell({ kind: "resolved", ticket: effect.ticket, records: [] }),
        )
      case "answer":
        this.#answers.get(effect.ticket)?.(effect.answer)
        this.#answers.delete(effect.ticket)
        return
      case "peers":
        this.#peers = effect.addresses
        return
      case "health":
        this.health = effect.health
        return this.#note(`health ${effect.health.state}`)
      case "log":
        return log.noteLog(this.#world.now(), this.host, effect)
      case "count":
        return
    }
  }

  #persist({ ticket, changes }: Extract<NodeEffect, { kind: "persist" }>): void {
    this.disk.write(this.#world, changes, (reason) =>
      this.tell(
        reason === undefined ? { kind: "persisted", ticket } : { kind: "persist-failed", ticket, reason },
      ),
    )
  }

  /** Tells later whether the node still lives the life that it lives now. */
  #thisLife(): () => boolean {
    const life = this.#life
    return () => this.#life === life && this.alive
  }

  #note(what: string): void {
    this.#world.log.note(this.#world.now(), this.host, what)
  }
}

/** What came in, as far as it tells one run from another: a message of the fabric ends in its signature. */
function describe(input: NodeInput): string {
  if (input.kind === "link-received")
    return `link-received ${input.bytes.length} ${sumOf(input.bytes.subarray(-16))}`
  if (input.kind === "received") return `received ${input.bytes.length} ${sumOf(input.bytes)}`
  return input.kind
}

function sumOf(bytes: Uint8Array): number {
  let sum = 0
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0
  return sum
}
