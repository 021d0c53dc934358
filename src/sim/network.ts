import { type Address, formatAddress } from "../core/kit/address.ts"
import { after, type Instant } from "../core/kit/time.ts"
import type { Flow, Transport } from "../core/sip/transport.ts"
import type { Agenda } from "./agenda.ts"
import type { Weather } from "./conditions.ts"

/** Somebody with an address: a node or a phone. */
export interface Station {
  readonly host: string
  readonly alive: boolean
  receive(flow: Flow, bytes: Uint8Array): void
  flowClosed(flow: Flow): void
}

/** What either end of a stream is called at its own end. */
interface End<Party> {
  readonly party: Party
  /** Nothing overtakes on a stream: the next piece arrives no earlier than this. */
  arrival: Instant
}

/** A stream between two parties that keeps its order, until one of them closes it. */
export interface Stream<Party> {
  readonly number: number
  readonly ends: readonly [End<Party>, End<Party>]
  open: boolean
}

/** Carries datagrams and streams between stations, with the weather of the world. */
export class Network {
  readonly #agenda: Agenda
  readonly #weather: Weather
  readonly #clock: () => Instant
  readonly #stations = new Map<string, Station>()
  #streams = 0

  constructor(agenda: Agenda, weather: Weather, clock: () => Instant) {
    this.#agenda = agenda
    this.#weather = weather
    this.#clock = clock
  }

  settle(station: Station): void {
    this.#stations.set(station.host, station)
  }

  stationAt(host: string): Station | undefined {
    const station = this.#stations.get(host)
    return station?.alive ? station : undefined
  }

  /** Nobody there, or lost: silence, as UDP has it. */
  datagram(from: Address, to: Address, bytes: Uint8Array): void {
    const delay = this.#weather.datagram()
    if (delay === undefined) return
    this.#agenda.plan(after(this.#clock(), delay), () => {
      this.stationAt(to.host)?.receive(udpFlow(to, from), bytes)
    })
  }

  stream<Party>(opener: Party, accepter: Party): Stream<Party> {
    const end = (party: Party): End<Party> => ({ party, arrival: this.#clock() })
    return { number: ++this.#streams, ends: [end(opener), end(accepter)], open: true }
  }

  /** Runs `arrive` at the other end, in the order of sending, unless the stream is closed by then. */
  along<Party>(stream: Stream<Party>, to: Party, arrive: () => void): void {
    const end = stream.ends.find(({ party }) => party === to)!
    const due = after(this.#clock(), this.#weather.stream())
    end.arrival = due > end.arrival ? due : end.arrival
    this.#agenda.plan(end.arrival, () => {
      if (stream.open) arrive()
    })
  }

  /** Runs `then` a one-way delay later, streams or none. */
  later(then: () => void): void {
    this.#agenda.plan(after(this.#clock(), this.#weather.stream()), then)
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

export const nobodyAt = (address: Address) => `nobody listens at ${formatAddress(address)}`
