import type { Role } from "../core/identity/certificate.ts"
import type { Random } from "../core/kit/random.ts"
import { type Duration, milliseconds } from "../core/kit/time.ts"
import { drawLatency, type Latency } from "./latency.ts"

/** What the network does to messages. */
export interface Climate {
  /** One way. Default: a LAN. */
  readonly delay?: Latency
  /** The share of datagrams that the network loses; what runs over TCP comes late instead. Default 0. */
  readonly loss?: number
  /** The share of datagrams that arrive twice. Default 0. */
  readonly duplication?: number
  /** The share of datagrams that are overtaken: they take ten times as long. Default 0. */
  readonly reordering?: number
  /** Bytes per second that a host can send. Default: no limit. */
  readonly bandwidth?: number
}

/** What the invented world is like. */
export interface Conditions extends Climate {
  readonly nodes: number
  /** How long the disk takes to make a change durable. Default 2 ms. */
  readonly diskDelay?: Duration
  /** SIP domain of the farm. Default `carillon.test`. */
  readonly domain?: string
  /** What every node's certificate says it does. Default: what an invite grants. */
  readonly roles?: readonly Role[]
}

/** What a lost segment costs a stream: one retransmission time-out. RFC 6298's floor in practice. */
export const RETRANSMISSION = milliseconds(200)
const OVERTAKEN = 10

/** Draws one-way delays and losses. */
export class Weather {
  readonly #random: Random
  #climate: Required<Climate> = { delay: "lan", loss: 0, duplication: 0, reordering: 0, bandwidth: Infinity }

  constructor(random: Random, climate: Climate) {
    this.#random = random
    this.change(climate)
  }

  /** What is not named stays as it is. */
  change({ delay, loss, duplication, reordering, bandwidth }: Climate): void {
    const now = this.#climate
    this.#climate = {
      delay: delay ?? now.delay,
      loss: loss ?? now.loss,
      duplication: duplication ?? now.duplication,
      reordering: reordering ?? now.reordering,
      bandwidth: bandwidth ?? now.bandwidth,
    }
  }

  /** How long that many bytes keep a host's line busy. */
  sending(bytes: number): Duration {
    return ((bytes * 1_000) / this.#climate.bandwidth) as Duration
  }

  /** Of each copy of a datagram that arrives: none where it is lost, two where it is doubled. */
  datagram(from: string, to: string): readonly Duration[] {
    const { loss, duplication, reordering } = this.#climate
    if (this.#happens(loss)) return []
    const slowness = this.#happens(reordering) ? OVERTAKEN : 1
    const first = (slowness * this.#draw(from, to)) as Duration
    return this.#happens(duplication) ? [first, this.#draw(from, to)] : [first]
  }

  /** Of a piece of a stream: never lost, now and then late. */
  stream(from: string, to: string): Duration {
    const late = this.#happens(this.#climate.loss) ? RETRANSMISSION : 0
    return (this.#draw(from, to) + late) as Duration
  }

  #happens(share: number): boolean {
    return share > 0 && this.#random.next() < share
  }

  #draw(from: string, to: string): Duration {
    return drawLatency(this.#climate.delay, this.#random, from, to)
  }
}
