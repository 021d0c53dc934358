import type { Terminal } from "./terminal.ts"

/** Tells a person, or a log, how far something is. */
export interface Progress {
  reach(count: number): void
  stop(): void
}

/** A bar where a person watches, otherwise a line at each tenth. */
export async function startProgress(total: number, unit: string, terminal: Terminal): Promise<Progress> {
  return terminal.interactive ? startBar(total, unit) : startLines(total, unit, terminal)
}

async function startBar(total: number, unit: string): Promise<Progress> {
  const { SingleBar } = await import("cli-progress")
  const bar = new SingleBar({
    format: `{bar} {value} of {total} ${unit}, {eta} s left`,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    stream: process.stderr,
  })
  bar.start(total, 0)
  return { reach: (count) => bar.update(count), stop: () => bar.stop() }
}

function startLines(total: number, unit: string, terminal: Terminal): Progress {
  let told = 0
  return {
    reach(count) {
      const tenth = Math.floor((10 * count) / total)
      if (tenth > told) terminal.remark(`${count} of ${total} ${unit}`)
      told = Math.max(told, tenth)
    },
    stop() {},
  }
}
