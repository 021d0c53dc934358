import { LATENCIES, type LatencyName } from "../../../sim/lean/latency.ts"
import type { Fault, SimulationOptions } from "../../../sim/lean/simulate.ts"
import { UsageError } from "../outcome.ts"

/** As they stand on the command line. */
export interface SimFlags {
  readonly peers: string
  readonly seed: string
  readonly lookups: string
  readonly latency: string
  readonly minutes: string
  readonly churn?: string
  readonly crashes: string
  readonly fault?: string
}

/** Throws UsageError that names the option, the value, and what to give. */
export function readOptions(flags: SimFlags): SimulationOptions {
  const latency = readLatency(flags.latency)
  return {
    peers: readCount("peers", flags.peers, 8, 2_000_000),
    seed: readCount("seed", flags.seed, 0, 2 ** 32 - 1),
    lookups: readCount("lookups", flags.lookups, 1, 10_000_000),
    latency,
    minutes: readCount("minutes", flags.minutes, 1, 10_080),
    churn: flags.churn === undefined ? undefined : readMinutes(flags.churn),
    crashShare: readCount("crashes", flags.crashes, 0, 100) / 100,
    fault: flags.fault === undefined ? undefined : readFault(flags.fault, latency),
  }
}

function readCount(name: string, text: string, least: number, most: number): number {
  const count = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (count >= least && count <= most) return count
  throw new UsageError(`--${name}: "${text}" is no number from ${least} to ${most}; give one`)
}

function readLatency(text: string): LatencyName {
  const known = LATENCIES.find((name) => name === text)
  if (known !== undefined) return known
  throw new UsageError(`--latency: "${text}" is no model; give ${LATENCIES.join(", ")}`)
}

const MINUTES: Readonly<Record<string, number>> = { m: 1, h: 60, d: 1_440 }

function readMinutes(text: string): number {
  const [, digits, unit] = /^(\d{1,5})([mhd])$/.exec(text) ?? []
  const minutes = digits === undefined ? 0 : Number(digits) * MINUTES[unit!]!
  if (minutes >= 1) return minutes
  throw new UsageError(
    `--churn: "${text}" is no mean session of a minute or more; write it like 30m, 2h or 1d`,
  )
}

function readFault(text: string, latency: LatencyName): Fault {
  const [, percent] = /^crash:(\d{1,2})$/.exec(text) ?? []
  if (percent !== undefined && Number(percent) > 0) return { kind: "crash", share: Number(percent) / 100 }
  const [, who, part] = /^(liars|usurpers):(\d{1,2})$/.exec(text) ?? []
  if (part !== undefined && Number(part) > 0)
    return {
      kind: "liars",
      share: Number(part) / 100,
      lies: who === "liars" ? ["drop", "misroute"] : ["usurp"],
    }
  if (text === "site" && latency === "sites") return { kind: "site" }
  if (text === "site")
    throw new UsageError(`--fault: "site" needs sites; add --latency sites instead of ${latency}`)
  throw new UsageError(
    `--fault: "${text}" is no fault; write crash:PERCENT, liars:PERCENT or usurpers:PERCENT, from 1 to 99, or site`,
  )
}
