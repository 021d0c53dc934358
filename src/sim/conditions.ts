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
  #delay: { readonly least: Duration; readonly most: Duration } = LAN
  #loss = 0

  constructor(random: Random, conditions: Pick<Conditions, "delay" | "loss">) {
    this.#random = random
    this.change(conditions)
  }

  /** What is not named stays as it is. */
  change({ delay, loss }: Pick<Conditions, "delay" | "loss">): void {
    if (delay !== undefined) this.#delay = delay
    if (loss !== undefined) this.#loss = loss
  }

  /** Of a datagram; undefined where it is lost. */
  datagram(): Duration | undefined {
    if (this.#isLost()) return undefined
    return this.#draw()
  }

  /** Of a piece of a stream: never lost, now and then late. */
  stream(): Duration {
    const late = this.#isLost() ? RETRANSMISSION : 0
    return (this.#draw() + late) as Duration
  }

  #isLost(): boolean {
    return this.#loss > 0 && this.#random.next() < this.#loss
  }

  #draw(): Duration {
    const { least, most } = this.#delay
    return (least + (most - least) * this.#random.next()) as Duration
  }
}
