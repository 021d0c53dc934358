import type { Identity } from "../core/identity/certificate.ts"
import type { Address } from "../core/kit/address.ts"
import { after, type Duration, type Instant, NEVER } from "../core/kit/time.ts"
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
import type { EventLog } from "./event-log.ts"
import { type Network, nobodyAt, type Station, type Stream, streamFlow } from "./network.ts"

export const SIP_PORT = 5060
export const RELOAD_PORT = 6084

export interface Surroundings {
  readonly agenda: Agenda
  readonly network: Network
  readonly log: EventLog
  readonly diskDelay: Duration
  now(): Instant
  hostAt(host: string): SimHost | undefined
}

type Pipe = Stream<SimHost | Station>

/** Drives one node in the invented world, as the real host does in the real one. */
export class SimHost implements Station {
  readonly host: string
  readonly identity: Identity
  readonly disk = new Disk()
  readonly #world: Surroundings
  readonly #create: () => CarillonNode
  readonly #pipes = new Map<number, Pipe>()
  readonly #links = new Map<number, Pipe>()
  readonly #toNodes = new Map<string, Pipe>()
  readonly #answers = new Map<number, (answer: NodeAnswer) => void>()
  /** Counts lives: what was planned for an earlier one is void. */
  #life = 0
  #node: CarillonNode | undefined
  #wakeAt: Instant = NEVER
  #commands = 0
  #peers: readonly Address[] = []
  #queue: NodeInput[] = []
  #busy = false
  health: Health = { state: "joining" }

  constructor(world: Surroundings, host: string, identity: Identity, create: () => CarillonNode) {
    this.#world = world
    this.host = host
    this.identity = identity
    this.#create = create
  }

  get alive(): boolean {
    return this.#node !== undefined
  }

  get node(): CarillonNode {
    if (this.#node === undefined) throw new Error(`node ${this.host} is down`)
    return this.#node
  }

  /** Begins a life, with what is on disk. */
  start(bootstrap: readonly Address[]): void {
    this.#life++
    this.#node = this.#create()
    this.#node.restore(this.disk.contents())
    this.health = { state: "joining" }
    const known = [...bootstrap, ...this.#peers].filter(({ host }) => host !== this.host)
    this.tell({ kind: "start", bootstrap: known })
  }

  /** The process dies; its connections are reset, its disk stays. */
  crash(): void {
    this.#node = undefined
    this.#queue = []
    this.#wakeAt = NEVER
    this.#answers.clear()
    for (const pipe of [...this.#pipes.values(), ...this.#links.values()])
      this.#close(pipe, "connection reset")
    this.#pipes.clear()
    this.#links.clear()
    this.#toNodes.clear()
  }

  command(command: NodeCommand, answered: (answer: NodeAnswer) => void): void {
    const ticket = ++this.#commands
    this.#answers.set(ticket, answered)
    this.tell({ kind: "command", ticket, command })
  }

  receive(flow: Flow, bytes: Uint8Array): void {
    this.tell({ kind: "received", flow, bytes })
  }

  flowClosed(flow: Flow): void {
    this.tell({ kind: "flow-closed", flow })
  }

  /** A phone opens a stream to this node; gives what to call the stream at the phone's end. */
  accept(phone: Station, from: Address): Pipe {
    const pipe = this.#world.network.stream<SimHost | Station>(phone, this)
    this.#pipes.set(pipe.number, pipe)
    this.#remotes.set(pipe.number, from)
    return pipe
  }

  /** What a phone says over a stream it opened. */
  say(pipe: Pipe, bytes: Uint8Array): void {
    const remote = this.#remotes.get(pipe.number)!
    const flow = streamFlow("TCP", { host: this.host, port: SIP_PORT }, remote, pipe.number, undefined)
    this.#world.network.along(pipe, this, () => this.receive(flow, bytes))
  }

  readonly #remotes = new Map<number, Address>()

  tell(input: NodeInput): void {
    if (this.#node === undefined) return
    this.#queue.push(input)
    if (this.#busy) return
    this.#busy = true
    const now = this.#world.now()
    for (let next = this.#queue.shift(); next !== undefined && this.#node; next = this.#queue.shift())
      this.#perform(this.#node.handle(next, now))
    this.#busy = false
    this.#wakeLater()
  }

  #wakeLater(): void {
    const due = this.#node?.deadline ?? NEVER
    if (due === this.#wakeAt || due === NEVER) return
    this.#wakeAt = due
    const life = this.#life
    const at = due > this.#world.now() ? due : this.#world.now()
    this.#world.agenda.plan(at, () => {
      if (this.#life !== life || this.#wakeAt !== due || this.#node === undefined) return
      this.#wakeAt = NEVER
      this.#perform(this.#node.expire(this.#world.now()))
      this.#wakeLater()
    })
  }

  #perform(effects: readonly NodeEffect[]): void {
    for (const effect of effects) this.#performOne(effect)
  }

  #performOne(effect: NodeEffect): void {
    const { log, network } = this.#world
    switch (effect.kind) {
      case "send":
        return this.#send(effect)
      case "open-link":
        return this.#openLink(effect.attempt, effect.address)
      case "link-send": {
        const pipe = this.#links.get(effect.link)
        if (!pipe?.open) return
        const other = otherEnd(pipe, this) as SimHost
        const { bytes } = effect
        return network.along(pipe, other, () =>
          other.tell({ kind: "link-received", link: pipe.number, bytes }),
        )
      }
      case "close-link": {
        const pipe = this.#links.get(effect.link)
        this.#links.delete(effect.link)
        if (pipe) this.#closeInOrder(pipe, effect.reason)
        return
      }
      case "close-flow": {
        const pipe = this.#pipes.get(effect.flow.connection ?? 0)
        if (pipe) this.#closeInOrder(pipe, "closed by the node")
        return
      }
      case "persist":
        return this.#persist(effect)
      case "resolve":
        return network.later(() => this.tell({ kind: "resolved", ticket: effect.ticket, records: [] }))
      case "answer":
        this.#answers.get(effect.ticket)?.(effect.answer)
        this.#answers.delete(effect.ticket)
        return
      case "peers":
        this.#peers = effect.addresses
        return
      case "health":
        this.health = effect.health
        return log.note(this.#world.now(), this.host, `health ${effect.health.state}`)
      case "log":
        return log.noteLog(this.#world.now(), this.host, effect)
      case "count":
        return
    }
  }

  #send({ id, hop, bytes }: Extract<NodeEffect, { kind: "send" }>): void {
    const { network } = this.#world
    const fail = (reason: string) => network.later(() => this.tell({ kind: "send-failed", id, reason }))
    if (hop.kind === "node") return this.#sendToNode(hop.node, hop.address, bytes, fail)
    if (hop.kind === "flow" && hop.flow.connection !== undefined) {
      const pipe = this.#pipes.get(hop.flow.connection)
      if (!pipe?.open) return fail("the connection is closed")
      const other = otherEnd(pipe, this) as Station
      const flow = this.#seenFrom(other, pipe)
      return network.along(pipe, other, () => other.receive(flow, bytes))
    }
    const remote = hop.kind === "flow" ? hop.flow.remote : hop.address
    network.datagram({ host: this.host, port: SIP_PORT }, remote, bytes)
  }

  #sendToNode(node: string, address: Address, bytes: Uint8Array, fail: (reason: string) => void): void {
    const { network } = this.#world
    const known = this.#toNodes.get(node)
    if (known?.open) {
      const other = otherEnd(known, this) as Station
      return network.along(known, other, () => other.receive(this.#seenFrom(other, known), bytes))
    }
    const other = this.#world.hostAt(address.host)
    if (!other?.alive || other.identity.nodeId !== node) return fail(nobodyAt(address))
    const pipe: Pipe = network.stream<SimHost | Station>(this, other)
    this.#adopt(node, pipe)
    other.#adopt(this.identity.nodeId, pipe)
    network.along(pipe, other, () => other.receive(this.#seenFrom(other, pipe), bytes))
  }

  #adopt(node: string, pipe: Pipe): void {
    this.#pipes.set(pipe.number, pipe)
    this.#toNodes.set(node, pipe)
  }

  /** This stream as the other end's flow. */
  #seenFrom(other: Station, pipe: Pipe): Flow {
    const isNode = other instanceof SimHost
    const port = isNode ? RELOAD_PORT : SIP_PORT
    return streamFlow(
      isNode ? "TLS" : "TCP",
      { host: other.host, port },
      { host: this.host, port },
      pipe.number,
      isNode ? this.identity.nodeId : undefined,
    )
  }

  #openLink(attempt: number, address: Address): void {
    const { network } = this.#world
    const life = this.#life
    network.later(() => {
      if (this.#life !== life || !this.alive) return
      const other = this.#world.hostAt(address.host)
      if (!other?.alive) {
        return network.later(() => this.tell({ kind: "link-failed", attempt, reason: nobodyAt(address) }))
      }
      const pipe: Pipe = network.stream<SimHost | Station>(this, other)
      this.#links.set(pipe.number, pipe)
      other.#links.set(pipe.number, pipe)
      const opened = (of: SimHost, attempt: number | undefined, remote: SimHost): NodeInput => ({
        kind: "link-opened",
        link: pipe.number,
        attempt,
        certificate: remote.identity.certificate.der,
        remote: { host: remote.host, port: of === this ? address.port : 40_000 },
      })
      network.along(pipe, other, () => other.tell(opened(other, undefined, this)))
      network.along(pipe, this, () => this.tell(opened(this, attempt, other)))
    })
  }

  #persist({ ticket, changes }: Extract<NodeEffect, { kind: "persist" }>): void {
    const life = this.#life
    this.#world.agenda.plan(after(this.#world.now(), this.#world.diskDelay), () => {
      if (this.#life !== life || !this.alive) return // A crash before the disk was done: nothing was promised.
      this.disk.apply(changes)
      this.tell({ kind: "persisted", ticket })
    })
  }

  /** What was sent before the close still arrives. */
  #closeInOrder(pipe: Pipe, reason: string): void {
    const other = otherEnd(pipe, this)
    this.#world.network.along(pipe, other, () => this.#close(pipe, reason))
  }

  #close(pipe: Pipe, reason: string): void {
    if (!pipe.open) return
    pipe.open = false
    for (const { party } of pipe.ends) {
      if (party === this && !this.alive) continue
      this.#world.network.later(() => {
        if (party instanceof SimHost) party.#lost(pipe, reason)
        else party.flowClosed(this.#seenFrom(party, pipe))
      })
    }
  }

  #lost(pipe: Pipe, reason: string): void {
    if (this.#links.delete(pipe.number) && this.alive) {
      this.tell({ kind: "link-closed", link: pipe.number, reason })
    }
    if (!this.#pipes.delete(pipe.number) || !this.alive) return
    const other = otherEnd(pipe, this)
    if (other instanceof SimHost) this.#toNodes.delete(other.identity.nodeId)
    const remote = this.#remotes.get(pipe.number) ?? { host: other.host, port: RELOAD_PORT }
    const node = other instanceof SimHost ? other.identity.nodeId : undefined
    const local = { host: this.host, port: node === undefined ? SIP_PORT : RELOAD_PORT }
    this.tell({
      kind: "flow-closed",
      flow: streamFlow(node === undefined ? "TCP" : "TLS", local, remote, pipe.number, node),
    })
  }
}

const otherEnd = (pipe: Pipe, self: SimHost): SimHost | Station =>
  pipe.ends[0].party === self ? pipe.ends[1].party : pipe.ends[0].party
