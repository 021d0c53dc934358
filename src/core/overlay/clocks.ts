import type { NodeId } from "../identity/node-id.ts"
import { after, type Duration, type Instant, seconds } from "../kit/time.ts"
import type { Fabric } from "./fabric.ts"
import type { LinkPool } from "./link-pool.ts"
import type { Requests } from "./requests.ts"

/** How far clocks may lie apart for a node to join, where nothing else is said. */
export const CLOCK_BOUND = seconds(30)
const ROUND = seconds(10)
/** A clock is read again after so long; before, only a quicker answer tells more. */
const FRESH = seconds(60)
/** A round that begins so late tells that our own clock has moved. */
const MOVED = seconds(5)

interface Reading {
  /** Their clock less ours. */
  readonly ahead: Duration
  /** The longer the answer took, the less it says: by half of that it may be wrong. */
  readonly took: Duration
  readonly at: Instant
}

/** How far the clocks of other nodes are from ours: a Ping's answer says what time it is there. RFC 6940 §6.5.3. */
export class Clocks {
  readonly #fabric: Fabric
  readonly #links: LinkPool
  readonly #requests: Requests
  readonly #bound: Duration
  readonly #readings = new Map<NodeId, Reading>()
  #roundAt: Instant | undefined
  #refusedAt: Instant | undefined
  #obstacle: string | undefined

  constructor(fabric: Fabric, links: LinkPool, requests: Requests) {
    this.#fabric = fabric
    this.#links = links
    this.#requests = requests
    this.#bound = fabric.settings.clockBound ?? CLOCK_BOUND
  }

  /** How far each linked node's clock is ahead of ours, as far as it is known. */
  get all(): readonly { readonly node: NodeId; readonly ahead: Duration }[] {
    return [...this.#readings].map(([node, { ahead }]) => ({ node, ahead }))
  }

  /** Why this node does not join, a sentence; undefined where its clock is no reason. */
  get obstacle(): string | undefined {
    return this.#obstacle
  }

  linked(node: NodeId): void {
    this.ask(node)
    if (this.#roundAt === undefined) this.#planRound()
  }

  unlinked(node: NodeId): void {
    this.#readings.delete(node)
  }

  /** Pings that node; what counts for its link is that the frame is acknowledged. */
  ask(node: NodeId): void {
    const body = { kind: "ping-req", padding: new Uint8Array() } as const
    this.#requests.ask({
      to: { kind: "node", node },
      body,
      done: (reply) => {
        if (reply.kind !== "answered" || reply.received.body.kind !== "ping-ans") return
        this.#take(node, reply.received.body.time, reply.took)
      },
    })
  }

  isKnown(node: NodeId): boolean {
    return this.#readings.has(node)
  }

  /** As a node that wants to join: whether our clock is far from those of the ring. Half of them may be wrong. */
  keepsUsOut(): boolean {
    const { topology } = this.#fabric
    const peers = topology.peers().flatMap((node) => this.#readings.get(node)?.ahead ?? [])
    const ahead = median(peers)
    this.#obstacle = Math.abs(ahead) > this.#bound ? this.#complaint(ahead) : undefined
    if (this.#obstacle === undefined) return false
    const { now } = this.#fabric
    if (this.#refusedAt === undefined || now >= after(this.#refusedAt, FRESH)) {
      this.#refusedAt = now
      this.#fabric.log("error", "overlay.clock-refused", { cause: this.#obstacle })
    }
    return true
  }

  /** As a peer: why that node may not join, by the ring's clock and not by ours alone. */
  refusalOf(joiner: NodeId): string | undefined {
    const theirs = this.#readings.get(joiner)?.ahead
    if (theirs === undefined) return undefined
    const { topology } = this.#fabric
    const others = topology.peers().filter((node) => node !== joiner)
    const ring = median([0, ...others.flatMap((node) => this.#readings.get(node)?.ahead ?? [])])
    const apart = theirs - ring
    if (Math.abs(apart) <= this.#bound) return undefined
    return `its clock is ${inSeconds(apart)} that of the ring, and at most ${this.#bound / 1_000} s may lie between: set clocks by NTP`
  }

  #complaint(ahead: number): string {
    return `the clock of this node is ${inSeconds(-ahead)} that of the fabric's nodes, and at most ${this.#bound / 1_000} s may lie between: set the clocks by NTP; a node that is wrong and runs has to be started again`
  }

  #take(node: NodeId, theirs: number, took: Duration): void {
    const { now } = this.#fabric
    if (this.#links.to(node) === undefined) return
    const known = this.#readings.get(node)
    if (known !== undefined && took > known.took && now < after(known.at, FRESH)) return
    this.#readings.set(node, { ahead: Math.round(theirs + took / 2 - now) as Duration, took, at: now })
  }

  #planRound(): void {
    this.#roundAt = after(this.#fabric.now, ROUND)
    this.#fabric.in(ROUND, () => this.#round())
  }

  #round(): void {
    const { now } = this.#fabric
    const isAlone = this.#links.size === 0
    if (now > after(this.#roundAt!, MOVED)) this.#readings.clear()
    for (const { node } of this.#links.all()) {
      const reading = this.#readings.get(node)
      if (reading === undefined || now >= after(reading.at, FRESH)) this.ask(node)
    }
    this.#roundAt = undefined
    if (!isAlone) this.#planRound()
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

const inSeconds = (apart: number): string =>
  `${Math.round(Math.abs(apart) / 100) / 10} s ${apart > 0 ? "ahead of" : "behind"}`
