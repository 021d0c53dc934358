import type { Address } from "../core/kit/address.ts"
import type {
  CarillonNode,
  Health,
  NodeAnswer,
  NodeCommand,
  NodeEffect,
  NodeInput,
} from "../core/node/interface.ts"
import type { Flow } from "../core/sip/transport.ts"
import { MachineHost, type MachineHostSettings, type Surroundings } from "./machine-host.ts"

export interface SimHostSettings extends MachineHostSettings<CarillonNode> {
  /** What the operator wrote into its settings: tried at every start, beside the peers it remembers. */
  readonly bootstrap: readonly Address[]
}

/** Drives one node in the invented world, as the real host does in the real one. */
export class SimHost extends MachineHost<NodeInput, NodeEffect, CarillonNode> {
  readonly #bootstrap: readonly Address[]
  readonly #answers = new Map<number, (answer: NodeAnswer) => void>()
  readonly #counts = new Map<string, number>()
  #commands = 0
  #peers: readonly Address[] = []
  health: Health = { state: "joining" }

  constructor(world: Surroundings, settings: SimHostSettings) {
    super(world, settings)
    this.#bootstrap = settings.bootstrap
  }

  get node(): CarillonNode {
    return this.machine
  }

  /**
   * Begins a life, with what is on disk. `lost`: which is less than there was, and the node has noticed. `named`: whom the
   * operator names now, beside the settings.
   */
  start(lost?: "records" | "accepted", named: readonly SimHost[] = []): void {
    this.live()
    this.health = { state: "joining" }
    const addresses = named.map(({ address }) => address)
    const bootstrap = [...this.#bootstrap, ...this.#peers, ...addresses].filter(
      ({ host }) => host !== this.host,
    )
    this.tell({ kind: "start", bootstrap, ...(lost && { lost }) })
  }

  /** What the node has counted in all its lives, by counter and the values of its labels, with spaces between them. */
  counted(key: string): number {
    return this.#counts.get(key) ?? 0
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

  protected heard(input: NodeInput): void {
    this.tell(input)
  }

  protected died(): void {
    this.#answers.clear()
  }

  protected perform(effect: NodeEffect): void {
    const { log, network } = this.world
    switch (effect.kind) {
      case "send":
        return this.ports.send(effect, this.thisLife())
      case "open-link":
        return this.ports.openLink(effect.attempt, effect.address, this.thisLife())
      case "link-send":
        return this.ports.sendOnLink(effect.link, effect.bytes)
      case "close-link":
        return this.ports.close(effect.link, effect.reason)
      case "close-flow":
        return this.ports.close(effect.flow.connection ?? 0, "closed by the node")
      case "persist":
        return this.persist(effect)
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
        return this.note(`health ${effect.health.state}`)
      case "log":
        return log.noteLog(this.world.now(), this.host, effect)
      case "count": {
        const key = [effect.counter, ...Object.values(effect.labels)].join(" ")
        this.#counts.set(key, this.counted(key) + effect.by)
        return
      }
    }
  }
}
