import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { until } from "../../test/interop/support/programs.ts"

/** Set in the process that has a network of its own. */
const INSIDE = "CARILLON_PARTITION_NETWORK"
const BRIDGE = "halves"
/** Not to be found anywhere: the networks that use it end with this process. */
export const PREFIX = "10.213"

/** Namespaces cannot be made, or a tool is missing: one sentence with the remedy. */
export class NetworkError extends Error {}

export const isInside = (): boolean => process.env[INSIDE] === "1"

/** Runs this program again in a network namespace of its own, which goes when it ends; gives its exit code. */
export function runInside(): number {
  const args = ["--net", process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const { status, error } = spawnSync("unshare", args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, [INSIDE]: "1" },
  })
  if (error !== undefined)
    throw new NetworkError(`unshare cannot be run (${error.message}); install util-linux`)
  return status ?? 1
}

/**
 * Two halves, each a network namespace, and this process between them: it reaches both, whether or not
 * they reach each other.
 */
export class HalvedNetwork {
  readonly #holders: ChildProcess[] = []

  async open(): Promise<void> {
    ip("link", "set", "lo", "up")
    ip("link", "add", BRIDGE, "type", "bridge")
    ip("address", "add", `${PREFIX}.0.1/16`, "dev", BRIDGE)
    ip("link", "set", BRIDGE, "up")
    for (const half of [0, 1]) await this.#add(half)
  }

  /** What a command line has to begin with to run in that half. */
  within = (half: number): readonly string[] => ["nsenter", `--net=/proc/${this.#holders[half]!.pid}/ns/net`]

  /** An address of this process that both halves reach. */
  addOwn(host: string): void {
    ip("address", "add", `${host}/16`, "dev", BRIDGE)
  }

  addTo(half: number, host: string): void {
    run(this.within(half)[0]!, [
      ...this.within(half).slice(1),
      "ip",
      "address",
      "add",
      `${host}/16`,
      "dev",
      "eth0",
    ])
  }

  /** Isolated ports of a bridge hear the bridge, and not each other: packets are lost, and nobody is told. */
  cut(isCut: boolean): void {
    for (const half of [0, 1])
      ip("link", "set", "dev", `half${half}`, "type", "bridge_slave", "isolated", isCut ? "on" : "off")
  }

  close(): void {
    for (const holder of this.#holders) holder.stdin?.end()
  }

  async #add(half: number): Promise<void> {
    // It lives as long as its input is open, so no longer than this process.
    const holder = spawn("unshare", ["--net", "sh", "-c", "echo; exec cat"], {
      stdio: ["pipe", "pipe", "inherit"],
    })
    let isReady = false
    holder.stdout!.once("data", () => {
      isReady = true
    })
    holder.on("error", () => undefined)
    this.#holders.push(holder)
    await until("a network namespace of a half stands", () => isReady, 10_000)
    ip("link", "add", `half${half}`, "type", "veth", "peer", "name", "eth0", "netns", String(holder.pid))
    ip("link", "set", `half${half}`, "master", BRIDGE, "up")
    for (const device of ["lo", "eth0"])
      run("nsenter", [`--net=/proc/${holder.pid}/ns/net`, "ip", "link", "set", device, "up"])
  }
}

const ip = (...args: readonly string[]): void => run("ip", args)

function run(command: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" })
  if (status === 0) return
  const problem = error?.message ?? stderr.trim()
  throw new NetworkError(
    `"${[command, ...args].join(" ")}" fails (${problem}); network namespaces need root, iproute2 and util-linux`,
  )
}
