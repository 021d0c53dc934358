import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { Program, removeDirectory, runToEnd, temporaryDirectory } from "./programs.ts"

/** Not the standard ports, so that tests run beside a node somebody has up. */
export const PORTS = { sip: 15_060, sips: 15_061, reload: 16_084, http: 18_080 } as const

/** A node as its operator runs it: the real command, on an address of its own. */
export class FarmNode {
  readonly host: string
  readonly data: string
  readonly http: string
  program: Program | undefined
  /** The checkout whose `bin/carillon` it runs, and commands to it. */
  build = resolve(".")
  /** What its command line begins with, where it is to run in a network of its own. */
  within: readonly string[] = []
  /** How long it may take to be ready. */
  patience = 60_000
  readonly #extra: readonly string[]
  readonly #environment: NodeJS.ProcessEnv

  constructor(host: string, data: string, extra: readonly string[], environment: NodeJS.ProcessEnv) {
    this.host = host
    this.data = data
    this.http = `http://${host}:${PORTS.http}`
    this.#extra = extra
    this.#environment = environment
  }

  get #carillon(): string {
    return join(this.build, "bin/carillon")
  }

  /** Starts it and waits until it says it is ready. */
  async up(...options: readonly string[]): Promise<void> {
    const args = ["up", "--data", this.data, "--host", this.host, "--log-level", "info"]
    const ports = Object.entries(PORTS).flatMap(([name, port]) => [`--${name}-port`, String(port)])
    const [command, ...rest] = [...this.within, this.#carillon, ...args, ...ports, ...this.#extra, ...options]
    this.program = new Program(`node ${this.host}`, command!, rest, this.#environment)
    await this.program.says(/^.*\bready\b.*$/m, this.patience)
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    const code = await this.program?.stop(signal)
    this.program = undefined
    return code ?? 0
  }

  /** A command to this node, such as `carillon status --json`. */
  run(...args: readonly string[]) {
    return runToEnd(this.#carillon, [...args, "--http", this.http, "--data", this.data])
  }

  /** A command that has to succeed; gives what it printed. */
  must(...args: readonly string[]): string {
    const { code, stdout, stderr } = this.run(...args)
    if (code !== 0)
      throw new Error(`carillon ${args.join(" ")} on ${this.host} ended with ${code}: ${stderr}${stdout}`)
    return stdout
  }

  /** The same without holding up what else this process does. */
  async ask(...args: readonly string[]): Promise<string> {
    const program = new Program(args.join(" "), this.#carillon, [
      ...args,
      "--http",
      this.http,
      "--data",
      this.data,
    ])
    const code = await program.exited
    if (code !== 0)
      throw new Error(`carillon ${args.join(" ")} on ${this.host} ended with ${code}: ${program.output}`)
    return program.output
  }

  token(): string {
    return readFileSync(join(this.data, "admin-token"), "utf8").trim()
  }

  /** One line that admits a node, as `carillon invite --node` prints it, without starting a program for it. */
  async invite(): Promise<string> {
    const headers = { authorization: `Bearer ${this.token()}`, "content-type": "application/json" }
    const response = await fetch(`${this.http}/api/invites`, { method: "POST", headers, body: "{}" })
    const answer = (await response.json()) as { readonly invite?: string }
    if (answer.invite === undefined)
      throw new Error(`${this.host} makes no invite: ${JSON.stringify(answer)}`)
    return answer.invite
  }

  json(...args: readonly string[]): any {
    return JSON.parse(this.must(...args, "--json"))
  }

  /** All samples of a counter of `/metrics`, by their labels as text. */
  async counters(name: string): Promise<Map<string, number>> {
    const text = await (await fetch(`${this.http}/metrics`)).text()
    const samples = text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, "gm"))
    return new Map([...samples].map(([, labels, value]) => [labels ?? "", Number(value)]))
  }
}

/** Several nodes on 127.0.0.1, .2, .3 …, or another prefix, one fabric. */
export class Farm {
  readonly nodes: FarmNode[] = []
  readonly directory = temporaryDirectory()
  readonly domain: string
  /** How long nodes that are added from now on may take to be ready. */
  patience = 60_000
  readonly #extra: readonly string[]
  readonly #environment: NodeJS.ProcessEnv
  readonly #prefix: string

  constructor(
    domain = "farm.test",
    {
      extra = [],
      environment = {},
      prefix = "127.0.0",
    }: { extra?: readonly string[]; environment?: NodeJS.ProcessEnv; prefix?: string } = {},
  ) {
    this.domain = domain
    this.#extra = extra
    this.#environment = environment
    this.#prefix = prefix
  }

  /** The first node makes the fabric, every further one joins by an invite of `inviter`. `build`: another than this one. */
  async add(inviter = this.nodes[0], build?: string): Promise<FarmNode> {
    const number = this.nodes.length + 1
    const node = new FarmNode(
      `${this.#prefix}.${number}`,
      join(this.directory, `node-${number}`),
      this.#extra,
      this.#environment,
    )
    if (build !== undefined) node.build = build
    node.patience = this.patience
    this.nodes.push(node)
    if (inviter === undefined) await node.up("--domain", this.domain)
    else await node.up("--join", await inviter.invite())
    return node
  }

  async grow(count: number): Promise<readonly FarmNode[]> {
    while (this.nodes.length < count) await this.add()
    return this.nodes
  }

  /** Ends all nodes and removes their data. */
  async end(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop("SIGKILL")))
    await removeDirectory(this.directory)
  }
}
