import { test } from "node:test"
import type { Conditions } from "./conditions.ts"
import { openSslHashes } from "./hashes.ts"
import { World } from "./world.ts"

export interface ScenarioConditions extends Conditions {
  /** How many seeds, from 1; or which ones. Default 3. */
  readonly seeds?: number | readonly number[]
}

/**
 * A story about a whole farm, told once for every seed.
 *
 * A seed that fails is named in the title: `SEED=7` tells just that one again, the same to the
 * microsecond, and `TRACE=1` with it prints all that happens. `SEEDS=100` tells as many.
 */
export function scenario(title: string, conditions: ScenarioConditions, play: (world: World) => void): void {
  const { seeds = 3, ...rest } = conditions
  const watch = process.env["TRACE"] === "1" ? (line: string) => process.stderr.write(`${line}\n`) : undefined
  for (const seed of chosenSeeds(seeds)) {
    test(`${title} (seed ${seed})`, () => play(new World(seed, rest, openSslHashes, watch)))
  }
}

function chosenSeeds(seeds: number | readonly number[]): readonly number[] {
  const { SEED: one, SEEDS: many } = process.env
  if (one !== undefined) return [Number(one)]
  if (many !== undefined) return upTo(Number(many))
  return typeof seeds === "number" ? upTo(seeds) : seeds
}

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index + 1)
