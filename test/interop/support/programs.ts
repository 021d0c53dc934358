import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process"
import { mkdtempSync } from "node:fs"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after } from "node:test"
import { setTimeout as pause } from "node:timers/promises"

/** Why tests that need `program` cannot run here; undefined where it is installed. Under CI, missing is an error. */
export function missing(...programs: readonly string[]): string | false {
  const absent = programs.filter((each) => spawnSync("sh", ["-c", `command -v ${each}`]).status !== 0)
  if (absent.length === 0) return false
  const reason = `not installed: ${absent.join(", ")}; .ci/run installs what these tests need`
  if (process.env["CI"]) throw new Error(reason)
  return reason
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), "carillon-test-"))
}

export const removeDirectory = (path: string) => rm(path, { recursive: true, force: true, maxRetries: 5 })

/** Waits until `condition` gives something, and fails by `claim`, as it is then, if that takes too long. */
export async function until<T>(
  claim: string | (() => string),
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  patience = 30_000,
): Promise<T> {
  const end = performance.now() + patience
  for (;;) {
    const value = await condition()
    if (value !== undefined && value !== false) return value as T
    if (performance.now() > end) {
      const text = typeof claim === "string" ? claim : claim()
      throw new Error(`waited ${patience / 1_000} s in vain until ${text}`)
    }
    await pause(20)
  }
}

/** Done when all tests of a file are over: what a failed one leaves open would keep its process, and all that follow. */
export function whenOver(work: () => void): void {
  if (process.env["NODE_TEST_CONTEXT"] !== undefined) after(work)
}

/** They end with the tests, or with the process that started them, so that their ports are free for the next. */
const running = new Set<ChildProcess>()
const endAll = () => {
  for (const child of running) child.kill("SIGKILL")
}
whenOver(endAll)
process.once("exit", endAll)

/** A program that runs beside the test, and what it has said so far. */
export class Program {
  readonly child: ChildProcess
  readonly name: string
  output = ""
  exitCode: number | undefined
  readonly exited: Promise<number>

  constructor(name: string, command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.name = name
    this.child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    })
    running.add(this.child)
    for (const stream of [this.child.stdout!, this.child.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.output += text
      })
    this.exited = new Promise((resolve) => {
      this.child.on("error", (error) => {
        this.output += String(error)
        this.exitCode = 127
        resolve(127)
      })
      // Not at "exit": on a busy machine what it said last is still to be read then.
      this.child.on("close", (code, signal) => {
        running.delete(this.child)
        this.exitCode = code ?? (signal === null ? 1 : 128)
        resolve(this.exitCode)
      })
    })
  }

  /** Waits for a line that matches, and gives the match. */
  says(pattern: RegExp, patience = 30_000): Promise<RegExpMatchArray> {
    return until(
      () => `${this.name} says ${pattern}; it said:\n${this.output.slice(-2_000)}`,
      () => {
        const match = this.output.match(pattern)
        if (match === null && this.exitCode !== undefined)
          throw new Error(`${this.name} ended with ${this.exitCode}:\n${this.output.slice(-2_000)}`)
        return match ?? undefined
      },
      patience,
    )
  }

  async stop(signal: NodeJS.Signals = "SIGTERM", patience = 20_000): Promise<number> {
    if (this.exitCode === undefined) {
      this.child.kill(signal)
      const killer = setTimeout(() => this.child.kill("SIGKILL"), patience)
      await this.exited
      clearTimeout(killer)
    }
    return this.exited
  }
}

/** Runs a command to its end. */
export function runToEnd(command: string, args: readonly string[], patience = 60_000) {
  const result = spawnSync(command, args, {
    encoding: "utf8",
    timeout: patience,
    maxBuffer: 64 * 1024 * 1024,
  })
  return { code: result.status ?? 1, stdout: result.stdout ?? "", stderr: result.stderr ?? "" }
}

/** Runs a command to its end while the test does something else. `uid`: as that user. */
export function runBeside(
  command: string,
  args: readonly string[],
  options: {
    readonly cwd?: string
    readonly env?: NodeJS.ProcessEnv
    readonly uid?: number
    readonly timeout?: number
  } = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { timeout: 60_000, ...options }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? 1, stdout, stderr }),
    )
  })
}
