import { type TestContext, test } from "node:test"
import type { Conditions } from "./conditions.ts"
import { openSslHashes } from "./hashes.ts"
import { type PeerConditions, PeerWorld } from "./peers/peer-world.ts"
import { World } from "./world.ts"

interface Seeds {
  /** How many seeds, from 1; or which ones. Default 3. */
  readonly seeds?: number | readonly number[]
}

export interface ScenarioConditions extends Conditions, Seeds {}

/**
 * A story about a whole farm, told once for every seed.
 *
 * A seed that fails is named in the title: `SEED=7` tells just that one again, the same to the
 * microsecond, and `TRACE=1` with it prints all that happens. `SEEDS=100` tells as many, `SEEDS=101-200` those.
 */
export function scenario(title: string, conditions: ScenarioConditions, play: (world: World) => void): void {
  const { seeds = 3, ...rest } = conditions
  for (const seed of chosenSeeds(seeds))
    test(`${title} (seed ${seed})`, () => play(new World(seed, rest, openSslHashes, watch())))
}

export interface PeerScenarioConditions extends Omit<PeerConditions, "peers">, Seeds {
  /** Up to so many peers, each has a link to every other. */
  readonly fullMeshLimit: number
}

/** How large a story is told: as the promise has it, with `SCALE=full`; smaller otherwise, since it is told often. */
export interface Scale {
  readonly peers: number
  readonly isFull: boolean
}

/** In full size, one seed in so many begins with a ring that grew by the protocol, which costs more than most stories. */
const GROWN = 10
const FULL_RING = 64
const SMALL_RING = 16

/**
 * A story about a ring of peers without SIP; they have all joined when it begins. Seeds as in `scenario`. `PEERS=32` says how
 * many peers are told of in full size. Large rings are laid, as they would be at rest (`test/scenario/laid-ring.test.ts`); small ones grow.
 */
export function peerScenario(
  title: string,
  { seeds = 3, ...conditions }: PeerScenarioConditions,
  play: (world: PeerWorld, scale: Scale, context: TestContext) => void,
): void {
  const isFull = process.env["SCALE"] === "full"
  const peers = isFull ? Number(process.env["PEERS"] ?? FULL_RING) : SMALL_RING
  for (const seed of chosenSeeds(seeds)) {
    test(`${title} (seed ${seed})`, (context) => {
      const world = new PeerWorld(seed, { ...conditions, peers: 0, isHashed: false }, openSslHashes, watch())
      if (isFull && seed % GROWN !== 0) world.lay(peers)
      else world.grow(peers)
      play(world, { peers, isFull }, context)
    })
  }
}

const watch = () =>
  process.env["TRACE"] === "1" ? (line: string) => process.stderr.write(`${line}\n`) : undefined

function chosenSeeds(seeds: number | readonly number[]): readonly number[] {
  const { SEED: one, SEEDS: many } = process.env
  if (one !== undefined) return [Number(one)]
  if (many === undefined) return typeof seeds === "number" ? fromTo(1, seeds) : seeds
  const [from, to] = many.split("-").map(Number)
  return to === undefined ? fromTo(1, from!) : fromTo(from!, to)
}

const fromTo = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index)
