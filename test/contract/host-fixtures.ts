import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestContext } from "node:test"
import type { Instant } from "../../src/core/kit/time.ts"
import { NEVER } from "../../src/core/kit/time.ts"
import type { CarillonNode, NodeEffect, NodeInput, NodeStatus } from "../../src/core/node/interface.ts"
import type { StorageChange } from "../../src/core/storage/change.ts"
import type { HostSettings, NodeHost, TlsMaterial } from "../../src/host/kit/interface.ts"
import { createNodeHost } from "../../src/host/node-host.ts"

type InputOf<Kind extends NodeInput["kind"]> = Extract<NodeInput, { kind: Kind }>

/** A node that keeps what it is told, and asks for what the test wants. */
export class FakeNode implements CarillonNode {
  readonly deadline: Instant = NEVER
  restored: readonly StorageChange[] = []
  /** What it asks for, as soon as it is told something. */
  react: (input: NodeInput) => readonly NodeEffect[] = () => []
  readonly #untold: NodeInput[] = []
  #changed: (() => void)[] = []
  #planned: readonly NodeEffect[] = []

  handle(input: NodeInput): readonly NodeEffect[] {
    if (input.kind === "command" && input.command.kind === "list-users") return this.#planned
    this.#untold.push(input)
    const waiting = this.#changed
    this.#changed = []
    for (const wake of waiting) wake()
    return this.react(input)
  }

  expire(): readonly NodeEffect[] {
    return []
  }

  snapshot(): readonly StorageChange[] {
    return this.restored
  }

  restore(changes: readonly StorageChange[]): void {
    this.restored = changes
  }

  readonly clocks = []

  status(): NodeStatus {
    throw new Error("nobody asks")
  }

  /** Has the host carry out these effects now. */
  ask(host: NodeHost, ...effects: readonly NodeEffect[]): void {
    this.#planned = effects
    void host.command({ kind: "list-users" })
  }

  /** The next input of that kind, each only once; waits for it. */
  async told<Kind extends NodeInput["kind"]>(kind: Kind): Promise<InputOf<Kind>> {
    for (;;) {
      const at = this.#untold.findIndex((input) => input.kind === kind)
      if (at >= 0) return this.#untold.splice(at, 1)[0] as InputOf<Kind>
      await new Promise<void>((resolve) => this.#changed.push(resolve))
    }
  }

  /** How many inputs of that kind nobody has looked at. */
  untold(kind: NodeInput["kind"]): number {
    return this.#untold.filter((input) => input.kind === kind).length
  }
}

export interface Started {
  readonly node: FakeNode
  readonly host: NodeHost
  readonly settings: HostSettings
  readonly counted: readonly string[]
}

/** A host on loopback with ports of its own, stopped when the test ends. */
export async function startHost(
  t: TestContext,
  certificates: Certificates,
  changes: Partial<HostSettings> & { readonly identity?: string } = {},
): Promise<Started> {
  const { identity, ...rest } = changes
  const node = new FakeNode()
  const counted: string[] = []
  const settings: HostSettings = {
    data: temporaryDirectory(t),
    host: "127.0.0.1",
    ports: { sip: 0, sips: 0, reload: 0 },
    fabricTls: certificates.node(identity ?? "a"),
    phoneTls: certificates.phone,
    bootstrap: [],
    enrolment: undefined,
    keyLog: undefined,
    log: () => undefined,
    count: ({ counter, labels }) => counted.push(`${counter} ${Object.values(labels).join(" ")}`),
    health: () => undefined,
    fatal: (fault) => {
      throw fault
    },
    ...rest,
  }
  const host = createNodeHost(node, settings)
  t.after(() => host.stop())
  await host.start()
  return { node, host, settings, counted }
}

export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "carillon-host-"))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Node-ID of the node whose certificate goes by that one-digit name. */
export const nodeIdOf = (digit: string): string => digit.repeat(32)

export interface Certificates {
  readonly rootPem: string
  /** Of the fabric; the name is a hexadecimal digit, and the Node-ID that digit repeated. */
  node(digit: string): TlsMaterial
  /** Names the overlay as `node` does, but another CA made it. */
  readonly foreign: TlsMaterial
  /** A server on 127.0.0.1 and in the domain phones.test, by the fabric's CA. */
  readonly phone: TlsMaterial
  close(): void
}

/** Certificates made by OpenSSL's command, so that what reads them is judged by another's work. */
export function makeCertificates(): Certificates {
  const directory = mkdtempSync(join(tmpdir(), "carillon-certificates-"))
  const made = new Map<string, TlsMaterial>()
  const path = (name: string) => join(directory, name)
  const read = (name: string) => readFileSync(path(name), "utf8")
  const request = (name: string, ...options: readonly string[]) => {
    const key = [
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-noenc",
      "-keyout",
      path(`${name}.key`),
    ]
    execFileSync("openssl", ["req", "-x509", ...key, "-out", path(`${name}.pem`), ...options], {
      stdio: "pipe",
    })
  }
  const root = (name: string) =>
    request(name, "-subj", `/CN=${name}`, "-addext", "keyUsage=critical,keyCertSign,cRLSign")
  const leaf = (name: string, by: string, alternative: string): TlsMaterial => {
    const issuer = ["-CA", path(`${by}.pem`), "-CAkey", path(`${by}.key`)]
    const names = [
      "-subj",
      "/",
      "-addext",
      `subjectAltName=${alternative}`,
      "-addext",
      "basicConstraints=CA:FALSE",
    ]
    request(name, ...issuer, ...names)
    return { certificate: read(`${name}.pem`) + read(`${by}.pem`), key: read(`${name}.key`) }
  }
  const names = (digit: string) =>
    `URI:reload://0110${nodeIdOf(digit)}@overlay.test/,email:node-${digit}@overlay.test`

  root("root")
  root("other")
  return {
    rootPem: read("root.pem"),
    node(digit) {
      const known = made.get(digit) ?? leaf(`node-${digit}`, "root", names(digit))
      made.set(digit, known)
      return known
    },
    get foreign() {
      return leaf("foreign", "other", names("f"))
    },
    phone: leaf("phone", "root", "URI:sip:phones.test,IP:127.0.0.1"),
    close: () => rmSync(directory, { recursive: true }),
  }
}
