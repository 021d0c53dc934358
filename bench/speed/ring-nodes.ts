// A ring of whole nodes in one process, over real sockets: TLS links, UDP for phones, records on disk. What the process
// spends is what the ring spends. Signatures are counted as they are made.

import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Identity } from "../../src/core/identity/certificate.ts"
import { minutes } from "../../src/core/kit/time.ts"
import { createNode } from "../../src/core/node/node.ts"
import type { Listener } from "../../src/core/sip/transport.ts"
import { secureRandom } from "../../src/host/crypto/cryptography.ts"
import { systemClock } from "../../src/host/kit/clock.ts"
import type { NodeHost } from "../../src/host/kit/interface.ts"
import type { Member } from "../../src/host/membership/member.ts"
import { createOverlay, joinOverlay } from "../../src/host/membership/membership.ts"
import { createNodeHost } from "../../src/host/node-host.ts"
import { DOMAIN } from "./domain.ts"
import type { FromRing, RingCount, ToRing } from "./ring-protocol.ts"

const PORTS = { sip: 15_060, sips: 15_061, reload: 16_084 }
const hostOf = (number: number) => `127.0.1.${number}`

/** Look-ups that a node waits for at a time. */
const OUTSTANDING = 8

class Ring {
  readonly #directory = mkdtempSync(join(tmpdir(), "carillon-ring-"))
  readonly #hosts: NodeHost[] = []
  readonly #users: readonly string[]
  #isAsking = false
  #fetches = 0
  #hops = 0
  #signatures = 0
  #verifications = 0

  constructor(users: number) {
    this.#users = Array.from({ length: users }, (_, number) => `u${number}`)
  }

  async begin(nodes: number): Promise<void> {
    const first = await createOverlay({
      data: this.#dataOf(1),
      domain: DOMAIN,
      advertised: { host: hostOf(1), port: PORTS.reload },
      wantedHolders: 1,
    })
    await this.#start(first, 1)
    const invite = await first.invite({ uses: nodes, expires: minutes(60) })
    for (let number = 2; number <= nodes; number++) {
      const advertised = { host: hostOf(number), port: PORTS.reload }
      await this.#start(await joinOverlay({ data: this.#dataOf(number), invite, advertised }), number)
    }
    await until(() => this.#hosts.every(({ node }) => node.status(systemClock()).nodes.length === nodes))
    const users = this.#users.map((name) => ({ name, password: `secret-${name.slice(1)}` }))
    const answer = await this.#hosts[0]!.command({ kind: "put-users", users, mode: "import" })
    if (answer.kind !== "users-put") throw new Error(`the users are not known: ${JSON.stringify(answer)}`)
    await until(() => this.#hosts.every((host) => isAtRest(host)))
  }

  /** All nodes look users up, each a few at a time, from now on. */
  ask(): void {
    this.#isAsking = true
    for (const [index, host] of this.#hosts.entries())
      for (let slot = 0; slot < OUTSTANDING; slot++) void this.#lookUp(host, index * OUTSTANDING + slot)
  }

  get count(): RingCount {
    return {
      kind: "count",
      fetches: this.#fetches,
      hops: this.#hops,
      signatures: this.#signatures,
      verifications: this.#verifications,
    }
  }

  async stop(): Promise<void> {
    this.#isAsking = false
    await Promise.all(this.#hosts.map((host) => host.stop()))
    rmSync(this.#directory, { recursive: true, force: true })
  }

  readonly #dataOf = (number: number) => join(this.#directory, String(number))

  async #lookUp(host: NodeHost, start: number): Promise<void> {
    for (let turn = start; this.#isAsking; turn += 7) {
      const aor = `${this.#users[turn % this.#users.length]}@${DOMAIN}`
      const answer = await host.command({ kind: "lookup", aor })
      if (!this.#isAsking) return
      if (answer.kind !== "found" || !answer.user) throw new Error(`${aor}: ${JSON.stringify(answer)}`)
      this.#fetches++
      this.#hops += answer.steps.reduce((sum, { hops }) => sum + hops, 0)
    }
  }

  async #start(member: Member, number: number): Promise<void> {
    const host = hostOf(number)
    const at = (transport: Listener["transport"], port: number): Listener => ({
      transport,
      advertised: { host, port },
    })
    const { identity, cryptography, configuration, document, fabricKeys, fabricTls, enrolment } = member
    const node = createNode({
      identity: this.#counting(identity),
      cryptography: {
        ...cryptography,
        verify: (...asked) => {
          this.#verifications++
          return cryptography.verify(...asked)
        },
      },
      random: secureRandom(),
      configuration,
      document,
      advertised: { host, port: PORTS.reload },
      listeners: [at("UDP", PORTS.sip), at("TCP", PORTS.sip), at("TLS", PORTS.sips)],
      aliases: [host],
      trusted: [],
      fabricKeys,
      digestAlgorithms: ["MD5"],
      version: "bench",
    })
    let healthy = false
    const running = createNodeHost(node, {
      data: this.#dataOf(number),
      host,
      ports: PORTS,
      fabricTls,
      phoneTls: await member.phoneTls({ domain: DOMAIN, addresses: [host] }),
      bootstrap: number === 1 ? [] : [{ host: hostOf(1), port: PORTS.reload }],
      enrolment,
      keyLog: undefined,
      log: ({ level, event, fields }) => {
        if (level === "error") console.error(event, JSON.stringify(fields))
      },
      count: () => undefined,
      health: ({ state }) => {
        healthy = state === "healthy"
      },
    })
    member.attach({
      nodes: () => running.node.status(systemClock()).nodes,
      command: (command) => running.command(command),
      snapshot: () => running.node.snapshot(),
      reconfigure: (newer) => running.reconfigure(newer),
    })
    await running.start()
    this.#hosts.push(running)
    await until(() => healthy)
  }

  #counting(identity: Identity): Identity {
    return {
      ...identity,
      sign: (bytes) => {
        this.#signatures++
        return identity.sign(bytes)
      },
    }
  }
}

/** Every record is at its three holders and nowhere else, so that nothing is moved while others are counted. */
function isAtRest({ node }: NodeHost): boolean {
  const { held, due, short, repairing } = node.status(systemClock()).records
  return held === due && short === 0 && repairing === 0
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 120_000
  while (!isSo()) {
    if (performance.now() > deadline)
      throw new Error("the ring did not come together, and to rest, in two minutes")
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

let ring: Ring | undefined

const answer = (message: FromRing) => process.send!(message)

process.on("message", (message: ToRing) => {
  switch (message.kind) {
    case "begin":
      ring = new Ring(message.users)
      void ring.begin(message.nodes).then(() => answer({ kind: "begun" }))
      break
    case "ask":
      ring!.ask()
      answer({ kind: "begun" })
      break
    case "count":
      answer(ring!.count)
      break
    case "end":
      void ring!.stop().then(() => process.exit(0))
  }
})
