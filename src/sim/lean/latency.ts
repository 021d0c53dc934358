import type { Random } from "../../core/kit/random.ts"

export const LATENCIES = ["lan", "sites", "internet"] as const
export type LatencyName = (typeof LATENCIES)[number]

/** Of `sites`: how many, and how far apart, one way in milliseconds. */
export const SITES = 3
const [BETWEEN_LEAST, BETWEEN_MOST] = [5, 20]
/** Within a LAN or a site. */
const [LAN_LEAST, LAN_MOST] = [0.2, 1]
/** The internet: the logarithm of a pair's delay is normal about that of 40 ms, so that one pair in 50 has over 140 ms. */
const [MEDIAN, SPREAD, FARTHEST] = [40, 0.6, 800]
/** A message in so many is lost, and its stream repeats it after the time-out of TCP. */
const LATE_SHARE: Readonly<Record<LatencyName, number>> = { lan: 0, sites: 0.001, internet: 0.01 }
const TIME_OUT = 200

/** One-way delays in milliseconds. A pair keeps its own throughout a run, so what runs over a link keeps its order. */
export class Latency {
  readonly name: LatencyName
  readonly #seed: number

  constructor(name: LatencyName, seed: number) {
    this.name = name
    this.#seed = seed
  }

  siteOf(rank: number): number {
    return mix(rank, this.#seed) % SITES
  }

  between(a: number, b: number): number {
    if (this.name === "internet") return this.#across(a, b)
    const part = fraction(this.#pair(a, b))
    if (this.name === "lan" || this.siteOf(a) === this.siteOf(b))
      return LAN_LEAST + (LAN_MOST - LAN_LEAST) * part
    return BETWEEN_LEAST + (BETWEEN_MOST - BETWEEN_LEAST) * part
  }

  /** How much longer one message takes that is lost on the way now and then. */
  extra(random: Random): number {
    const share = LATE_SHARE[this.name]
    if (share === 0 || random.next() >= share) return 0
    return TIME_OUT * (1 + random.next())
  }

  /** Box and Muller's way from two uniform numbers to a normal one. */
  #across(a: number, b: number): number {
    const pair = this.#pair(a, b)
    const radius = Math.sqrt(-2 * Math.log(1 - fraction(pair)))
    const normal = radius * Math.cos(2 * Math.PI * fraction(mix(pair, 1)))
    return Math.min(FARTHEST, MEDIAN * Math.exp(SPREAD * normal))
  }

  #pair(a: number, b: number): number {
    return mix(mix(Math.min(a, b), this.#seed), Math.max(a, b))
  }
}

const fraction = (hash: number) => hash / 2 ** 32

/** Murmur3's finish: 32 bits that depend on all of both. */
function mix(a: number, b: number): number {
  let hash = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
