import type { Random } from "../core/kit/random.ts"
import { type Duration, milliseconds } from "../core/kit/time.ts"

/**
 * How long a message takes one way.
 *
 * - `{ least, most }`: drawn anew between the two for each message.
 * - `"lan"`: 0.2 to 1 ms, as in one machine room.
 * - `"sites"`: three sites, 10 to 40 ms apart; a LAN within each.
 * - `"internet"`: 10 to 150 ms by pair, and a heavy tail on top: one message in a hundred takes twice as long,
 *   one in ten thousand eleven times.
 */
export type Latency = "lan" | "sites" | "internet" | { readonly least: Duration; readonly most: Duration }

export const LAN = { least: milliseconds(0.2), most: milliseconds(1) }
const SITES = 3
/** One way between the sites 0 and 1, 0 and 2, 1 and 2. */
const APART = [10, 25, 40] as const
const LONGEST = milliseconds(3_000)

/** Which of three sites a host is at: hosts are dealt out in turn, as the last number of their address says. */
export const siteOf = (host: string, sites = SITES): number => lastNumber(host) % sites

export function drawLatency(latency: Latency, random: Random, from: string, to: string): Duration {
  if (latency === "internet") return internet(random, from, to)
  if (latency === "lan") return between(LAN, random)
  if (latency !== "sites") return between(latency, random)
  const [here, there] = [siteOf(from), siteOf(to)]
  const apart = here === there ? 0 : APART[here + there - 1]!
  return (between(LAN, random) + apart) as Duration
}

function between({ least, most }: typeof LAN, random: Random): Duration {
  return (least + (most - least) * random.next()) as Duration
}

/** A Pareto tail over what the distance costs: P(delay > x · base) = (1 + 10 (x - 1))^-2. */
function internet(random: Random, from: string, to: string): Duration {
  const base = 10 + (140 * distance(from, to)) / 0x1_0000_0000
  const tail = 1 + 0.1 * (1 / Math.sqrt(1 - random.next()) - 1)
  return Math.min(LONGEST, base * tail) as Duration
}

/** The same both ways, and spread evenly over 32 bits. */
function distance(one: string, other: string): number {
  const [low, high] = one < other ? [one, other] : [other, one]
  let sum = 0x811c9dc5
  for (const letter of `${low} ${high}`) sum = Math.imul(sum ^ letter.charCodeAt(0), 0x01000193)
  sum = Math.imul(sum ^ (sum >>> 15), 0x2c1b3c6d)
  return (sum ^ (sum >>> 12)) >>> 0
}

const lastNumber = (host: string) => Number(host.slice(host.lastIndexOf(".") + 1))
