import { type Instant, NEVER } from "../core/kit/time.ts"
import type { Flow } from "../core/sip/transport.ts"
import type { Surroundings } from "./machine-host.ts"
import { type Station, streamFlow } from "./network.ts"
import type { SimHost } from "./sim-host.ts"
import { SIP_PORT, type SipEnd } from "./sim-ports.ts"
import type { Stream } from "./stream.ts"
import type { UserAgent, UserAgentEffect, UserAgentInput } from "./user-agent.ts"

export type PhoneEvent = Exclude<UserAgentEffect, { kind: "send" }>

/** A phone in the invented world, and all that happened to it. */
export class SimPhone implements Station, SipEnd {
  readonly alive = true
  readonly powered = true
  readonly host: string
  readonly agent: UserAgent
  readonly events: PhoneEvent[] = []
  readonly #world: Surroundings
  #stream: Stream | undefined
  #wakeAt: Instant = NEVER

  constructor(world: Surroundings, agent: UserAgent) {
    this.#world = world
    this.agent = agent
    this.host = agent.settings.address.host
  }

  receive(flow: Flow, bytes: Uint8Array): void {
    this.tell({ kind: "received", flow, bytes })
  }

  takes(stream: Stream, bytes: Uint8Array): void {
    this.receive(this.#flowOf(stream), bytes)
  }

  lost(stream: Stream): void {
    if (this.#stream === stream) this.#stream = undefined
    this.tell({ kind: "flow-closed", flow: this.#flowOf(stream) })
  }

  /** From now on it uses that node for everything; it has not told anybody yet. */
  use(node: SimHost): void {
    this.#stream?.close(this, "closed by the phone")
    this.#stream = undefined
    this.agent.use({ host: node.host, port: SIP_PORT })
  }

  /** The last event of that kind. */
  last<Kind extends PhoneEvent["kind"]>(kind: Kind): Extract<PhoneEvent, { kind: Kind }> | undefined {
    return this.all(kind).at(-1)
  }

  /** All events of that kind, the first one first. */
  all<Kind extends PhoneEvent["kind"]>(kind: Kind): readonly Extract<PhoneEvent, { kind: Kind }>[] {
    return this.events.filter((event): event is Extract<PhoneEvent, { kind: Kind }> => event.kind === kind)
  }

  tell(input: UserAgentInput): void {
    this.#perform(this.agent.handle(input, this.#world.now()))
  }

  #perform(effects: readonly UserAgentEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === "send") this.#send(effect)
      else {
        this.events.push(effect)
        this.#world.log.note(this.#world.now(), this.host, JSON.stringify(effect))
      }
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
    if (this.#stream !== undefined) return this.#say(this.#stream, bytes)
    network.connect(
      this.host,
      proxy,
      () => {
        const node = this.#world.hostAt(proxy.host)
        return node?.alive ? node.ports : undefined
      },
      (ports) => {
        this.#stream ??= ports.accept(this, address)
        this.#say(this.#stream, bytes)
      },
      (reason) => this.tell({ kind: "send-failed", id, reason }),
    )
  }

  #say(stream: Stream, bytes: Uint8Array): void {
    const node = stream.other(this) as SipEnd
    stream.send(this, () => node.takes(stream, bytes), bytes.length)
  }

  #flowOf(stream: Stream): Flow {
    const remote = { host: stream.other(this).host, port: SIP_PORT }
    return streamFlow("TCP", this.agent.settings.address, remote, stream.number, undefined)
  }
}
