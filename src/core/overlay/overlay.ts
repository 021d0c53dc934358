import type { NodeId } from "../identity/node-id.ts"
import { earliest, type Instant } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import { resourceIdOf } from "../reload/message.ts"
import type { ChordUpdate } from "../reload/overlay-methods.ts"
import type { KindId } from "../reload/stored-data.ts"
import type { StorageChange } from "../storage/change.ts"
import type { LivingValues } from "../storage/storage.ts"
import type { TopologyInput } from "../topology/topology.ts"
import { Admission } from "./admission.ts"
import { Answers } from "./answers.ts"
import { Attaching } from "./attaching.ts"
import { Clocks } from "./clocks.ts"
import { ConfigurationUpdates } from "./configuration-updates.ts"
import { Contacts } from "./contacts.ts"
import { Copies } from "./copies.ts"
import { Fabric } from "./fabric.ts"
import type { Overlay, OverlayEffect, OverlayInput, OverlaySettings, OverlayStatus } from "./interface.ts"
import { Inventory } from "./inventory.ts"
import { Leaving } from "./leaving.ts"
import { type Link, LinkPool } from "./link-pool.ts"
import { Membership, type Standing } from "./membership.ts"
import { Messenger, type Received } from "./messenger.ts"
import { Methods } from "./methods.ts"
import { Newcomers } from "./newcomers.ts"
import { Operations } from "./operations.ts"
import { COPIES, Placement } from "./placement.ts"
import { Reads } from "./reads.ts"
import { Records } from "./records.ts"
import { Repair } from "./repair.ts"
import { Requests } from "./requests.ts"
import { Resigning } from "./resigning.ts"
import { Transfers } from "./transfers.ts"
import { Writes } from "./writes.ts"

export function createOverlay(settings: OverlaySettings): Overlay {
  return new OverlayMachine(settings)
}

/** One peer of the fabric: puts the parts together, and tells each what concerns it. */
class OverlayMachine implements Overlay {
  readonly #fabric: Fabric
  readonly #links: LinkPool
  readonly #requests: Requests
  readonly #records: Records
  readonly #contacts: Contacts
  readonly #attaching: Attaching
  readonly #repair: Repair
  readonly #reads: Reads
  readonly #admission: Admission
  readonly #writes: Writes
  readonly #membership: Membership
  readonly #leaving: Leaving
  readonly #configurationUpdates: ConfigurationUpdates
  readonly #resigning: Resigning
  readonly #methods: Methods
  readonly #operations: Operations
  readonly #inventory: Inventory
  readonly #clocks: Clocks
  readonly #newcomers: Newcomers
  readonly #placement: Placement
  /** Nodes that have taken their leave, and whose link is still up. */
  readonly #departed = new Set<NodeId>()

  constructor(settings: OverlaySettings) {
    const fabric = new Fabric(settings)
    const links = new LinkPool(fabric, {
      linked: (link) => this.#linked(link),
      unlinked: (node, reason) => this.#unlinked(node, reason),
      message: (link, bytes) => messenger.receive(link, bytes),
      tooLarge: (link, head) => messenger.tooLarge(link, head),
      probe: ({ node }) => clocks.ask(node),
      dialed: (address, result) => contacts.dialed(address, result),
    })
    const messenger = new Messenger(fabric, links, {
      request: (request) => this.#methods.requested(request),
      answer: (answer) => requests.answered(answer),
      behind: (node) => this.#configurationUpdates.behind(node),
    })
    const requests = new Requests(fabric, links, messenger, (node) => this.#configurationUpdates.behind(node))
    const clocks = new Clocks(fabric, links, requests)
    const answers = new Answers(fabric, messenger)
    const placement = new Placement(fabric)
    const records = new Records(fabric, placement)
    const transfers = new Transfers(fabric, requests, records)
    const newcomers = new Newcomers(fabric)
    const repair = new Repair(fabric, requests, records, transfers, newcomers, placement)
    const reads = new Reads(fabric, links, requests, records, repair, newcomers)
    const contacts = new Contacts(fabric, links)
    const updateWanted = (peer: NodeId) => this.#sendUpdate(peer)
    const attaching = new Attaching(fabric, links, requests, answers, {
      unreachable: (peer) => this.#tell({ kind: "unreachable", peer }),
      updateWanted,
    })
    const admission = new Admission(fabric, links, requests, answers, records, transfers, clocks)
    const alsoDue = (resource: ResourceId) => [
      ...admission.alsoDue(resource),
      ...this.#leaving.alsoDue(resource),
    ]
    const writes = new Writes(fabric, requests, records, transfers, placement, alsoDue)
    const copies = new Copies(fabric, links, answers, records, repair, placement, (from) =>
      this.#membership.progressed(from),
    )
    const membership = new Membership(fabric, links, requests, attaching, contacts, clocks, () =>
      this.#joined(),
    )
    const leaving = new Leaving(fabric, links, requests, records, transfers, writes, () => this.#stepDown())
    const updated = (request: Received) => this.#updated(request)
    const left = (peer: NodeId, named: readonly NodeId[]) => this.#left(peer, named)
    const begins = (peer: NodeId) => this.#gone(peer, [])
    const configurationUpdates = new ConfigurationUpdates(fabric, links, requests, answers, () =>
      this.#reconfigured(),
    )
    const departments = { fabric, answers, attaching, admission, configurationUpdates, copies, reads, writes }
    this.#methods = new Methods({ ...departments, updated, left, begins, updateWanted })
    this.#operations = new Operations(fabric, requests, reads, writes)
    this.#newcomers = newcomers
    this.#clocks = clocks
    this.#placement = placement
    this.#inventory = new Inventory(fabric, records, repair, placement)
    this.#fabric = fabric
    this.#links = links
    this.#requests = requests
    this.#records = records
    this.#contacts = contacts
    this.#attaching = attaching
    this.#repair = repair
    this.#reads = reads
    this.#admission = admission
    this.#writes = writes
    this.#membership = membership
    this.#leaving = leaving
    this.#configurationUpdates = configurationUpdates
    this.#resigning = new Resigning(fabric, writes)
  }

  get deadline(): Instant {
    const { schedule, storage, topology } = this.#fabric
    return earliest(schedule.next, storage.deadline, topology.deadline)
  }

  get status(): OverlayStatus {
    const { topology } = this.#fabric
    const others = [...this.#links.all()].map(({ node, certificate }) => ({
      node,
      certificate,
      address: this.#links.addressOf(node),
      linked: topology.has(node),
    }))
    const inventory = this.#inventory
    return {
      state: this.#leaving.state ?? this.#membership.state,
      peers: others.filter(({ linked }) => linked),
      clocks: this.#clocks.all,
      obstacle: this.#membership.state === "joined" ? undefined : this.#clocks.obstacle,
      /** Looks at every record: for who asks for it. */
      get records() {
        return inventory.count()
      },
    }
  }

  resourceId(name: string | Uint8Array): ResourceId {
    return resourceIdOf(this.#fabric.cryptography, name)
  }

  holders(resource: ResourceId): readonly NodeId[] {
    return this.#fabric.topology.holders(resource, COPIES)
  }

  heldHere(resource: ResourceId, kind: KindId, now: Instant): LivingValues | undefined {
    return this.#reads.heldHere(resource, kind, now)
  }

  nextHop(resource: ResourceId): NodeId | undefined {
    return this.#fabric.topology.nextHop(resource)
  }

  snapshot(): readonly StorageChange[] {
    return this.#fabric.storage.snapshot()
  }

  restore(changes: readonly StorageChange[]): void {
    this.#fabric.storage.restore(changes)
    this.#records.addRestored()
  }

  handle(input: OverlayInput, now: Instant): readonly OverlayEffect[] {
    this.#fabric.now = now
    this.#perform(input)
    return this.#fabric.takeEffects()
  }

  expire(now: Instant): readonly OverlayEffect[] {
    const { schedule, storage, topology } = this.#fabric
    this.#fabric.now = now
    schedule.runDue(now)
    if (topology.deadline <= now) this.#obey(topology.expire(now))
    if (storage.deadline <= now) this.#forgetExpired()
    return this.#fabric.takeEffects()
  }

  #standing(lost: "records" | "accepted" | undefined): Standing {
    if (lost === "records") return "lost"
    return lost === "accepted" || this.#records.size > 0 ? "knows" : "new"
  }

  #perform(input: OverlayInput): void {
    switch (input.kind) {
      case "start":
        this.#fabric.startedAt = this.#fabric.now
        if (input.resumed !== undefined) {
          this.#tell({ kind: "resumed", peers: input.resumed.map(({ node }) => node) })
          return this.#membership.resume(input.bootstrap, input.resumed)
        }
        return this.#membership.start(input.bootstrap, this.#standing(input.lost))
      case "link-opened":
        return this.#links.opened(input)
      case "link-failed":
        return this.#links.failed(input.attempt, input.reason)
      case "link-received":
        return this.#links.received(input.link, input.bytes)
      case "link-closed":
        return this.#links.closed(input.link, input.reason)
      case "persisted":
        return this.#fabric.persisted(input.ticket, undefined)
      case "persist-failed":
        return this.#fabric.persisted(input.ticket, input.reason)
      case "fetch":
        return this.#operations.fetch(input)
      case "stat":
        return this.#operations.stat(input)
      case "store":
        return this.#operations.store(input)
      case "app-attach":
        return this.#operations.appAttach(input)
      case "ping":
        return this.#operations.ping(input)
      case "leave":
        this.#contacts.stop()
        this.#membership.stop()
        return this.#leaving.begin()
      case "configuration":
        return this.#configurationUpdates.take(input.document)
      case "identity":
        this.#fabric.renew(input.identity)
        // Whatever we say shows the new certificate; to all at once, since roles stand in it.
        for (const { node } of this.#links.all()) this.#clocks.ask(node)
        return
    }
  }

  /** Those who are revoked are heard no longer, and what they have written is signed anew. */
  #reconfigured(): void {
    for (const link of [...this.#links.all()]) {
      const distrust = this.#fabric.judge(link.certificate)
      if (distrust !== undefined) this.#links.close(link, distrust)
    }
    this.#resigning.look()
  }

  // Links.

  #linked({ node, opener, certificate }: Link): void {
    this.#placement.learn(node, certificate)
    this.#departed.delete(node)
    this.#attaching.linked(node)
    this.#membership.linked()
    this.#clocks.linked(node)
    this.#tell({ kind: "linked", peer: node })
    if (opener === this.#fabric.self && !this.#membership.isResuming) this.#attaching.introduce(node)
  }

  #unlinked(node: NodeId, reason: string): void {
    const { topology } = this.#fabric
    const wasPeer = topology.has(node)
    const wasNeeded = !wasPeer || topology.isNeeded(node)
    this.#fabric.log(wasPeer ? "info" : "debug", "overlay.unlinked", { node, reason })
    this.#tell({ kind: "unlinked", peer: node })
    this.#admission.unlinked(node)
    if (!wasPeer) this.#records.doubtNode(node)
    this.#clocks.unlinked(node)
    if (this.#departed.delete(node)) this.#contacts.forget(node)
    else if (wasNeeded) this.#contacts.lost(node)
    else this.#contacts.letGo(node)
    this.#requests.hopLost(node)
  }

  // The ring.

  #updated(request: Received): void {
    const { body, node: from } = request
    if (body.kind !== "update-req") return
    this.#tell({ kind: "received", from, body })
    this.#admission.over(from)
    this.#membership.updated(from, body)
  }

  /** By its own will, so that nobody is to look for it. */
  #left(peer: NodeId, named: readonly NodeId[]): void {
    this.#departed.add(peer)
    this.#gone(peer, named)
  }

  #gone(peer: NodeId, named: readonly NodeId[]): void {
    this.#tell({ kind: "gone", peer, named })
    this.#requests.hopLost(peer)
  }

  #sendUpdate(peer: NodeId): void {
    if (this.#fabric.isPeer && this.#links.to(peer)) this.#tell({ kind: "linked", peer })
  }

  #joined(): void {
    const { topology } = this.#fabric
    // Of a ring that is resumed, some may not have come.
    for (const peer of topology.peers()) if (!this.#links.to(peer)) this.#tell({ kind: "unlinked", peer })
    this.#fabric.isPeer = true
    this.#tell({ kind: "joined" })
    this.#fabric.log("info", "overlay.joined", { peers: topology.peers().length })
    this.#fabric.emit({ kind: "joined" })
    this.#resigning.begin()
  }

  #stepDown(): void {
    this.#fabric.isPeer = false
    this.#tell({ kind: "left" })
  }

  #tell(input: TopologyInput<ChordUpdate>): void {
    const cause = input.kind === "unlinked" ? "death" : "other"
    this.#obey(this.#fabric.topology.handle(input, this.#fabric.now), cause)
  }

  #obey(effects: ReturnType<Fabric["topology"]["handle"]>, cause: "death" | "other" = "other"): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "link":
          this.#attaching.want(effect.peer, effect.via)
          break
        case "seek":
          this.#attaching.seek(effect.target, undefined)
          break
        case "send":
          this.#requests.ask({
            to: { kind: "node", node: effect.to },
            body: { kind: "update-req", ...effect.body },
            done: () => undefined,
          })
          break
        case "release":
          this.#release(effect.peer)
          break
        case "peer-up":
          this.#newcomers.came(effect.peer)
          this.#fabric.emit({ kind: "peer-up", node: effect.peer })
          break
        case "peer-down":
          this.#records.doubtAll(effect.peer)
          if (cause === "death") this.#inventory.peerDied()
          if (this.#departed.has(effect.peer)) this.#newcomers.left(effect.peer)
          else this.#newcomers.went(effect.peer)
          this.#fabric.emit({ kind: "peer-down", node: effect.peer })
          break
        case "share-changed":
          this.#shareChanged(cause)
          break
      }
    }
  }

  #release(peer: NodeId): void {
    const link = this.#links.to(peer)
    if (link) this.#links.close(link, "neither end needs it")
  }

  #shareChanged(cause: "death" | "other"): void {
    this.#admission.reconsider()
    this.#reads.shareChanged()
    this.#writes.reconsider()
    this.#repair.shareChanged(cause)
  }

  #forgetExpired(): void {
    const changes = this.#fabric.storage.expire(this.#fabric.now)
    for (const change of changes)
      if (change.kind === "delete" && this.#fabric.storage.valuesAt(change.resource) === 0)
        this.#records.forget(change.resource)
    this.#fabric.persist(changes, () => undefined)
  }
}
