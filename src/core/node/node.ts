import type { Identity } from "../identity/certificate.ts"
import { fromHex } from "../kit/hex.ts"
import { after, earliest, type Instant, NEVER } from "../kit/time.ts"
import type { Overlay, OverlayEffect, OverlayInput, Ticket } from "../overlay/interface.ts"
import type { Configuration } from "../reload/configuration.ts"
import type { SipEffect, SipInput, SipServer } from "../service/sip-server-interface.ts"
import type { StorageChange } from "../storage/change.ts"
import { EnrolmentLog, type EnrolmentLogEffect } from "../usage/enrolment-log.ts"
import { FabricStores, type FabricStoresEffect } from "../usage/fabric-stores.ts"
import { Lookup, type LookupEffect } from "../usage/lookup.ts"
import { NodeVersions } from "../usage/node-versions.ts"
import { Provisioning, type ProvisioningEffect } from "../usage/provisioning.ts"
import { ownerOf } from "../usage/tickets.ts"
import { readUsers } from "../usage/user-names.ts"
import { createFabricSide } from "./fabric-side.ts"
import { HealthProbe, type HealthProbeEffect } from "./health-probe.ts"
import type {
  CarillonNode,
  Health,
  NodeAnswer,
  NodeCommand,
  NodeEffect,
  NodeInput,
  NodeSettings,
  NodeStatus,
} from "./interface.ts"
import { NodeHops, type NodeHopsEffect } from "./node-hops.ts"
import { Owner } from "./owners.ts"
import { PeerDirectory } from "./peer-directory.ts"
import { areForHost, createSipSide } from "./sip-side.ts"
import { DRAIN_PATIENCE, REVOKED, type Stage } from "./stage.ts"
import { describeNode, healthEffects, refusalOf } from "./status.ts"

/** What is still to be done, in order: an effect, and the part of the node that wants it. */
type Task = () => void

export function createNode(settings: NodeSettings): CarillonNode {
  return new Node(settings)
}

/**
 * One Carillon: the SIP tower and the fabric, and what ties them together.
 *
 *     joining ──joined─▶ serving ──drain─▶ draining ──left─▶ drained
 */
class Node implements CarillonNode {
  readonly #settings: NodeSettings
  readonly #overlay: Overlay
  readonly #sip: SipServer
  readonly #stores: FabricStores
  readonly #provisioning: Provisioning
  readonly #lookup: Lookup
  readonly #enrolmentLog: EnrolmentLog
  readonly #hops = new NodeHops(Owner.hops)
  readonly #probe: HealthProbe
  readonly #versions: NodeVersions
  readonly #peers: PeerDirectory
  readonly #drainers: Ticket[] = []
  #stage: Stage = { name: "joining" }
  #health: Health = { state: "joining" }
  #identity: Identity
  #configuration: Configuration
  #started: Instant | undefined
  #tasks: Task[] = []
  #output: NodeEffect[] = []

  constructor(settings: NodeSettings) {
    this.#settings = settings
    const { identity, cryptography, configuration } = settings
    const self = identity.nodeId
    this.#identity = identity
    this.#configuration = configuration
    this.#peers = new PeerDirectory(self, settings.aliases)
    this.#overlay = createFabricSide(settings)
    const roles = () => this.#identity.certificate.roles
    const usage = {
      self,
      overlay: this.#overlay,
      cryptography,
      fabricKeys: () => settings.fabricKeys,
      get roles() {
        return roles()
      },
    }
    this.#stores = new FabricStores(usage, Owner.stores)
    this.#provisioning = new Provisioning(usage, Owner.provisioning)
    this.#lookup = new Lookup(
      { overlay: this.#overlay, isAlive: (node) => this.#peers.isAlive(node) },
      Owner.lookup,
    )
    this.#enrolmentLog = new EnrolmentLog(usage, Owner.enrolment)
    this.#versions = new NodeVersions(this.#overlay, Owner.versions)
    this.#probe = new HealthProbe(
      self,
      settings.version,
      this.#overlay.resourceId(fromHex(self)),
      Owner.health,
    )
    this.#sip = createSipSide(settings, {
      isAlive: (node) => this.#peers.isAlive(node),
      nodeWithPrefix: (prefix) => this.#peers.nodeWithPrefix(prefix),
      refusesWork: () => refusalOf(this.#health),
      recallBindings: (aor, now) => this.#stores.recallBindings(aor, now),
      aliases: () => this.#peers.aliases,
    })
  }

  get deadline(): Instant {
    const drain = this.#stage.name === "draining" && !this.#stage.leaving ? this.#stage.until : NEVER
    const { deadline } = this.#versions
    return earliest(this.#overlay.deadline, this.#sip.deadline, this.#probe.deadline, deadline, drain)
  }

  get clocks(): NodeStatus["clocks"] {
    return this.#overlay.status.clocks
  }

  restore(changes: readonly StorageChange[]): void {
    this.#overlay.restore(changes)
  }

  snapshot(): readonly StorageChange[] {
    return this.#overlay.snapshot()
  }

  status(now: number): NodeStatus {
    return describeNode({
      settings: this.#settings,
      identity: this.#identity,
      configuration: this.#configuration,
      overlay: this.#overlay.status,
      versions: this.#versions.versions,
      sip: this.#sip.statistics,
      health: this.#health,
      started: this.#started ?? now,
      now,
    })
  }

  handle(input: NodeInput, now: Instant): readonly NodeEffect[] {
    this.#started ??= now
    switch (input.kind) {
      case "received": {
        const effects = this.#sip.handle(input, now)
        if (areForHost(effects) && this.#stage.name !== "draining") return effects
        this.#performSip(effects, now)
        break
      }
      case "flow-closed":
      case "resolved":
        this.#tellSip(input, now)
        break
      case "send-failed":
        // Forgotten first: whatever is sent in its stead asks anew where the node is.
        if (input.node !== undefined)
          this.#performHops(this.#hops.handle({ kind: "unreachable", node: input.node }), now)
        this.#tellSip(input, now)
        break
      case "command":
        this.#command(input.ticket, input.command, now)
        break
      case "start":
        this.#peers.remember(input.bootstrap)
        this.#tellOverlay(input, now)
        break
      case "identity":
        this.#identity = input.identity
        this.#tellOverlay(input, now)
        break
      default:
        this.#tellOverlay(input, now)
    }
    return this.#finish(now)
  }

  expire(now: Instant): readonly NodeEffect[] {
    if (this.#overlay.deadline <= now) this.#perform(this.#overlay.expire(now), now)
    if (this.#sip.deadline <= now) this.#performSip(this.#sip.expire(now), now)
    if (this.#probe.deadline <= now) this.#performProbe(this.#probe.expire(now), now)
    for (const question of this.#versions.expire(now)) this.#tellOverlay(question, now)
    return this.#finish(now)
  }

  /** Works off what has come up, in order, and gives out what the host has to do. */
  #finish(now: Instant): readonly NodeEffect[] {
    this.#workOff()
    this.#goOnDraining(now)
    this.#workOff()
    const output = this.#output
    this.#output = []
    return output
  }

  #workOff(): void {
    for (let next = 0; next < this.#tasks.length; next++) this.#tasks[next]!()
    if (this.#tasks.length > 0) this.#tasks = []
  }

  #tellSip(input: SipInput, now: Instant): void {
    this.#performSip(this.#sip.handle(input, now), now)
  }

  #tellOverlay(input: OverlayInput, now: Instant): void {
    this.#perform(this.#overlay.handle(input, now), now)
  }

  #performSip(effects: readonly SipEffect[], now: Instant): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "send":
          if (effect.hop.kind === "node")
            this.#tasks.push(() => this.#performHops(this.#hops.handle(effect), now))
          else this.#output.push(effect as Extract<NodeEffect, { kind: "send" }>)
          break
        case "find-subscriber":
        case "find-bindings":
        case "store-bindings":
          this.#tasks.push(() => this.#performStores(this.#stores.handle(effect, now), now))
          break
        default:
          this.#output.push(effect)
      }
    }
  }

  #performHops(effects: readonly NodeHopsEffect[], now: Instant): void {
    for (const effect of effects) {
      if (effect.kind === "send") this.#output.push(effect)
      else if (effect.kind === "send-failed") this.#tasks.push(() => this.#tellSip(effect, now))
      else this.#tasks.push(() => this.#tellOverlay(effect, now))
    }
  }

  #performStores(effects: readonly FabricStoresEffect[], now: Instant): void {
    for (const effect of effects) {
      if (effect.kind === "log") this.#output.push(effect)
      else if (effect.kind === "fetch" || effect.kind === "store")
        this.#tasks.push(() => this.#tellOverlay(effect, now))
      else this.#tasks.push(() => this.#tellSip(effect, now))
    }
  }

  /** Of the parts that carry out commands. */
  #performCommands(
    effects: readonly (ProvisioningEffect | LookupEffect | EnrolmentLogEffect)[],
    now: Instant,
  ): void {
    for (const effect of effects) {
      if (effect.kind === "fetch" || effect.kind === "store")
        this.#tasks.push(() => this.#tellOverlay(effect, now))
      else this.#reply(effect.ticket, effect.result)
    }
  }

  #performProbe(effects: readonly HealthProbeEffect[], now: Instant): void {
    for (const effect of effects) {
      if (effect.kind !== "verdict") this.#tasks.push(() => this.#tellOverlay(effect, now))
      else if (this.#stage.name === "serving")
        this.#become(effect.healthy ? { state: "healthy" } : { state: "unhealthy", cause: effect.cause })
    }
  }

  /** What the overlay wants of the host goes out; what it tells us is handed to whoever asked. */
  #perform(effects: readonly OverlayEffect[], now: Instant): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "joined":
          this.#stage = { name: "serving" }
          this.#become({ state: "healthy" })
          this.#tasks.push(() => this.#performProbe(this.#probe.handle({ kind: "begin" }, now), now))
          break
        case "left":
          this.#drained()
          break
        case "fetched":
        case "stored":
          this.#tasks.push(() => this.#answer(effect, now))
          break
        case "app-attached":
          this.#tasks.push(() => this.#performHops(this.#hops.handle(effect), now))
          break
        case "peer-up":
          this.#peers.up(effect.node)
          this.#versions.handle({ kind: "up", node: effect.node }, now)
          this.#know()
          break
        case "peer-down":
          this.#peers.down(effect.node)
          this.#versions.handle({ kind: "down", node: effect.node }, now)
          this.#tasks.push(() => this.#performHops(this.#hops.handle(effect), now))
          this.#tasks.push(() => this.#tellSip({ kind: "node-lost", node: effect.node }, now))
          break
        case "configured":
          this.#configured(effect)
          break
        case "stat-answered":
        case "pinged":
          break // Nobody here asks.
        default:
          this.#output.push(effect)
      }
    }
  }

  #answer(effect: Extract<OverlayEffect, { kind: "fetched" | "stored" }>, now: Instant): void {
    switch (ownerOf(effect.ticket)) {
      case Owner.stores:
        return this.#performStores(this.#stores.handle(effect, now), now)
      case Owner.provisioning:
        return this.#performCommands(this.#provisioning.handle(effect, now), now)
      case Owner.lookup:
        return this.#performCommands(this.#lookup.handle(effect, now), now)
      case Owner.enrolment:
        return this.#performCommands(this.#enrolmentLog.handle(effect), now)
      case Owner.versions:
        return void this.#versions.handle(effect, now)
      case Owner.health:
        return this.#performProbe(this.#probe.handle({ ...effect, livingPeers: this.#peers.size }, now), now)
    }
  }

  #command(ticket: Ticket, command: NodeCommand, now: Instant): void {
    const { cryptography, configuration } = this.#settings
    switch (command.kind) {
      case "put-users":
      case "remove-user": {
        const read = readUsers(cryptography, configuration.sipDomain, command)
        if (read.kind === "refused") return this.#reply(ticket, read)
        const asked = { kind: "command", ticket, command: read } as const
        return this.#performCommands(this.#provisioning.handle(asked, now), now)
      }
      case "list-users": {
        const asked = { kind: "command", ticket, command } as const
        return this.#performCommands(this.#provisioning.handle(asked, now), now)
      }
      case "lookup": {
        const asked = { kind: "look-up", ticket, aor: command.aor, domain: configuration.sipDomain } as const
        return this.#performCommands(this.#lookup.handle(asked, now), now)
      }
      case "count-use":
        return this.#performCommands(this.#enrolmentLog.handle({ ...command, ticket }), now)
      case "drain":
        return this.#drain(ticket, now)
    }
  }

  #drain(ticket: Ticket, now: Instant): void {
    if (this.#stage.name === "drained") return this.#reply(ticket, { kind: "drained" })
    this.#drainers.push(ticket)
    if (this.#stage.name === "draining") return
    this.#stage = { name: "draining", until: after(now, DRAIN_PATIENCE), leaving: false }
    this.#become({ state: "draining" })
    this.#performProbe(this.#probe.handle({ kind: "end" }, now), now)
  }

  #goOnDraining(now: Instant): void {
    if (this.#stage.name !== "draining" || this.#stage.leaving) return
    if (this.#sip.statistics.pendingInvites > 0 && now < this.#stage.until) return
    this.#stage = { ...this.#stage, leaving: true }
    this.#tasks.push(() => this.#tellOverlay({ kind: "leave" }, now))
  }

  #drained(): void {
    this.#stage = { name: "drained" }
    this.#become({ state: "drained" })
    for (const ticket of this.#drainers.splice(0)) this.#reply(ticket, { kind: "drained" })
  }

  #configured(effect: Extract<OverlayEffect, { kind: "configured" }>): void {
    this.#configuration = effect.configuration
    this.#output.push(effect)
    if (!effect.configuration.badNodes.includes(this.#identity.nodeId)) return
    // It would be a ring of one, and serve what it once knew.
    this.#stage = { name: "revoked" }
    this.#become({ state: "unhealthy", cause: REVOKED })
  }

  #reply(ticket: Ticket, answer: NodeAnswer): void {
    this.#output.push({ kind: "answer", ticket, answer })
  }

  #become(health: Health): void {
    if (health.state === this.#health.state) return
    this.#health = health
    this.#output.push(...healthEffects(health))
  }

  /** What living peers tell of where they are: other names of the domain, and whom to ask at the next start. */
  #know(): void {
    const addresses = this.#overlay.status.peers.flatMap(({ address }) => (address ? [address] : []))
    this.#peers.name(addresses)
    this.#output.push({ kind: "peers", addresses: this.#peers.remember(addresses) })
  }
}
