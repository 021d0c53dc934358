import { type Instant, NEVER } from "../core/kit/time.ts"
import type { Flow } from "../core/sip/transport.ts"
import type { Agenda } from "./agenda.ts"
import type { Network, Station, Stream } from "./network.ts"
import type { SimHost } from "./sim-host.ts"
import type { UserAgent, UserAgentEffect, UserAgentInput } from "./user-agent.ts"

type Event = Exclude<UserAgentEffect, { kind: "send" }>

interface World {
  readonly agenda: Agenda
  readonly network: Network
  now(): Instant
  hostAt(host: string): SimHost | undefined
}

/** A phone in the invented world, and all that happened to it. */
export class SimPhone implements Station {
  readonly alive = true
  readonly host: string
  readonly agent: UserAgent
  readonly events: Event[] = []
  readonly #world: World
  #stream: Stream<SimHost | Station> | undefined
  #wakeAt: Instant = NEVER

  constructor(world: World, agent: UserAgent) {
    this.#world = world
    this.agent = agent
    this.host = agent.settings.address.host
  }

  receive(flow: Flow, bytes: Uint8Array): void {
    this.tell({ kind: "received", flow, bytes })
  }

  flowClosed(flow: Flow): void {
    this.#stream = undefined
    this.tell({ kind: "flow-closed", flow })
  }

  /** The last event of that kind. */
  last<Kind extends Event["kind"]>(kind: Kind): Extract<Event, { kind: Kind }> | undefined {
    return this.events.findLast((event): event is Extract<Event, { kind: Kind }> => event.kind === kind)
  }

  tell(input: UserAgentInput): void {
    this.#perform(this.agent.handle(input, this.#world.now()))
  }

  #perform(effects: readonly UserAgentEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === "send") this.#send(effect)
      else this.events.push(effect)
    }
    this.#wakeLater()
  }

  #wakeLater(): void {
    const due = this.agent.deadline
    if (due === this.#wakeAt || due === NEVER) return
    this.#wakeAt = due
    const now = this.#world.now()
    this.#world.agenda.plan(due > now ? due : now, () => {
      if (this.#wakeAt !== due) return
      this.#wakeAt = NEVER
      this.#perform(this.agent.expire(this.#world.now()))
    })
  }

  #send({ id, hop, bytes }: Extract<UserAgentEffect, { kind: "send" }>): void {
    const { network } = this.#world
    const { address, transport, proxy } = this.agent.settings
    if (transport === "UDP") {
      const to = hop.kind === "flow" ? hop.flow.remote : hop.kind === "address" ? hop.address : proxy
      return network.datagram(address, to, bytes)
    }
    const node = this.#world.hostAt(proxy.host)
    if (!node?.alive) {
      return network.later(() => this.tell({ kind: "send-failed", id, reason: `node ${proxy.host} is down` }))
    }
    this.#stream ??= node.accept(this, address)
    node.say(this.#stream, bytes)
  }
}
