import type { NodeId } from "../identity/node-id.ts"
import type { Address } from "../kit/address.ts"
import { after, type Instant, milliseconds, seconds } from "../kit/time.ts"
import type { ChordUpdate } from "../reload/overlay-methods.ts"
import { toNumber, toPoint } from "../topology/chord/circle.ts"
import type { Attaching } from "./attaching.ts"
import type { Clocks } from "./clocks.ts"
import type { Contacts } from "./contacts.ts"
import type { Fabric } from "./fabric.ts"
import type { KnownPeer } from "./interface.ts"
import type { LinkPool } from "./link-pool.ts"
import type { Requests } from "./requests.ts"

/** How often a node that has not joined yet looks where it stands. */
const STEP = milliseconds(50)
/** Nobody has answered for so long: with data of its own, a node is the ring until others come. */
const ALONE_AFTER = seconds(1)
/** What a linked node is given to say that it is a peer, before it counts as one that starts as well. */
const SILENT_AFTER = milliseconds(300)
/** Nodes that start together wait for the smallest Node-ID; not longer than this. */
const DEADLOCK = seconds(10)
/** How long not yet ready links and unreachable peers may hold up a join. */
const SETTLED_AFTER = seconds(4)
/** What our successor is given to say what time it is. */
const CLOCK_ANSWERS = seconds(1)
/** Others of a ring that is resumed may begin so much later: before, they would not know whom an Update speaks of. */
const RESUMED_AFTER = milliseconds(300)
/** A Join that makes no progress is begun anew. */
const STALLED = seconds(5)
/** A Join that was refused is tried again: another node is joining there. */
const TRY_AGAIN = milliseconds(100)
/** Who is to come behind us is asked for again so soon, as long as we have not joined: where many join, the question may go astray. */
const SEEK_AGAIN = seconds(1)

/** What a node that starts is to the ring, where it meets nobody: one that knows its records may be all there is of it. */
export type Standing = "new" | "knows" | "lost"

type Stage =
  | { readonly kind: "idle" }
  /** Links come up; none leads to a peer of the ring so far. */
  | { readonly kind: "starting"; readonly since: Instant; linkedAt: Instant | undefined }
  /** Links to the peers of a ring that we were part of come up. */
  | { readonly kind: "resuming"; readonly peers: readonly KnownPeer[]; readonly since: Instant }
  /** Links to all peers come up. */
  | { readonly kind: "meeting"; readonly since: Instant }
  /** The Join is sent, and our share comes. */
  | { readonly kind: "joining"; readonly through: NodeId; progressAt: Instant }
  | { readonly kind: "peer" }

/**
 * How a node becomes a peer. RFC 6940 §10.5, §11.4.
 *
 *     starting ──a peer's Update──▶ meeting ──all are linked──▶ joining ──our share is here──▶ peer
 *        └── nobody is there, or only others that start, with larger Node-IDs ──────────────────▲
 *
 * A node that has lost its records takes the upper way only. Where a whole ring is resumed, each of its nodes is a peer as soon
 * as it has its links, or has waited for them long enough.
 */
export class Membership {
  readonly #fabric: Fabric
  readonly #links: LinkPool
  readonly #requests: Requests
  readonly #attaching: Attaching
  readonly #contacts: Contacts
  readonly #clocks: Clocks
  /** What follows from being a peer. */
  readonly #becomePeer: () => void
  #stage: Stage = { kind: "idle" }
  #standing: Standing = "new"
  #soughtAt: Instant | undefined

  constructor(
    fabric: Fabric,
    links: LinkPool,
    requests: Requests,
    attaching: Attaching,
    contacts: Contacts,
    clocks: Clocks,
    becomePeer: () => void,
  ) {
    this.#fabric = fabric
    this.#links = links
    this.#requests = requests
    this.#attaching = attaching
    this.#contacts = contacts
    this.#clocks = clocks
    this.#becomePeer = becomePeer
  }

  get state(): "starting" | "joining" | "joined" {
    if (this.#stage.kind === "peer") return "joined"
    return this.#stage.kind === "meeting" || this.#stage.kind === "joining" ? "joining" : "starting"
  }

  start(bootstrap: readonly Address[], standing: Standing): void {
    this.#standing = standing
    if (bootstrap.length === 0 && standing !== "lost") return this.#join()
    this.#stage = { kind: "starting", since: this.#fabric.now, linkedAt: undefined }
    this.#contacts.addBootstrap(bootstrap)
    this.#step()
  }

  /** As one of a whole ring that stood before. Of two, the smaller Node-ID opens the link. */
  resume(bootstrap: readonly Address[], peers: readonly KnownPeer[]): void {
    this.#stage = { kind: "resuming", peers, since: this.#fabric.now }
    this.#contacts.addRemembered(bootstrap)
    for (const { node, address } of peers) {
      this.#links.learnAddress(node, address)
      if (this.#fabric.self < node) this.#links.dial(address, node)
    }
    this.#step()
  }

  get isResuming(): boolean {
    return this.#stage.kind === "resuming"
  }

  /** We leave before we have joined. */
  stop(): void {
    if (this.#stage.kind !== "peer") this.#stage = { kind: "idle" }
  }

  linked(): void {
    if (this.#stage.kind === "starting") this.#stage.linkedAt = this.#fabric.now
  }

  /** A copy of a record came. */
  progressed(from: NodeId): void {
    if (this.#stage.kind === "joining" && this.#stage.through === from)
      this.#stage.progressAt = this.#fabric.now
  }

  /** An Update came, which may be the one that tells us that our share is complete. */
  updated(from: NodeId, body: ChordUpdate): void {
    if (this.#stage.kind !== "joining" || this.#stage.through !== from) return
    const { topology, now } = this.#fabric
    if (!topology.welcomes(body)) return
    // Another peer has come between us: what is written now goes there.
    if (topology.neighbors().successors[0] === from) this.#join()
    else this.#stage = { kind: "meeting", since: now }
  }

  #step(): void {
    switch (this.#stage.kind) {
      case "starting":
        this.#starting(this.#stage)
        break
      case "resuming":
        this.#resuming(this.#stage)
        break
      case "meeting":
        this.#meeting(this.#stage)
        break
      case "joining":
        this.#joining(this.#stage)
        break
      default:
        return
    }
    this.#fabric.in(STEP, () => this.#step())
  }

  #starting(stage: Extract<Stage, { kind: "starting" }>): void {
    const { now, topology, self } = this.#fabric
    if (topology.peers().length > 0) {
      this.#stage = { kind: "meeting", since: now }
      return
    }
    // A ring of its own would say of all records that there are none.
    if (this.#standing === "lost") return
    const waited = after(stage.since, ALONE_AFTER) <= now || this.#contacts.areAllSilent
    if (this.#links.size === 0) {
      if ((this.#standing === "knows" && waited) || this.#contacts.isEmpty) this.#join()
      return
    }
    const isQuiet = stage.linkedAt !== undefined && after(stage.linkedAt, SILENT_AFTER) <= now
    const isSmallest = [...this.#links.all()].every(({ node }) => self < node)
    const isStuck = after(stage.since, DEADLOCK) <= now
    if ((isQuiet && waited && isSmallest) || isStuck) this.#join()
  }

  #resuming({ peers, since }: Extract<Stage, { kind: "resuming" }>): void {
    const { now } = this.#fabric
    if (now < after(since, RESUMED_AFTER)) return
    const isWhole = peers.every(({ node }) => this.#links.to(node) !== undefined)
    if (isWhole || after(since, SETTLED_AFTER) <= now) this.#join()
  }

  #meeting(stage: Extract<Stage, { kind: "meeting" }>): void {
    const { now, topology, self } = this.#fabric
    const [through] = topology.neighbors().successors
    if (through === undefined) {
      this.#stage = { kind: "starting", since: now, linkedAt: now }
      return
    }
    if (this.#soughtAt === undefined || after(this.#soughtAt, SEEK_AGAIN) <= now) {
      this.#soughtAt = now
      // Our successor, wherever it is: with tables alone nobody may have named it.
      this.#attaching.seek(toPoint(toNumber(self) + 1n), through)
    }
    if (after(stage.since, milliseconds(100)) > now) return
    if (!topology.settled && now < after(stage.since, SETTLED_AFTER)) return
    // What a node stores under a clock that is far off would win, or expire, at the wrong time.
    if (!this.#clocks.isKnown(through) && now < after(stage.since, CLOCK_ANSWERS)) return
    if (this.#clocks.keepsUsOut()) return
    this.#sendJoin(through)
  }

  #sendJoin(through: NodeId): void {
    this.#stage = { kind: "joining", through, progressAt: this.#fabric.now }
    this.#requests.ask({
      to: { kind: "node", node: through },
      body: { kind: "join-req", joiningPeer: this.#fabric.self, overlaySpecific: new Uint8Array() },
      patience: STALLED,
      done: (reply) => {
        if (reply.kind === "answered" || this.#stage.kind !== "joining") return
        if (this.#stage.through !== through) return
        this.#fabric.log("debug", "overlay.join-refused", { node: through, reply: reply.kind })
        // As if it stalled, so that the next try comes soon.
        this.#stage = { kind: "joining", through, progressAt: tryAgain(this.#fabric.now) }
      },
    })
  }

  #joining(stage: Extract<Stage, { kind: "joining" }>): void {
    const { now, topology } = this.#fabric
    const isStalled = after(stage.progressAt, STALLED) <= now
    const isStill = topology.neighbors().successors[0] === stage.through
    if (isStalled || !isStill) this.#stage = { kind: "meeting", since: now }
  }

  #join(): void {
    this.#stage = { kind: "peer" }
    this.#becomePeer()
  }
}

/** A moment of progress that makes the Join count as stalled after TRY_AGAIN. */
const tryAgain = (now: Instant): Instant => (now - STALLED + TRY_AGAIN) as Instant
