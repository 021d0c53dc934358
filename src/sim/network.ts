import { type Address, formatAddress } from "../core/kit/address.ts"
import { after, type Duration, type Instant } from "../core/kit/time.ts"
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
  /** Ways that are blocked in that direction only, by `way`. */
  #blocked: ReadonlySet<string> = new Set()
  /** Hosts whose streams come up, or stay up, and deliver nothing. */
  readonly #mute = new Set<string>()
  /** When the line of a host has sent what it was given. */
  readonly #busyUntil = new Map<string, Instant>()
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
    this.#blocked = new Set()
    this.#resume()
  }

  /** From now on nothing passes from these hosts to those; the other way all does. Another one replaces it. */
  block(from: readonly string[], to: readonly string[]): void {
    this.#blocked = new Set(from.flatMap((one) => to.map((other) => way(one, other))))
    this.#resume()
  }

  heal(): void {
    this.cut([])
  }

  /** Whether nothing passes from one host to the other. */
  isCut(from: string, to: string): boolean {
    if (this.#blocked.size > 0 && this.#blocked.has(way(from, to))) return true
    if (this.#sides.size === 0) return false
    const [here, there] = [this.#sides.get(from), this.#sides.get(to)]
    return here !== undefined && there !== undefined && here !== there
  }

  /** From now on streams to and from that host are accepted, stay open and deliver nothing, until `unmute`. */
  mute(host: string): void {
    this.#mute.add(host)
  }

  unmute(host: string): void {
    this.#mute.delete(host)
  }

  isMute(one: string, other: string): boolean {
    return this.#mute.size > 0 && (this.#mute.has(one) || this.#mute.has(other))
  }

  whenHealed(run: () => void): void {
    this.#waiting.push(run)
  }

  /** Nobody there, or lost: silence, as UDP has it. */
  datagram(from: Address, to: Address, bytes: Uint8Array): void {
    for (const delay of this.weather.datagram(from.host, to.host)) {
      const wait = (delay + this.lineOf(from.host, bytes.length)) as Duration
      this.agenda.plan(after(this.now(), wait), () => {
        if (!this.isCut(from.host, to.host)) this.stationAt(to.host)?.receive(udpFlow(to, from), bytes)
      })
    }
  }

  /** How long until the line of that host has sent these bytes as well. */
  lineOf(host: string, bytes: number): Duration {
    const took = this.weather.sending(bytes)
    if (took === 0) return took
    const begins = Math.max(this.now(), this.#busyUntil.get(host) ?? 0) as Instant
    const ends = after(begins, took)
    this.#busyUntil.set(host, ends)
    return (ends - this.now()) as Duration
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
    this.later(from, to.host, () => {
      const isCut = this.isCut(from, to.host) || this.isCut(to.host, from)
      const reachable = !isCut && this.answers(to.host)
      const listener = reachable ? listenerAt() : undefined
      const isDeaf = this.isMute(from, to.host)
      if (listener !== undefined && !isDeaf) return connected(listener)
      if (reachable && !isDeaf)
        return this.later(to.host, from, () => failed(`nobody listens at ${formatAddress(to)}`))
      const silence = () => failed(`${formatAddress(to)} did not answer in time`)
      this.agenda.plan(after(this.now(), CONNECT_PATIENCE), silence)
    })
  }

  /** Runs `then` a one-way delay later, streams or none. */
  later(from: string, to: string, then: () => void): void {
    this.agenda.plan(after(this.now(), this.weather.stream(from, to)), then)
  }

  #resume(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const run of waiting) run()
  }
}

const way = (from: string, to: string) => `${from} ${to}`

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
