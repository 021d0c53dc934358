import type { Identity, Role } from "../../src/core/identity/certificate.ts"
import {
  type FakeAuthority,
  FakeCryptography,
  fakeAuthority,
} from "../../src/core/identity/fake-cryptography.ts"
import { type NodeId, parseNodeId } from "../../src/core/identity/node-id.ts"
import { type Address, formatAddress } from "../../src/core/kit/address.ts"
import { SeededRandom } from "../../src/core/kit/random.ts"
import { type Instant, NEVER } from "../../src/core/kit/time.ts"
import type {
  LinkId,
  Overlay,
  OverlayEffect,
  OverlayInput,
  Ticket,
  ValueToStore,
} from "../../src/core/overlay/interface.ts"
import { createOverlay } from "../../src/core/overlay/overlay.ts"
import type { Configuration } from "../../src/core/reload/configuration.ts"
import type { ResourceId } from "../../src/core/reload/header.ts"
import type { StorageChange } from "../../src/core/storage/change.ts"
import { DEFAULT_KINDS, SUBSCRIBER } from "../../src/core/storage/kinds.ts"
import { Agenda } from "../../src/sim/agenda.ts"
import { configurationOf } from "../../src/sim/configuration.ts"
import { openSslHashes } from "./hashes.ts"

// Several overlay machines on one invented clock, with links that take a while and disks that do too.

export const OVERLAY = "test.example"
const LATENCY = 2
const DISK = 5

interface Wire {
  readonly ends: readonly [
    { node: WorldNode; life: number; id: LinkId },
    { node: WorldNode; life: number; id: LinkId },
  ]
  isOpen: boolean
}

export interface WorldOptions {
  readonly seed?: number
  readonly fullMeshLimit?: number
}

export class World {
  readonly cryptography = new FakeCryptography(openSslHashes)
  readonly authority: FakeAuthority = fakeAuthority(this.cryptography, { overlay: OVERLAY, seed: 1 })
  readonly random: SeededRandom
  readonly agenda = new Agenda()
  readonly nodes: WorldNode[] = []
  readonly fullMeshLimit: number
  /** What nodes that start are told. */
  configuration: Configuration = configurationOf(this.authority)
  /** The signed document of it. */
  document: string | undefined
  now = 1_700_000_000_000 as Instant
  #links = 0
  /** Pairs of hosts that cannot reach each other. */
  isCut: (a: string, b: string) => boolean = () => false

  constructor({ seed = 1, fullMeshLimit = 256 }: WorldOptions = {}) {
    this.random = new SeededRandom(seed)
    this.fullMeshLimit = fullMeshLimit
  }

  /** Without `nodeId`, a random one. */
  add(options: { nodeId?: string; roles?: readonly Role[]; authority?: FakeAuthority } = {}): WorldNode {
    const nodeId = parseNodeId(options.nodeId ?? this.#randomId())
    const number = this.nodes.length + 1
    const node = new WorldNode(this, nodeId, `10.0.${number >> 8}.${number & 255}`, options)
    this.nodes.push(node)
    return node
  }

  /** `count` nodes that have joined one after the other, through the first. */
  ring(count: number): readonly WorldNode[] {
    const nodes = Array.from({ length: count }, () => this.add())
    for (const node of nodes) {
      node.start(node === nodes[0] ? [] : [nodes[0]!.address])
      this.until(() => node.overlay.status.state === "joined", "joined")
    }
    this.run(2_000)
    return nodes
  }

  run(milliseconds: number): void {
    const end = (this.now + milliseconds) as Instant
    while (this.agenda.next <= end) {
      this.now = Math.max(this.now, this.agenda.next) as Instant
      this.agenda.runNext()
    }
    this.now = end
  }

  until(condition: () => boolean, what: string, longest = 30_000): void {
    const end = this.now + longest
    while (!condition()) {
      if (this.now >= end) throw new Error(`not ${what} after ${longest} ms`)
      this.run(10)
    }
  }

  in(milliseconds: number, run: () => void): void {
    this.agenda.plan((this.now + milliseconds) as Instant, run)
  }

  at(address: Address): WorldNode | undefined {
    return this.nodes.find((node) => formatAddress(node.address) === formatAddress(address) && node.isAlive)
  }

  newLinkId(): LinkId {
    return this.#links++
  }

  #randomId(): string {
    return Array.from({ length: 32 }, () => Math.floor(16 * this.random.next()).toString(16)).join("")
  }
}

/** A machine with its host: what it is told to do happens in the world. */
export class WorldNode {
  readonly world: World
  readonly id: NodeId
  readonly address: Address
  readonly identity: Identity
  overlay!: Overlay
  isAlive = false
  /** Whether its disk can be written. */
  isDiskFull = false
  effects: OverlayEffect[] = []
  readonly answers = new Map<Ticket, OverlayEffect>()
  readonly #disk = new Map<string, StorageChange>()
  readonly #wires = new Map<LinkId, Wire>()
  readonly #raw = new Map<LinkId, Uint8Array[]>()
  readonly #host: string
  #held: OverlayInput[] | undefined
  #life = 0
  #planned = NEVER
  #tickets = 0

  constructor(
    world: World,
    id: NodeId,
    host: string,
    {
      roles = ["provisioner", "registrar"],
      authority = world.authority,
    }: { roles?: readonly Role[]; authority?: FakeAuthority },
  ) {
    this.world = world
    this.id = id
    this.#host = host
    this.address = { host, port: 6084 }
    this.identity = authority.issue({ nodeId: id, roles })
  }

  /** `restored`: what is on its disk instead of what it wrote there. */
  start(bootstrap: readonly Address[], restored?: readonly StorageChange[]): void {
    this.#life++
    this.isAlive = true
    this.#planned = NEVER
    this.effects = []
    this.overlay = createOverlay({
      identity: this.identity,
      cryptography: this.world.cryptography,
      random: new SeededRandom(Math.floor(2 ** 32 * this.world.random.next())),
      configuration: this.world.configuration,
      ...(this.world.document === undefined ? {} : { document: this.world.document }),
      kinds: DEFAULT_KINDS,
      advertised: this.address,
      applications: new Map([[5061, this.address]]),
      fullMeshLimit: this.world.fullMeshLimit,
    })
    this.overlay.restore(restored ?? [...this.#disk.values()])
    this.give({ kind: "start", bootstrap })
  }

  /** The process dies. Others see resets, or, where the host dies with it, nothing. */
  crash(how: "reset" | "silent" = "reset"): void {
    this.isAlive = false
    this.#life++
    for (const wire of this.#wires.values()) if (how === "reset") this.#closeWire(wire, "reset by peer")
    this.#wires.clear()
  }

  /** Leaves in order, and stops. */
  leave(): void {
    this.give({ kind: "leave" })
    this.world.until(() => this.effects.some(({ kind }) => kind === "left"), "left")
    this.world.run(50)
    this.crash()
  }

  /** It is slow: whatever comes in meanwhile waits. */
  pause(milliseconds: number): void {
    const held: OverlayInput[] = []
    this.#held = held
    this.world.in(milliseconds, () => {
      this.#held = undefined
      for (const input of held) this.give(input)
    })
  }

  give(input: OverlayInput): void {
    if (!this.isAlive) return
    if (this.#held) {
      this.#held.push(input)
      return
    }
    this.#perform(this.overlay.handle(input, this.world.now))
  }

  ask(input: { kind: "fetch" | "store" | "stat" | "ping" | "app-attach" } & Record<string, unknown>): Ticket {
    const ticket = this.#tickets++
    this.give({ ...input, ticket } as unknown as OverlayInput)
    return ticket
  }

  answer<Kind extends OverlayEffect["kind"]>(
    ticket: Ticket,
    kind: Kind,
  ): Extract<OverlayEffect, { kind: Kind }> {
    this.world.until(() => this.answers.has(ticket), "answered")
    const effect = this.answers.get(ticket)!
    if (effect.kind !== kind) throw new Error(`answered by ${effect.kind}`)
    return effect as Extract<OverlayEffect, { kind: Kind }>
  }

  resource(name: string): ResourceId {
    return this.overlay.resourceId(name)
  }

  startStore(name: string, text: string): Ticket {
    return this.ask({ kind: "store", resource: this.resource(name), values: [subscriber(text)] })
  }

  store(name: string, text: string) {
    return this.answer(this.startStore(name, text), "stored").result
  }

  startFetch(name: string): Ticket {
    return this.ask({ kind: "fetch", resource: this.resource(name), wanted: [{ kind: SUBSCRIBER.id }] })
  }

  /** The text that is stored there, "absent", or the error. */
  fetch(name: string): string {
    return textOf(this.answer(this.startFetch(name), "fetched"))
  }

  /** How often something was counted. */
  counted(counter: string, labels: Readonly<Record<string, string>>): number {
    return this.effects
      .filter((effect) => effect.kind === "count" && effect.counter === counter)
      .filter(
        (effect) =>
          effect.kind === "count" &&
          Object.entries(labels).every(([key, value]) => effect.labels[key] === value),
      ).length
  }

  /** Records on disk. */
  get records(): ReadonlySet<string> {
    return new Set(
      [...this.#disk.values()].flatMap((change) => (change.kind === "put" ? [change.resource] : [])),
    )
  }

  /** What was sent on a link that was opened by `openRaw`. */
  sent(link: LinkId): readonly Uint8Array[] {
    return this.#raw.get(link) ?? []
  }

  /** What a stranger sends: for links that are not made by the overlay. */
  openRaw(certificate: Uint8Array): LinkId {
    const link = this.world.newLinkId()
    this.#raw.set(link, [])
    this.give({
      kind: "link-opened",
      link,
      attempt: undefined,
      certificate,
      remote: { host: "10.9.9.9", port: 1 },
    })
    return link
  }

  #perform(effects: readonly OverlayEffect[]): void {
    for (const effect of effects) this.#do(effect)
    const { deadline } = this.overlay
    if (deadline >= this.#planned || !this.isAlive) return
    this.#planned = deadline
    const life = this.#life
    this.world.agenda.plan(Math.max(deadline, this.world.now) as Instant, () => {
      if (life !== this.#life) return
      this.#planned = NEVER
      this.#perform(this.overlay.expire(this.world.now))
    })
  }

  #do(effect: OverlayEffect): void {
    switch (effect.kind) {
      case "open-link":
        return this.#open(effect.attempt, effect.address)
      case "link-send":
        return this.#send(effect.link, effect.bytes)
      case "close-link": {
        this.effects.push(effect)
        const wire = this.#wires.get(effect.link)
        if (wire) this.#closeWire(wire, effect.reason)
        return
      }
      case "persist":
        return this.#persist(effect.ticket, effect.changes)
      case "fetched":
      case "stored":
      case "stat-answered":
      case "pinged":
      case "app-attached":
        this.answers.set(effect.ticket, effect)
        return
      default:
        this.effects.push(effect)
    }
  }

  #open(attempt: number, address: Address): void {
    const life = this.#life
    this.world.in(2 * LATENCY, () => {
      if (life !== this.#life) return
      const other = this.world.at(address)
      if (!other || this.world.isCut(this.#host, other.address.host))
        return this.give({ kind: "link-failed", attempt, reason: "connection refused" })
      const here = { node: this, life: this.#life, id: this.world.newLinkId() }
      const there = { node: other, life: other.#life, id: this.world.newLinkId() }
      const wire: Wire = { ends: [here, there], isOpen: true }
      this.#wires.set(here.id, wire)
      other.#wires.set(there.id, wire)
      const certificateOf = (node: WorldNode) => node.identity.certificate.der
      other.give({
        kind: "link-opened",
        link: there.id,
        attempt: undefined,
        certificate: certificateOf(this),
        remote: this.address,
      })
      this.give({
        kind: "link-opened",
        link: here.id,
        attempt,
        certificate: certificateOf(other),
        remote: address,
      })
    })
  }

  #send(link: LinkId, bytes: Uint8Array): void {
    this.#raw.get(link)?.push(bytes)
    const wire = this.#wires.get(link)
    if (!wire?.isOpen) return
    const there = wire.ends.find(({ id }) => id !== link)!
    this.world.in(LATENCY, () => {
      if (!wire.isOpen || there.life !== there.node.#life) return
      if (this.world.isCut(this.#host, there.node.#host)) return
      there.node.give({ kind: "link-received", link: there.id, bytes })
    })
  }

  #closeWire(wire: Wire, reason: string): void {
    if (!wire.isOpen) return
    // What was sent before arrives before.
    for (const end of wire.ends) {
      end.node.#wires.delete(end.id)
      this.world.in(LATENCY, () => {
        if (end.life === end.node.#life) end.node.give({ kind: "link-closed", link: end.id, reason })
        wire.isOpen = false
      })
    }
  }

  #persist(ticket: Ticket, changes: readonly StorageChange[]): void {
    const life = this.#life
    this.world.in(DISK, () => {
      if (life !== this.#life) return
      if (this.isDiskFull)
        return this.give({ kind: "persist-failed", ticket, reason: "no space left on device" })
      for (const change of changes) this.#write(change)
      this.give({ kind: "persisted", ticket })
    })
  }

  #write(change: StorageChange): void {
    switch (change.kind) {
      case "put":
        this.#disk.set(`${change.resource} ${change.kindId} ${change.slot}`, change)
        return
      case "delete":
        this.#disk.delete(`${change.resource} ${change.kindId} ${change.slot}`)
        return
      case "certificate":
        this.#disk.set(change.fingerprint, change)
        return
      case "forget-certificate":
        this.#disk.delete(change.fingerprint)
        return
    }
  }
}

export const subscriber = (text: string): ValueToStore => ({
  kind: SUBSCRIBER.id,
  value: { model: "single", exists: true, value: new TextEncoder().encode(text) },
  lifetime: 86_400,
})

export function textOf({ result }: Extract<OverlayEffect, { kind: "fetched" }>): string {
  if (result.kind === "failed") return `${result.error}: ${result.cause}`
  const [value] = result.values.get(SUBSCRIBER.id) ?? []
  return value === undefined ? "absent" : new TextDecoder().decode(value.data.value.value)
}
