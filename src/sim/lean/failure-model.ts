import type { Random } from "../../core/kit/random.ts"

// How long it takes a peer to notice that another died in silence, without the probes being played one by one: the times
// of the overlay's link pool, drawn. `test/scenario/failure-model.test.ts` holds this against whole peers with real probes.

/** How often links are looked at. */
const ROUND = 200
/** A watched link is probed after this silence, in milliseconds, give or take a fifth; any other after the longer one. */
const WATCHED_IDLE = 500
const OTHER_IDLE = 30_000
const JITTER = 0.2
/** A probe, or anything else, must be acknowledged within this. */
export const PATIENCE = 1_500
/** A probe leaves when links are looked at, and whether it is acknowledged is looked at then as well. */
const PROBED = ROUND * Math.ceil(PATIENCE / ROUND)
/** A second peer that falls silent so soon after another has all asked that are quiet, but not again for so long. */
const TOGETHER = 10_000
const BETWEEN_ALARMS = 5_000
/** Peers with so few links watch all of them. */
export const FEW_LINKS = 12

/** From the death to the moment at which a peer that has nothing to send closes the link. */
export function detectionTime(isWatched: boolean, random: Random): number {
  const idle = isWatched ? WATCHED_IDLE : OTHER_IDLE
  // While both lived, each heard the other whenever either probed; the death is at any moment of such a time.
  const between = Math.min(probeAfter(idle, 0, random), probeAfter(idle, 0, random))
  const silent = between * random.next()
  return probeAfter(idle, silent, random) - silent + PROBED
}

/** When one end probes, in milliseconds of silence, if it has not done so after `silent` of them: the jitter is drawn anew each round. */
function probeAfter(idle: number, silent: number, random: Random): number {
  const [least, range] = [idle * (1 - JITTER), idle * 2 * JITTER]
  let round = Math.max(silent, least) + ROUND * random.next()
  while (random.next() * range > round - least) round += ROUND
  return round
}

/** The same where something is sent to the dead: its acknowledgement is missed. */
export const missedAfter = (random: Random): number => PATIENCE + ROUND * random.next()

/** When each peer last found another silent, and when it last asked all that were quiet. */
export class Alarms {
  readonly #silenceAt: Float64Array
  readonly #askedAt: Float64Array

  constructor(ranks: number) {
    this.#silenceAt = new Float64Array(ranks).fill(-Infinity)
    this.#askedAt = new Float64Array(ranks).fill(-Infinity)
  }

  get bytes(): number {
    return this.#silenceAt.byteLength + this.#askedAt.byteLength
  }

  /** Another has fallen silent; says whether all that are quiet are asked now. */
  fellSilent(rank: number, now: number): boolean {
    const isFirst = this.#silenceAt[rank]! + TOGETHER < now
    this.#silenceAt[rank] = now
    if (isFirst || this.#askedAt[rank]! + BETWEEN_ALARMS > now) return false
    this.#askedAt[rank] = now
    return true
  }
}
