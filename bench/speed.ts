// `npm run bench`: Carillon beside Kamailio and the npm package `sip`, in one run, on the same core.
//
//   npm run bench -- [--only refresh,digest,…] [--rivals "carillon;…"] [--rounds 5] [--seconds 4] [--registrations 100000]
//                [--cores 0,1]
//
// Rates are operations for a second of the server's processor time. Rivals take turns, round by round, so that what
// else the machine does strikes all alike; the table shows the median round and the spread of all.

import { cpus } from "node:os"
import { parseArgs } from "node:util"
import { type Ask, measure, measureMemory, type Round } from "./speed/measure.ts"
import { chooseCores } from "./speed/processes.ts"
import { measureChanges, measureFetches, type RingRound, signatureCosts } from "./speed/ring.ts"
import { install, type RivalName, start, versions } from "./speed/rivals.ts"
import { WORKLOADS, type Workload } from "./speed/workloads.ts"

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    rivals: { type: "string" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    registrations: { type: "string", default: "100000" },
    /** The server's, and the load generator's. */
    cores: { type: "string", default: "0,1" },
  },
})
const rounds = Number(values.rounds)
const milliseconds = Number(values.seconds) * 1_000
const registrations = Number(values.registrations)
const chosen = values.only?.split(",")
const RINGS = ["fetches", "changes"]
const names = [...WORKLOADS.map(({ name }) => name), ...RINGS, "memory"]
const unknown = chosen?.find((name) => !names.includes(name))
const wanted = values.rivals?.split(";")
const known = new Set<string>(WORKLOADS.flatMap(({ rivals }) => rivals.map(([name]) => name)))
const stranger = wanted?.find((name) => !known.has(name))
if (stranger !== undefined) {
  console.error(`--rivals takes some of ${[...known].join(";")}, not ${stranger}`)
  process.exit(2)
}
if (unknown !== undefined || !(rounds >= 1) || !(milliseconds > 0) || !(registrations >= 1)) {
  console.error(
    `--only takes some of ${names.join(",")}; --rounds, --seconds and --registrations are numbers above 0`,
  )
  process.exit(2)
}

const [, serverCore, loadCore] = /^(\d+),(\d+)$/.exec(values.cores) ?? []
const isThere = (core: string | undefined) => core !== undefined && Number(core) < cpus().length
if (!isThere(serverCore) || !isThere(loadCore)) {
  console.error(
    `--cores takes two of 0 to ${cpus().length - 1}, the server's and the load's, like 0,1; not "${values.cores}"`,
  )
  process.exit(2)
}
chooseCores(serverCore!, loadCore!)

const say = (line: string) => console.error(line)

async function run(workload: Workload): Promise<ReadonlyMap<RivalName, readonly Round[]>> {
  const results = new Map<RivalName, Round[]>(workload.rivals.map(([name]) => [name, []]))
  for (let round = 1; round <= rounds; round++) {
    for (const [name, ask] of workload.rivals) {
      const result = await attempt(workload, name, ask)
      if (result === undefined) continue
      results.get(name)!.push(result)
      const rate = Math.round(result.perCoreSecond)
      say(`${workload.name} ${round}/${rounds} ${name}: ${rate} per core-second`)
    }
  }
  // Half of what the first rival did by the clock, for all: how long does an answer take then?
  const half = median((results.values().next().value ?? []).map(({ perSecond }) => perSecond)) / 2
  for (const [name, ask] of workload.rivals) {
    const result = await attempt(workload, name, { ...ask, rate: half })
    if (result !== undefined) atHalf.set(`${workload.name} ${name}`, result)
  }
  return results
}

/** Undefined, and the run has failed, where the load generator does not agree with what it was answered. */
async function attempt(
  { name: title, users }: Workload,
  name: RivalName,
  ask: Omit<Ask, "users">,
): Promise<Round | undefined> {
  const rival = await start(name, { users, digest: ask.digest })
  try {
    return await measure(rival, { ...ask, users }, milliseconds)
  } catch (error) {
    const paced = ask.rate === undefined ? "" : " at half load"
    complaints.push(`${title}, ${name}${paced}: ${(error as Error).message}`)
    say(complaints.at(-1)!)
    return undefined
  } finally {
    await rival.stop()
  }
}

const complaints: string[] = []

/** Latencies under half load, by workload and rival. */
const atHalf = new Map<string, Round>()

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? 0
}

function show(workload: Workload, results: ReadonlyMap<RivalName, readonly Round[]>): void {
  console.log(`\n${workload.title}\n`)
  console.log("| | per core-second | spread | ratio | p50, p99 ms at full load | p50, p99 ms at half load |")
  console.log("|---|---|---|---|---|---|")
  const base = median([...results.values()][0]!.map(({ perCoreSecond }) => perCoreSecond))
  for (const [name, list] of results) {
    const rates = list.map(({ perCoreSecond }) => perCoreSecond)
    const spread = `${Math.round(Math.min(...rates))}–${Math.round(Math.max(...rates))}`
    const full = `${median(list.map(({ p50 }) => p50)).toFixed(2)}, ${median(list.map(({ p99 }) => p99)).toFixed(2)}`
    const paced = atHalf.get(`${workload.name} ${name}`)
    const half = paced === undefined ? "" : `${paced.p50.toFixed(2)}, ${paced.p99.toFixed(2)}`
    const rate = median(rates)
    console.log(
      `| ${name} | ${Math.round(rate)} | ${spread} | ${(rate / base).toFixed(2)} | ${full} | ${half} |`,
    )
  }
}

async function showMemory(users: number): Promise<void> {
  console.log(`\nmemory for a registration, ${users} of them\n\n| | bytes |\n|---|---|`)
  for (const name of ["kamailio -x fm", "carillon"] as const) {
    if (wanted?.includes(name) === false) continue
    const rival = await start(name, { users, digest: true })
    try {
      const ask: Ask = { workload: "register-digest", digest: true, outstanding: 64, users }
      console.log(`| ${name} | ${Math.round(await measureMemory(rival, ask))} |`)
    } finally {
      await rival.stop()
    }
  }
}

/** What the fabric does, by the processor time of all its nodes together. */
async function showRing(name: string): Promise<void> {
  const isFetching = name === "fetches"
  const list: RingRound[] = []
  for (let round = 1; round <= rounds; round++) {
    try {
      const result = await (isFetching ? measureFetches(32, milliseconds) : measureChanges(3, milliseconds))
      list.push(result)
      say(`${name} ${round}/${rounds}: ${Math.round(result.perCoreSecond)} per core-second`)
    } catch (error) {
      complaints.push(`${name}: ${(error as Error).message}`)
      say(complaints.at(-1)!)
    }
  }
  if (list.length === 0) return
  const of = (what: keyof RingRound) => median(list.map((each) => each[what]))
  const rate = of("perCoreSecond")
  const rates = list.map(({ perCoreSecond }) => perCoreSecond)
  const spread = `${Math.round(Math.min(...rates))}–${Math.round(Math.max(...rates))}`
  const title = isFetching
    ? "fetches in a ring of 32 nodes in one process"
    : "REGISTER that changes the Contact, three copies, three nodes in one process"
  console.log(`
${title}, for a second of the processor time of all nodes: ${Math.round(rate)} (${spread}), ${Math.round(of("beyondRest"))} beyond what the ring spends at rest;
each ${of("hops").toFixed(2)} hops, ${of("signatures").toFixed(2)} signatures and ${of("verifications").toFixed(2)} verifications, those of probes included`)
  const costs = signatureCosts()
  const signing = of("signatures") * costs.sign + of("verifications") * costs.verify
  if (signing > 0)
    console.log(
      `of ${Math.round(1e6 / rate)} µs, signatures are ${Math.round(signing)} (sign ${costs.sign.toFixed(0)} µs, verify ${costs.verify.toFixed(0)} µs, now): ${Math.round((100 * signing * rate) / 1e6)} % of what they alone would allow`,
    )
}

install(say)
const software = Object.entries(versions()).map(([name, version]) => `${name} ${version}`)
console.log(
  `${new Date().toISOString().slice(0, 10)}; ${cpus()[0]?.model}, ${cpus().length} cores; ${software.join(", ")}`,
)
for (const workload of WORKLOADS) {
  if (chosen !== undefined && !chosen.includes(workload.name)) continue
  const rivals = workload.rivals.filter(([name]) => wanted === undefined || wanted.includes(name))
  if (rivals.length > 0) show(workload, await run({ ...workload, rivals }))
}
for (const name of RINGS) if (chosen === undefined || chosen.includes(name)) await showRing(name)
if (chosen?.includes("memory") === true) await showMemory(registrations)
if (complaints.length > 0)
  console.log(`\nnot to be counted:\n${complaints.map((line) => `- ${line}`).join("\n")}`)
process.exitCode = complaints.length > 0 ? 1 : 0
