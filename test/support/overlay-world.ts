import type { Identity, Role } from "../../src/core/identity/certificate.ts"
import type { FakeAuthority } from "../../src/core/identity/fake-cryptography.ts"
import { type NodeId, parseNodeId } from "../../src/core/identity/node-id.ts"
import type { Address } from "../../src/core/kit/address.ts"
import { SeededRandom } from "../../src/core/kit/random.ts"
import { after, type Duration, milliseconds } from "../../src/core/kit/time.ts"
import type {
  LinkId,
  Overlay,
  OverlayEffect,
  OverlayInput,
  Ticket,
  ValueToStore,
} from "../../src/core/overlay/interface.ts"
import type { ResourceId } from "../../src/core/reload/header.ts"
import type { StorageChange } from "../../src/core/storage/change.ts"
import { SUBSCRIBER } from "../../src/core/storage/kinds.ts"
import { PeerHost } from "../../src/sim/peers/peer-host.ts"
import { PEER_DOMAIN, PeerWorld } from "../../src/sim/peers/peer-world.ts"
import { openSslHashes } from "./hashes.ts"

// Peers of the invented world as a test of the overlay wants them: what goes in and comes out of each is at hand.

export const OVERLAY = PEER_DOMAIN
const LATENCY = milliseconds(2)
const DISK = milliseconds(5)
/** Links that are no streams have numbers that no stream comes to. */
const FIRST_RAW = 1_000_000_000

export interface WorldOptions {
  readonly seed?: number
  readonly fullMeshLimit?: number
}

export class World extends PeerWorld {
  readonly random: SeededRandom
  readonly nodes: WorldNode[] = []

  constructor({ seed = 1, fullMeshLimit = 256 }: WorldOptions = {}) {
    const delay = { least: LATENCY, most: LATENCY }
    super(seed, { peers: 0, fullMeshLimit, delay, diskDelay: DISK, isHashed: false }, openSslHashes)
    this.random = new SeededRandom(seed)
  }

  /** Without `nodeId`, a random one. */
  add(options: { nodeId?: string; roles?: readonly Role[]; authority?: FakeAuthority } = {}): WorldNode {
    const { nodeId, roles = ["provisioner", "registrar"], authority } = options
    const id = nodeId === undefined ? undefined : parseNodeId(nodeId)
    const node = new WorldNode(this, this.settle({ nodeId: id, roles, authority }) as RecordedPeer)
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

  override run(span: number): void {
    super.run(span as Duration)
  }

  until(condition: () => boolean, what: string, longest = 30_000): void {
    const end = after(this.now, longest as Duration)
    while (!condition()) {
      if (this.now >= end) throw new Error(`not ${what} after ${longest} ms`)
      this.run(10)
    }
  }

  protected override makeHost(...settings: ConstructorParameters<typeof PeerHost>): PeerHost {
    return new RecordedPeer(...settings)
  }
}

/** Keeps what its machine wants and answers. */
class RecordedPeer extends PeerHost {
  effects: OverlayEffect[] = []
  readonly answers = new Map<Ticket, OverlayEffect>()
  /** What was sent on links that lead nowhere. */
  readonly raw = new Map<LinkId, Uint8Array[]>()

  protected override perform(effect: OverlayEffect): void {
    switch (effect.kind) {
      case "link-send":
        this.raw.get(effect.link)?.push(effect.bytes)
        break
      case "fetched":
      case "stored":
      case "stat-answered":
      case "pinged":
      case "app-attached":
        this.answers.set(effect.ticket, effect)
        break
      case "open-link":
      case "persist":
        break
      default:
        this.effects.push(effect)
    }
    super.perform(effect)
  }
}

/** A machine with its host: what it is told to do happens in the world. */
export class WorldNode {
  readonly world: World
  readonly #peer: RecordedPeer
  #tickets = 0

  constructor(world: World, peer: RecordedPeer) {
    this.world = world
    this.#peer = peer
  }

  get id(): NodeId {
    return this.#peer.nodeId
  }

  get address(): Address {
    return this.#peer.address
  }

  get identity(): Identity {
    return this.#peer.identity
  }

  get overlay(): Overlay {
    return this.#peer.overlay
  }

  get isAlive(): boolean {
    return this.#peer.alive
  }

  get answers(): ReadonlyMap<Ticket, OverlayEffect> {
    return this.#peer.answers
  }

  get effects(): readonly OverlayEffect[] {
    return this.#peer.effects
  }

  set effects(effects: OverlayEffect[]) {
    this.#peer.effects = effects
  }

  /** Whether its disk can be written. */
  set isDiskFull(isFull: boolean) {
    this.#peer.disk.isFull = isFull
  }

  /** `restored`: what is on its disk instead of what it wrote there. */
  start(bootstrap: readonly Address[], restored?: readonly StorageChange[]): void {
    if (restored !== undefined) {
      this.#peer.disk.erase()
      this.#peer.disk.apply(restored)
    }
    this.#peer.effects = []
    this.#peer.startFrom(bootstrap)
  }

  /** The process dies. Others see resets, or, where the host dies with it, nothing. */
  crash(how: "reset" | "silent" = "reset"): void {
    this.#peer.crash(how)
  }

  /** Leaves in order, and stops. */
  leave(): void {
    this.give({ kind: "leave" })
    this.world.until(() => this.#peer.hasLeft, "left")
    this.world.run(50)
    this.crash()
  }

  /** It is slow: whatever comes in meanwhile waits. */
  pause(span: number): void {
    this.#peer.freeze()
    this.world.plan(span as Duration, () => this.#peer.thaw())
  }

  give(input: OverlayInput): void {
    this.#peer.tell(input)
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
    return this.#peer.resource(name)
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
    const changes = this.#peer.disk.contents()
    return new Set(changes.flatMap((change) => (change.kind === "put" ? [change.resource] : [])))
  }

  /** What was sent on a link that was opened by `openRaw`. */
  sent(link: LinkId): readonly Uint8Array[] {
    return this.#peer.raw.get(link) ?? []
  }

  /** What a stranger sends: for links that are not made by the overlay. */
  openRaw(certificate: Uint8Array): LinkId {
    const link = FIRST_RAW + this.#peer.raw.size
    this.#peer.raw.set(link, [])
    const remote = { host: "10.9.9.9", port: 1 }
    this.give({ kind: "link-opened", link, attempt: undefined, certificate, remote })
    return link
  }
}

const subscriber = (text: string): ValueToStore => ({
  kind: SUBSCRIBER.id,
  value: { model: "single", exists: true, value: new TextEncoder().encode(text) },
  lifetime: 86_400,
})

function textOf({ result }: Extract<OverlayEffect, { kind: "fetched" }>): string {
  if (result.kind === "failed") return `${result.error}: ${result.cause}`
  const [value] = result.values.get(SUBSCRIBER.id) ?? []
  return value === undefined ? "absent" : new TextDecoder().decode(value.data.value.value)
}
