import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { DOMAIN } from "./domain.ts"
import { kamailioSettings } from "./kamailio.ts"
import { end, groupOf, has, says, startOn } from "./processes.ts"

/** A server under test. */
export interface Rival {
  readonly name: RivalName
  /** Where it takes SIP. */
  readonly address: { readonly host: string; readonly port: number }
  /** Whose processor time counts. */
  pids(): readonly number[]
  stop(): Promise<void>
}

export type RivalName =
  | "carillon"
  | "carillon, plain UDP"
  | "carillon, 3 nodes"
  | "kamailio -x fm"
  | "kamailio, default allocator"
  | "npm sip"

export interface Needs {
  readonly users: number
  /** Whether the rival is to ask for passwords, where it can do without. */
  readonly digest: boolean
}

/** Starts one, registered users and all. */
export function start(name: RivalName, needs: Needs): Promise<Rival> {
  switch (name) {
    case "carillon":
      return startCarillon(name, [], 1, needs)
    case "carillon, plain UDP":
      return startCarillon(name, ["--udp", "plain"], 1, needs)
    case "carillon, 3 nodes":
      return startCarillon(name, [], 3, needs)
    case "kamailio -x fm":
      return startKamailio(name, ["-x", "fm", "-X", "fm"], needs)
    case "kamailio, default allocator":
      return startKamailio(name, [], needs)
    case "npm sip":
      return startNpmSip(name, needs)
  }
}

const PORTS = { sip: 15_060, sips: 15_061, reload: 16_084, http: 18_080 }

/** The real command with everything on, as an operator runs it. The first node takes the load. */
async function startCarillon(
  name: RivalName,
  options: readonly string[],
  nodes: number,
  { users }: Needs,
): Promise<Rival> {
  const directory = mkdtempSync(join(tmpdir(), "carillon-bench-"))
  const carillon = resolve("bin/carillon")
  const started: ReturnType<typeof startOn>[] = []
  const stop = async () => {
    await Promise.all(started.map(end))
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    const run = (...args: readonly string[]) =>
      execFileSync(carillon, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
    const first = join(directory, "1")
    for (let number = 1; number <= nodes; number++) {
      const host = `127.0.0.${number}`
      const ports = Object.entries(PORTS).flatMap(([key, port]) => [`--${key}-port`, String(port)])
      const at = ["--http", `http://127.0.0.1:${PORTS.http}`, "--data", first]
      const origin = number === 1 ? ["--domain", DOMAIN] : ["--join", run("invite", "--node", ...at).trim()]
      const data = join(directory, String(number))
      const child = startOn("server", [
        carillon,
        "up",
        ...["--data", data, "--host", host, "--log-level", "warn", ...ports, ...origin, ...options],
      ])
      started.push(child)
      await says(child, /\bready in\b/)
    }
    const file = join(directory, "users.csv")
    const lines = Array.from({ length: users }, (_, number) => `u${number},secret-${number}\n`)
    writeFileSync(file, lines.join(""))
    run("user", "import", file, "--http", `http://127.0.0.1:${PORTS.http}`, "--data", first)
  } catch (error) {
    await stop()
    throw error
  }
  const pids = () => groupOf(started[0]!)
  return { name, address: { host: "127.0.0.1", port: PORTS.sip }, pids, stop }
}

/** One child for UDP: all is done on one core. */
async function startKamailio(
  name: RivalName,
  allocator: readonly string[],
  { digest }: Needs,
): Promise<Rival> {
  const directory = mkdtempSync(join(tmpdir(), "kamailio-bench-"))
  const file = join(directory, "kamailio.cfg")
  writeFileSync(file, kamailioSettings({ domain: DOMAIN, port: PORTS.sip, digest }))
  const memory = ["-m", "4096", "-M", "16"]
  const command = [
    "kamailio",
    "-DD",
    "-E",
    "-f",
    file,
    "-w",
    directory,
    "-Y",
    directory,
    ...memory,
    ...allocator,
  ]
  const child = startOn("server", command)
  const stop = async () => {
    await end(child)
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    // It says nothing when it is ready: the last of its processes tells that the rest is there.
    await says(child, /ready for the bench/)
  } catch (error) {
    await stop()
    throw error
  }
  return { name, address: { host: "127.0.0.1", port: PORTS.sip }, pids: () => groupOf(child), stop }
}

const SCRATCH = join(tmpdir(), "carillon-bench-npm-sip")

async function startNpmSip(name: RivalName, { digest }: Needs): Promise<Rival> {
  const server = resolve("bench/speed/npm-sip-server.cjs")
  const args = [String(PORTS.sip), DOMAIN, digest ? "digest" : "open", join(SCRATCH, "node_modules")]
  const child = startOn("server", [process.execPath, server, ...args])
  const stop = () => end(child)
  await says(child, /ready for the bench/).catch(async (error) => {
    await stop()
    throw error
  })
  return { name, address: { host: "127.0.0.1", port: PORTS.sip }, pids: () => groupOf(child), stop }
}

/** Installs what is not there. */
export function install(say: (line: string) => void): void {
  const wanted = [
    ["kamailio", "kamailio"],
    ["taskset", "util-linux"],
  ].filter(([program]) => !has(program!))
  if (wanted.length > 0) {
    const packages = wanted.map(([, debian]) => debian!)
    say(`installing ${packages.join(", ")}`)
    const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
    execFileSync("apt-get", ["update", "-qq"], { env: environment })
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], {
      env: environment,
      stdio: "ignore",
    })
  }
  if (existsSync(join(SCRATCH, "node_modules", "sip", "package.json"))) return
  say("installing the npm package sip")
  mkdirSync(SCRATCH, { recursive: true })
  writeFileSync(join(SCRATCH, "package.json"), '{"private":true}')
  execFileSync("npm", ["install", "--no-save", "sip@0.0.6"], { cwd: SCRATCH, stdio: "ignore" })
}

export function versions(): Readonly<Record<string, string>> {
  const kamailio = execFileSync("kamailio", ["-v"], { encoding: "utf8" }).match(/kamailio [\d.]+/)?.[0] ?? "?"
  return { kamailio, "npm sip": "0.0.6", node: process.version }
}
