import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"

/** Rivals and load stand on cores of their own, so that neither waits for the other. */
const cores = { server: "0", load: "1" }

export function chooseCores(server: string, load: string): void {
  cores.server = server
  cores.load = load
}

const running = new Set<ChildProcess>()

// What is stopped half-way leaves no program behind: they are in groups of their own, and would not hear of it.
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, async () => {
    await Promise.all([...running].map(end))
    process.exit(signal === "SIGINT" ? 130 : 143)
  })

/** A program pinned to its core, in a process group of its own. */
export function startOn(
  core: keyof typeof cores,
  command: readonly string[],
  options: { readonly ipc?: boolean; readonly cwd?: string } = {},
): ChildProcess {
  const child = spawn("taskset", ["-c", cores[core], ...command], {
    stdio: ["ignore", "pipe", "pipe", ...(options.ipc === true ? ["ipc" as const] : [])],
    detached: true,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  })
  running.add(child)
  child.once("exit", () => running.delete(child))
  return child
}

/** Waits for a line that says so. Throws with all that was said where the program ends before. */
export function says(child: ChildProcess, pattern: RegExp): Promise<RegExpMatchArray> {
  return new Promise((resolve, reject) => {
    let said = ""
    const hear = (chunk: Buffer) => {
      said += chunk
      const match = said.match(pattern)
      if (match) resolve(match)
    }
    child.stdout!.on("data", hear)
    child.stderr!.on("data", hear)
    child.on("error", reject)
    child.on("exit", (code) => reject(new Error(`${child.spawnargs.join(" ")} ended with ${code}: ${said}`)))
  })
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once("exit", resolve))
  try {
    process.kill(-child.pid!, "SIGKILL")
  } catch {
    // It has gone by itself.
  }
  await gone
}

/** All processes of the group that `child` leads: Kamailio forks. */
export function groupOf(child: ChildProcess): readonly number[] {
  const pids: number[] = []
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1")
      // Behind the name in parentheses: state, parent, process group.
      if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]) === child.pid) pids.push(Number(name))
    } catch {
      // It has ended meanwhile.
    }
  }
  return pids
}

/** Nanoseconds on a processor, user and system, of all threads; the scheduler's own count. */
export function processorTime(pids: readonly number[]): number {
  let sum = 0
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`))
      sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ")[0])
  }
  return sum
}

/** Bytes that these processes keep in memory; what they share is counted once. */
export function memory(pids: readonly number[]): number {
  let sum = 0
  for (const pid of pids) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1")
    sum += Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1_024
  }
  return sum
}

export const has = (program: string): boolean => {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}
