import type { Random } from "../core/kit/random.ts"
import { type Duration, milliseconds } from "../core/kit/time.ts"

/** What the invented world is like. */
export interface Conditions {
  readonly nodes: number
  /** One way, each message drawn anew between the two. Default: a LAN, 0.2 to 1 ms. */
  readonly delay?: { readonly least: Duration; readonly most: Duration }
  /** The share of datagrams that the network loses; what runs over TCP comes late instead. Default 0. */
  readonly loss?: number
  /** How long the disk takes to make a change durable. Default 2 ms. */
  readonly diskDelay?: Duration
  /** SIP domain of the farm. Default `carillon.test`. */
  readonly domain?: string
}

export const LAN = { least: milliseconds(0.2), most: milliseconds(1) }
/** What a lost segment costs a stream: one retransmission time-out. RFC 6298's floor in practice. */
export const RETRANSMISSION = milliseconds(200)

/** Draws one-way delays and losses. */
export class Weather {
  readonly #random: Random
  readonly #least: number
  readonly #spread: number
  readonly #loss: number

  constructor(random: Random, { delay = LAN, loss = 0 }: Conditions) {
    this.#random = random
    this.#least = delay.least
    this.#spread = delay.most - delay.least
    this.#loss = loss
  }

  /** Of a datagram; undefined where it is lost. */
  datagram(): Duration | undefined {
    if (this.#loss > 0 && this.#random.next() < this.#loss) return undefined
    return this.#delay()
  }

  /** Of a piece of a stream: never lost, now and then late. */
  stream(): Duration {
    const late = this.#loss > 0 && this.#random.next() < this.#loss ? RETRANSMISSION : 0
    return (this.#delay() + late) as Duration
  }

  #delay(): Duration {
    return (this.#least + this.#spread * this.#random.next()) as Duration
  }
}
