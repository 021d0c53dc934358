import { type Address, formatAddress } from "../core/kit/address.ts"
import { after, type Instant } from "../core/kit/time.ts"
import type { Flow, Transport } from "../core/sip/transport.ts"
import type { Agenda } from "./agenda.ts"
import type { Weather } from "./conditions.ts"
import { type Carrier, CONNECT_PATIENCE, type Holder, Stream } from "./stream.ts"

/** Somebody with an address: a node or a phone. */
export interface Station extends Holder {
  /** Somebody listens. */
  readonly alive: boolean
  /** Its machine runs, and says so where nobody listens. */
  readonly powered: boolean
  receive(flow: Flow, bytes: Uint8Array): void
}

/** Carries datagrams and streams between stations, with the weather of the world. */
export class Network implements Carrier {
  readonly agenda: Agenda
  readonly weather: Weather
  readonly now: () => Instant
  readonly #stations = new Map<string, Station>()
  /** Which side of the cut a host is on; hosts that are not named are on all. */
  #sides: ReadonlyMap<string, number> = new Map()
  #waiting: (() => void)[] = []
  #streams = 0

  constructor(agenda: Agenda, weather: Weather, now: () => Instant) {
    this.agenda = agenda
    this.weather = weather
    this.now = now
  }

  settle(station: Station): void {
    this.#stations.set(station.host, station)
  }

  stationAt(host: string): Station | undefined {
    const station = this.#stations.get(host)
    return station?.alive ? station : undefined
  }

  answers(host: string): boolean {
    return this.#stations.get(host)?.powered === true
  }

  /** From now on nothing passes between hosts of different sides. Another cut replaces it. */
  cut(sides: readonly (readonly string[])[]): void {
    this.#sides = new Map(sides.flatMap((side, number) => side.map((host) => [host, number])))
    const waiting = this.#waiting
    this.#waiting = []
    for (const run of waiting) run()
  }

  heal(): void {
    this.cut([])
  }

  isCut(one: string, other: string): boolean {
    if (this.#sides.size === 0) return false
    const [here, there] = [this.#sides.get(one), this.#sides.get(other)]
    return here !== undefined && there !== undefined && here !== there
  }

  whenHealed(run: () => void): void {
    this.#waiting.push(run)
  }

  /** Nobody there, or lost: silence, as UDP has it. */
  datagram(from: Address, to: Address, bytes: Uint8Array): void {
    const delay = this.weather.datagram()
    if (delay === undefined) return
    this.agenda.plan(after(this.now(), delay), () => {
      if (!this.isCut(from.host, to.host)) this.stationAt(to.host)?.receive(udpFlow(to, from), bytes)
    })
  }

  stream(opener: Holder, accepter: Holder): Stream {
    return new Stream(this, ++this.#streams, opener, accepter)
  }

  /**
   * Tries to reach who listens at `to`: `connected` runs a one-way delay later; `failed` as soon as it is
   * refused, or after the patience of a host where nothing answers.
   */
  connect<Listener>(
    from: string,
    to: Address,
    listenerAt: () => Listener | undefined,
    connected: (listener: Listener) => void,
    failed: (reason: string) => void,
  ): void {
    this.later(() => {
      const reachable = !this.isCut(from, to.host) && this.answers(to.host)
      const listener = reachable ? listenerAt() : undefined
      if (listener !== undefined) return connected(listener)
      if (reachable) return this.later(() => failed(`nobody listens at ${formatAddress(to)}`))
      const silence = () => failed(`${formatAddress(to)} did not answer in time`)
      this.agenda.plan(after(this.now(), CONNECT_PATIENCE), silence)
    })
  }

  /** Runs `then` a one-way delay later, streams or none. */
  later(then: () => void): void {
    this.agenda.plan(after(this.now(), this.weather.stream()), then)
  }
}

export const udpFlow = (local: Address, remote: Address): Flow => ({
  transport: "UDP",
  local,
  remote,
  connection: undefined,
  node: undefined,
})

export const streamFlow = (
  transport: Transport,
  local: Address,
  remote: Address,
  connection: number,
  node: string | undefined,
): Flow => ({ transport, local, remote, connection, node })
