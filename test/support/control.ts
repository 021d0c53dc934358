import { createHandlers } from "../../src/apps/daemon/handlers.ts"
import { createHttp, listenHttp } from "../../src/apps/daemon/http.ts"
import { Metrics } from "../../src/apps/daemon/metrics.ts"
import { InvariantError } from "../../src/core/kit/errors.ts"
import type { LogEffect } from "../../src/core/kit/log.ts"
import type { Health, NodeAnswer, NodeCommand, NodeStatus } from "../../src/core/node/interface.ts"

export const TOKEN = "the-admin-token"
export const DOMAIN = "example.org"
const SELF = "7f3a".padEnd(32, "0")
const OTHER = "c0de".padEnd(32, "0")

type Found = Extract<NodeAnswer, { kind: "found" }>

/** Alice, registered at two contacts; one of them over an edge that is dead. */
export const ALICE_FOUND: Found = {
  kind: "found",
  aor: "alice@example.org",
  user: true,
  bindings: [
    {
      contact: "sip:alice@192.0.2.7:5060",
      edge: SELF,
      transport: "UDP",
      source: "192.0.2.7:5060",
      expires: Date.now() + 600_000,
      q: 1_000,
      reachedBy: "contact",
      edgeAlive: true,
    },
    {
      contact: "sip:alice@10.0.0.9;transport=tls",
      edge: OTHER,
      transport: "TLS",
      source: "198.51.100.4:40112",
      expires: Date.now() + 60_000,
      q: 500,
      reachedBy: "flow",
      edgeAlive: false,
    },
  ],
  resource: "0123456789abcdef0123456789abcdef",
  responsible: OTHER,
  copies: [SELF],
  steps: [{ what: "fetch", responder: OTHER, hops: 1, milliseconds: 1.25 }],
}

/** A node without a fabric, behind the real control API on a port of its own. */
export class FakeNode {
  health: Health = { state: "healthy" }
  readonly users = new Map<string, string>()
  readonly commands: NodeCommand[] = []
  readonly logged: LogEffect[] = []
  readonly invited: unknown[] = []
  /** What is answered instead, where it is set. */
  answer: ((command: NodeCommand) => NodeAnswer | Promise<NodeAnswer> | undefined) | undefined
  readonly metrics = new Metrics((claim) => {
    throw new InvariantError(claim)
  })
  readonly #server = createHttp({
    count: () => undefined,
    version: "0.1.0",
    token: TOKEN,
    health: () => this.health,
    metrics: () => this.metrics.text({ status: this.status(), host: { reload_links: 3 }, udp: undefined }),
    log: (event) => void this.logged.push(event),
    handlers: createHandlers({
      domain: DOMAIN,
      status: () => this.status(),
      command: async (command) => this.#command(command),
      backup: async () => ({ overlay: "bells", backup: "", values: 0, nodes: 1, missing: [] }),
      revoke: async (node: string) => ({ node, heldAuthority: false }),
      invite: async (asked) => {
        this.invited.push(asked)
        return { invite: "carillon1:abc", expires: new Date(0) }
      },
    }),
  })
  url = ""

  async start(): Promise<this> {
    this.url = `http://127.0.0.1:${await listenHttp(this.#server, { host: "127.0.0.1", port: 0 })}`
    return this
  }

  stop(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  status(): NodeStatus {
    return {
      version: "0.1.0",
      node: SELF,
      domain: DOMAIN,
      overlay: "bells",
      health: this.health,
      uptimeSeconds: 93_784,
      advertised: "127.0.0.1:6084",
      roles: ["registrar", "proxy"],
      nodes: [
        { node: SELF, address: "127.0.0.1:6084", roles: ["registrar", "proxy"], self: true },
        { node: OTHER, address: "127.0.0.2:6084", roles: ["registrar"], self: false },
      ],
      roleCounts: { registrar: 2, proxy: 1 },
      mayDie: 1,
      clocks: [],
      records: { held: 40, due: 21, extra: 0, short: 0, repairing: 3 },
      sip: { pendingInvites: 2, pendingTransactions: 5, answeredCalls: 17, registrations: 1 },
      certificateDaysLeft: 89,
      configurationDaysLeft: 3_649,
      authorityDaysLeft: 3_649,
    }
  }

  async #command(command: NodeCommand): Promise<NodeAnswer> {
    this.commands.push(command)
    return (await this.answer?.(command)) ?? this.#usual(command)
  }

  #usual(command: NodeCommand): NodeAnswer {
    switch (command.kind) {
      case "put-users": {
        const taken = command.users.find(({ name }) => command.mode === "add" && this.users.has(name))
        if (taken !== undefined)
          return { kind: "refused", code: "user-exists", cause: `user ${taken.name} exists` }
        for (const { name, password } of command.users) this.users.set(name, password)
        return { kind: "users-put", count: command.users.length }
      }
      case "remove-user":
        return this.users.delete(command.name)
          ? { kind: "user-removed", name: command.name }
          : { kind: "refused", code: "no-such-user", cause: `there is no user ${command.name}` }
      case "list-users":
        return { kind: "users", names: [...this.users.keys()].sort() }
      case "lookup":
        return command.aor === ALICE_FOUND.aor
          ? ALICE_FOUND
          : { ...ALICE_FOUND, aor: command.aor, user: false, bindings: [] }
      case "count-use":
        return { kind: "use-counted", node: command.use.node }
      case "drain":
        return { kind: "drained" }
    }
  }
}
