// What a newcomer meets: clones this repository, with nothing installed and nothing cached, and times the README's two
// commands. `npm run fresh` times the first, `npm run fresh -- --tests` both. Prints one line each.
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const HOST = "127.0.46.1"
/** Seconds that each may take. */
const LIMITS = { start: 90, test: 600 } as const

const directory = mkdtempSync(join(tmpdir(), "carillon-fresh-"))
const clone = join(directory, "carillon")
/** Without this checkout's Node: the newcomer has but the system's. */
const PATH = (process.env["PATH"] ?? "")
  .split(":")
  .filter((each) => !each.includes("node_modules"))
  .join(":")
const environment = { ...process.env, PATH, npm_config_cache: join(directory, "npm"), NODE_OPTIONS: "" }

/** Seconds until the shell command says `pattern`, or has ended well; it is ended with all that it started. */
async function time(command: string, pattern?: RegExp): Promise<number> {
  const started = performance.now()
  const child = spawn("sh", ["-c", command], {
    cwd: clone,
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  })
  let output = ""
  const code = await new Promise<number | null>((resolve) => {
    child.once("close", resolve)
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk
      if (pattern?.test(output)) resolve(0)
    })
  })
  const seconds = (performance.now() - started) / 1_000
  if (child.exitCode === null) {
    const ended = new Promise((resolve) => child.once("close", resolve))
    process.kill(-child.pid!, "SIGTERM")
    await ended
  }
  if (code !== 0) throw new Error(`${command} ended with ${code}:\n${output.slice(-2_000)}`)
  return seconds
}

function tell(command: string, seconds: number, limit: number): void {
  console.log(`${command}: ${seconds.toFixed(1)} s, of ${limit} s allowed`)
  if (seconds > limit) process.exitCode = 1
}

try {
  const { status } = spawnSync("git", ["clone", "--quiet", ".", clone], { stdio: "inherit" })
  if (status !== 0) throw new Error("this is no git repository that can be cloned")
  const options = `--host ${HOST} --http-host ${HOST} --data ${join(directory, "data")}`
  const start = `npm ci && npm start -- ${options}`
  tell("npm ci && npm start", await time(start, /^ready\b/m), LIMITS.start)
  if (process.argv.includes("--tests")) {
    rmSync(join(clone, "node_modules"), { recursive: true })
    tell("npm ci && npm test", await time("npm ci && npm test"), LIMITS.test)
  }
} finally {
  rmSync(directory, { recursive: true, force: true })
}
