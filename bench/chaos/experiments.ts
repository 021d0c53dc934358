import type { Chaos } from "./chaos.ts"
import { churn } from "./experiments/churn.ts"
import { first } from "./experiments/first.ts"
import { freeze } from "./experiments/freeze.ts"
import { half } from "./experiments/half.ts"
import { pair } from "./experiments/pair.ts"
import { power } from "./experiments/power.ts"

/** In the order in which they are made: each leaves the farm whole, and the last takes its first node. */
export const EXPERIMENTS = { freeze, pair, half, power, churn, first } as const satisfies Readonly<
  Record<string, (chaos: Chaos) => Promise<void>>
>

export type ExperimentName = keyof typeof EXPERIMENTS

export const isExperiment = (name: string): name is ExperimentName => Object.hasOwn(EXPERIMENTS, name)
