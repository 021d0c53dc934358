import type { Random } from "../../core/kit/random.ts"

// How long it takes a peer to notice that another died in silence, without the probes being played one by one: the times
// of the overlay's link pool, drawn. A test holds this against whole peers with real probes.

/** How often links are looked at. */
const ROUND = 200
/** A watched link is probed after this silence, in milliseconds, give or take a fifth; any other after the longer one. */
const WATCHED_IDLE = 500
const OTHER_IDLE = 30_000
/** A probe, or anything else, must be acknowledged within this. */
export const PATIENCE = 1_500

/** From the death to the day when a peer that has nothing to send closes the link. */
export function detectionTime(isWatched: boolean, random: Random): number {
  const idle = isWatched ? WATCHED_IDLE : OTHER_IDLE
  // The dead was heard last at any moment of the time between two probes; the next look at the links follows.
  const silence = idle * (0.8 + 0.2 * random.next()) * random.next()
  return silence + ROUND * random.next() + PATIENCE + ROUND * random.next()
}

/** The same where something is sent to the dead: its acknowledgement is missed. */
export const missedAfter = (random: Random): number => PATIENCE + ROUND * random.next()
