import { writeFile } from "node:fs/promises"
import { setImmediate } from "node:timers/promises"
import type { Command } from "commander"
import type { SimulationResult } from "../../../sim/lean/result.ts"
import type { SimulationOptions } from "../../../sim/lean/simulate.ts"
import { CommandError } from "../outcome.ts"
import { startProgress } from "../progress.ts"
import { readOptions, type SimFlags } from "../sim/options.ts"
import { describe, factsOf, pictureOf } from "../sim/report.ts"
import type { Stage } from "../stage.ts"
import type { Terminal } from "../terminal.ts"

const NOTES = `
One seed decides everything. Peers are those of a ring too wide for a full mesh; the CHORD-RELOAD plug-in of a node decides
for each. Where no --churn is given, one peer in a hundred joins, and as many leave, while look-ups run. Ctrl-C ends it
and prints what came of the time that was played.
  carillon sim --peers 1000000 --lookups 10000 --json
  carillon sim --peers 10000 --churn 60m --minutes 60 --latency internet`

export function addSim(parent: Command, { terminal }: Stage): void {
  parent
    .command("sim")
    .description(
      "Simulate a ring of up to two million peers: hops, look-ups, share, messages, repair, losses.",
    )
    .option("--peers <count>", "from 8 to 2000000", "1000")
    .option("--seed <number>", "another seed, another world; the same one, the same to the last event", "1")
    .option("--lookups <count>", "spread over the time", "1000")
    .option("--latency <model>", "lan, sites (three) or internet (heavy tail)", "sites")
    .option("--minutes <count>", "simulated time", "5")
    .option("--churn <time>", "mean session of a peer, like 30m or 2h")
    .option("--crashes <percent>", "of the peers that go, those that die in silence", "50")
    .option(
      "--fault <what>",
      "half-way, at one instant: crash:PERCENT of all peers, or site (with --latency sites); or all the time, liars:PERCENT that drop or misroute what they should pass on, usurpers:PERCENT that answer it themselves",
    )
    .option("--json", "print the facts as one line of JSON")
    .option("--svg <file>", "draw the ring and the curves")
    .addHelpText("after", NOTES)
    .action(async (flags: SimFlags & { readonly json?: true; readonly svg?: string }) => {
      const result = await play(readOptions(flags), terminal)
      if (flags.svg !== undefined) await write(flags.svg, pictureOf(result))
      if (flags.json) terminal.print(JSON.stringify(factsOf(result)))
      else for (const line of describe(result)) terminal.print(line)
    })
}

const STEPS = 100
const SIGNALS = ["SIGINT", "SIGTERM"] as const

async function play(options: SimulationOptions, terminal: Terminal): Promise<SimulationResult> {
  const { simulate } = await import("../../../sim/lean/simulate.ts")
  const progress = await startProgress(2 * STEPS, "steps", terminal)
  let wish: "stop" | undefined
  const stop = () => {
    wish = "stop"
    terminal.remark("what was played is being measured")
  }
  // Once: a second one ends the process.
  for (const signal of SIGNALS) process.once(signal, stop)
  try {
    for (const run = simulate(options); ; ) {
      const next = run.next(wish)
      if (next.done) return next.value
      const { stage, done } = next.value
      progress.reach(Math.floor(STEPS * done) + (stage === "time" ? STEPS : 0))
      await setImmediate()
    }
  } finally {
    progress.stop()
    for (const signal of SIGNALS) process.off(signal, stop)
  }
}

async function write(file: string, picture: string): Promise<void> {
  try {
    await writeFile(file, picture)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CommandError(
      `--svg: "${file}" cannot be written (${code ?? message}); give a file in a directory that exists`,
      {
        cause: error,
      },
    )
  }
}
