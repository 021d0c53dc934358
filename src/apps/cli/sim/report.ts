import { chart, drawing, ringPicture } from "../../../sim/lean/picture.ts"
import type { SimulationResult } from "../../../sim/lean/result.ts"
import { table } from "../table.ts"

const short = (value: number, digits = 2) => Number(value.toFixed(digits))

const percent = (part: number, whole: number) => `${short((100 * part) / Math.max(whole, 1), 3)} %`

/** What --json prints. */
export function factsOf(result: SimulationResult) {
  const { options, hopCounts, ring, ...facts } = result
  return { seed: options.seed, latency: options.latency, minutes: options.minutes, ...facts }
}

/** A page for a person. */
export function describe(result: SimulationResult): readonly string[] {
  const { options, hops, lookups, unaided, share, records, messages } = result
  const log2 = Math.log2(options.peers)
  const rows: readonly (readonly [string, string])[] = [
    [
      "peers",
      `${options.peers} at first, ${result.peers} at the end, seed ${options.seed}, ${options.latency}`,
    ],
    [
      "time",
      `${options.minutes} min simulated, ${result.events} events, ${Math.round(result.eventsPerSecond)} a second`,
    ],
    ["memory", `${Math.round(result.bytesPerPeer)} bytes a peer`],
    ["", ""],
    [
      "hops",
      `mean ${short(hops.mean)}, p99 ${hops.p99}, max ${hops.max}; ½·log2 n + 1 is ${short(log2 / 2 + 1)}, log2 n + 2 is ${short(log2 + 2)}`,
    ],
    [
      "look-ups",
      `${lookups.total}: ${percent(lookups.answered, lookups.total)} answered, ${lookups.failed} not, ${lookups.wrong} wrong, ${lookups.displaced} by a holder other than the responsible peer`,
    ],
    [
      "latency",
      `median ${short(lookups.milliseconds.median, 1)} ms, mean ${short(lookups.milliseconds.mean, 1)} ms, p99 ${short(lookups.milliseconds.p99, 1)} ms`,
    ],
    ["table", `mean ${short(result.table.mean, 1)} links, p99 ${result.table.p99}, max ${result.table.max}`],
    [
      "share",
      `max over mean ${short(share.maxOverMean)}, Gini ${short(share.gini)} (ids are random here; enrolment places those of a farm)`,
    ],
    ...(unaided === null ? [] : [["", `${unaidedLine(unaided, lookups.total)}`] as const]),
    ["", ""],
    [
      "messages",
      `${short(result.messagesPerPeerPerMinute, 1)} a peer and minute over one link each, probes left out`,
    ],
    [
      "",
      Object.entries(messages)
        .map(([method, count]) => `${method} ${count}`)
        .join(", "),
    ],
    [
      "encoded",
      `${result.encoded.messages} of them as a sample, ${Math.round(result.encoded.meanBytes)} bytes each, unsigned`,
    ],
    ["", ""],
    ["joins", `${result.joins}, ${short(result.joinSeconds)} s each from the first connection on`],
    ["departures", `${result.leaves + result.crashes}, of them ${result.crashes} in silence`],
    ["repair", repairLine(result)],
    ["losses", lossLine(records)],
    ["log", `SHA-256 ${result.log}`],
  ]
  return table(rows)
}

const unaidedLine = ({ answered, failed, wrong }: NonNullable<SimulationResult["unaided"]>, total: number) =>
  `without another way and without refusing answers from afar: ${percent(answered - wrong, total)} right, ${failed} not answered, ${wrong} wrong`

const repairLine = ({ records: { repairSeconds, total } }: SimulationResult) =>
  `${total} records of three copies; after a crash three again in ${short(repairSeconds.mean, 1)} s, p99 ${short(repairSeconds.p99, 1)} s, at most ${short(repairSeconds.max, 1)} s`

function lossLine({ lost, expectedLost }: SimulationResult["records"]): string {
  const predicted = expectedLost === null ? "" : `; ${expectedLost.toPrecision(2)} were to be expected`
  return `${lost} records whose holders all died before they were copied${predicted}`
}

/** The ring with one peer's links, and how many look-ups took how many hops. */
export function pictureOf(result: SimulationResult): string {
  const { ring, hopCounts, options } = result
  return drawing(900, 460, `${options.peers} peers, seed ${options.seed}`, [
    ringPicture(220, 250, 180, ring.peers, ring.chosen, ring.linked),
    chart(450, 60, 420, 370, {
      title: `Hops of ${result.lookups.total} look-ups`,
      x: "hops",
      marks: hopCounts.map((_, hops) => String(hops)),
      lines: [{ name: "look-ups", values: hopCounts }],
    }),
  ])
}
