// Runs every test there is and closes with one line of totals. `npm test -- PATTERN …` runs some files only.
import { spawn, spawnSync } from "node:child_process"
import { globSync } from "node:fs"

const GROUPS = [
  {
    title: "check",
    command: [process.execPath, "node_modules/typescript/bin/tsc", "-p", "tsconfig.core.json"],
  },
  { title: "check", command: [process.execPath, "node_modules/typescript/bin/tsc", "-p", "tsconfig.json"] },
  { title: "check", command: ["node_modules/.bin/biome", "check", "."] },
]

const patterns = process.argv.slice(2)
const all = globSync(["src/**/*.test.ts", "test/**/*.test.ts"]).sort()
const chosen =
  patterns.length === 0 ? all : all.filter((file) => patterns.some((each) => file.includes(each)))
const alone = (file: string) => file.startsWith("test/interop/")

let passed = 0
let failed = 0

const minutes = (count: number) => count * 60_000
/** A test that takes longer has failed; so have a file that runs alone, and all that run side by side. */
const LONGEST = { test: minutes(5), alone: minutes(6), together: minutes(30) } as const

/** Each command leads a process group: with it ends whatever it has started. */
const groups = new Set<number>()
process.once("exit", () => {
  for (const group of groups) process.kill(-group, "SIGKILL")
})
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1))

/** `quiet`: what it says is shown when it has ended, in one piece. */
function run(
  command: readonly string[],
  limit: number,
  quiet = false,
): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    const child = spawn(command[0]!, command.slice(1), {
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    })
    const group = child.pid!
    groups.add(group)
    const net = setTimeout(() => {
      console.log(`not ok - killed after ${limit / 1_000} s: ${command.at(-1)}`)
      process.kill(-group, "SIGKILL")
    }, limit)
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk
      if (!quiet) process.stdout.write(chunk)
    })
    child.on("close", (code) => {
      clearTimeout(net)
      groups.delete(group)
      if (quiet) process.stdout.write(output)
      resolve({ code: code ?? 1, output })
    })
  })
}

/** What node's runner counted, from its closing lines; a run that broke off counts as one failure. */
function count({ code, output }: { readonly code: number; readonly output: string }): void {
  const total = (name: string) => Number(output.match(new RegExp(`^# ${name} (\\d+)$`, "m"))?.[1] ?? 0)
  passed += total("pass")
  const broken = total("fail") + total("cancelled")
  failed += code !== 0 && broken === 0 ? 1 : broken
}

if (patterns.length === 0) {
  for (const { title, command } of GROUPS) {
    const { code } = await run(command, LONGEST.alone)
    if (code === 0) passed++
    else failed++
    console.log(`${code === 0 ? "ok" : "not ok"} - ${title}: ${command.slice(1).join(" ")}`)
  }
}
const tap = [process.execPath, "--test", "--test-reporter=tap", `--test-timeout=${LONGEST.test}`]
const together = chosen.filter((file) => !alone(file))
if (together.length > 0) count(await run([...tap, "--test-concurrency=2", ...together], LONGEST.together))

/**
 * Files that start programs listen on fixed ports. Root gives each a network of its own, a loopback and nothing else,
 * so that two run side by side: they wait more than they compute. Others run one by one.
 */
const OWN_NETWORK = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
const hasOwnNetworks = spawnSync(OWN_NETWORK[0]!, [...OWN_NETWORK.slice(1), "true"]).status === 0

async function lane(files: string[]): Promise<void> {
  for (let file = files.shift(); file !== undefined; file = files.shift()) {
    const started = performance.now()
    const command = hasOwnNetworks ? [...OWN_NETWORK, ...tap, file] : [...tap, file]
    count(await run(command, LONGEST.alone, hasOwnNetworks))
    console.log(`# ${file} took ${Math.round((performance.now() - started) / 1_000)} s`)
  }
}

const files = chosen.filter(alone)
await Promise.all(hasOwnNetworks ? [lane(files), lane(files)] : [lane(files)])

console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
