// `npm run churn`: rings whose peers come and go, for several mean sessions. Runs `carillon sim --churn` for each, and
// prints a table: look-ups, losses beside the number that is to be expected, repair, messages.
//
//   npm run churn -- [--peers 10000] [--sessions 10m,30m,60m,2h] [--minutes 1440] [--lookups 20000] [--latency sites]

import { parseArgs } from "node:util"
import type { Facts } from "./growth/curves.ts"
import { simulated } from "./growth/simulated.ts"

const { values } = parseArgs({
  options: {
    peers: { type: "string", default: "10000" },
    sessions: { type: "string", default: "10m,30m,60m,2h" },
    minutes: { type: "string", default: "1440" },
    lookups: { type: "string", default: "20000" },
    latency: { type: "string", default: "sites" },
    crashes: { type: "string", default: "50" },
    seed: { type: "string", default: "1" },
  },
})

const COLUMNS = [
  "mean session",
  "departures (in silence)",
  "look-ups answered",
  "wrong",
  "mean, p99",
  "records lost (to be expected)",
  "repair, mean",
  "messages a peer and minute",
]

function row(session: string, facts: Facts): readonly string[] {
  const { lookups, records, leaves, crashes } = facts
  const departures = leaves + crashes
  const expected = records.expectedLost === null ? "" : ` (${records.expectedLost.toPrecision(2)})`
  return [
    session,
    `${departures.toLocaleString("en")} (${((100 * crashes) / Math.max(1, departures)).toFixed(0)} %)`,
    `${((100 * lookups.answered) / lookups.total).toFixed(3)} % of ${lookups.total.toLocaleString("en")}`,
    String(lookups.wrong),
    `${lookups.milliseconds.mean.toFixed(0)} ms, ${lookups.milliseconds.p99.toFixed(0)} ms`,
    `${records.lost}${expected}`,
    `${records.repairSeconds.mean.toFixed(1)} s`,
    facts.messagesPerPeerPerMinute.toFixed(0),
  ]
}

const print = (cells: readonly string[]) => console.log(`| ${cells.join(" | ")} |`)

print(COLUMNS)
print(COLUMNS.map(() => "---:"))
for (const session of values.sessions.split(",")) {
  const { peers, minutes, lookups, latency, crashes, seed } = values
  const world = ["--peers", peers, "--minutes", minutes, "--latency", latency, "--seed", seed]
  const line = await simulated([...world, "--churn", session, "--crashes", crashes, "--lookups", lookups])
  print(row(session, JSON.parse(line)))
}
