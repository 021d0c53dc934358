import { after, type Duration, type Instant, milliseconds } from "../core/kit/time.ts"
import type { Agenda } from "./agenda.ts"
import type { Weather } from "./conditions.ts"

/** Whoever has one end of a stream. */
export interface Holder {
  readonly host: string
  /** The other end is gone. Not called for what this end has closed itself. */
  lost(stream: Stream, reason: string): void
}

/** What a stream asks of the network that carries it. */
export interface Carrier {
  readonly agenda: Agenda
  readonly weather: Weather
  now(): Instant
  /** Whether nothing passes from one host to the other. */
  isCut(from: string, to: string): boolean
  /** Whether streams between them deliver nothing, though nobody notices. */
  isMute(one: string, other: string): boolean
  /** How long until the line of that host has sent these bytes as well. */
  lineOf(host: string, bytes: number): Duration
  /** Whether there is a machine at all that says "nobody here". */
  answers(host: string): boolean
  whenHealed(run: () => void): void
}

interface End {
  readonly holder: Holder
  isOpen: boolean
  /** What is on its way to this end, in the order of sending. */
  readonly incoming: (() => void)[]
  /** Nothing overtakes on a stream: the next piece arrives no earlier than this. */
  arrival: Instant
}

/** TCP's connection between two holders: in order, nothing lost, each end with its own view of whether it lives. */
export class Stream {
  readonly number: number
  readonly #carrier: Carrier
  readonly #ends: readonly [End, End]

  constructor(carrier: Carrier, number: number, opener: Holder, accepter: Holder) {
    const end = (holder: Holder): End => ({ holder, isOpen: true, incoming: [], arrival: carrier.now() })
    this.#carrier = carrier
    this.number = number
    this.#ends = [end(opener), end(accepter)]
  }

  other(holder: Holder): Holder {
    return this.#beyond(holder).holder
  }

  isOpenAt(holder: Holder): boolean {
    return this.#endOf(holder).isOpen
  }

  /** Runs `arrive` at the other end, in the order of sending, unless that end is gone by then. `bytes`: how many. */
  send(from: Holder, arrive: () => void, bytes = 0): void {
    if (this.isOpenAt(from)) this.#convey(this.#beyond(from), arrive, bytes)
  }

  /** What was sent before the close still arrives before it. */
  close(from: Holder, reason: string): void {
    const end = this.#endOf(from)
    if (!end.isOpen) return
    end.isOpen = false
    const other = this.#beyond(from)
    this.#convey(other, () => lose(other, this, reason))
  }

  /** This end is gone and nobody says so: its machine has lost power. */
  vanish(from: Holder): void {
    this.#endOf(from).isOpen = false
  }

  #convey(to: End, arrive: () => void, bytes = 0): void {
    to.incoming.push(arrive)
    this.#plan(to, bytes)
  }

  #plan(to: End, bytes = 0): void {
    const { agenda, weather } = this.#carrier
    const { host } = this.#beyond(to.holder).holder
    const sent = after(this.#carrier.now(), this.#carrier.lineOf(host, bytes))
    const due = after(sent, weather.stream(host, to.holder.host))
    to.arrival = due > to.arrival ? due : to.arrival
    agenda.plan(to.arrival, () => this.#arrive(to))
  }

  /** Where the network is cut, everything waits, as TCP sends again and again. */
  #arrive(to: End): void {
    const from = this.#beyond(to.holder)
    if (this.#carrier.isCut(from.holder.host, to.holder.host))
      return this.#carrier.whenHealed(() => this.#plan(to))
    const arrive = to.incoming.shift()!
    if (this.#carrier.isMute(from.holder.host, to.holder.host)) return
    if (to.isOpen) return arrive()
    if (!from.isOpen || !this.#carrier.answers(to.holder.host)) return
    this.#convey(from, () => lose(from, this, "connection reset"))
  }

  #endOf(holder: Holder): End {
    return this.#ends[0].holder === holder ? this.#ends[0] : this.#ends[1]
  }

  #beyond(holder: Holder): End {
    return this.#ends[0].holder === holder ? this.#ends[1] : this.#ends[0]
  }
}

function lose(end: End, stream: Stream, reason: string): void {
  if (!end.isOpen) return
  end.isOpen = false
  end.holder.lost(stream, reason)
}

/** How long a connection is tried before it counts as failed: as the real host does. */
export const CONNECT_PATIENCE = milliseconds(4_000)
