import type { Role } from "../../core/identity/certificate.ts"
import type { FakeAuthority } from "../../core/identity/fake-cryptography.ts"
import type { NodeId } from "../../core/identity/node-id.ts"
import { PROVISIONER, rolesOfDomain } from "../../core/identity/roles.ts"
import type { Hashes } from "../../core/kit/crypto.ts"
import { after, type Duration, type Instant, milliseconds, seconds } from "../../core/kit/time.ts"
import { SIPS_APPLICATION } from "../../core/node/node-hops.ts"
import { type LinkWatch, WATCHFUL } from "../../core/overlay/interface.ts"
import { createOverlay } from "../../core/overlay/overlay.ts"
import type { Configuration } from "../../core/reload/configuration.ts"
import { DEFAULT_KINDS } from "../../core/storage/kinds.ts"
import type { Climate } from "../conditions.ts"
import { configurationOf } from "../configuration.ts"
import { siteOf } from "../latency.ts"
import type { Surroundings } from "../machine-host.ts"
import { Scene } from "../scene.ts"
import { RELOAD_PORT } from "../sim-ports.ts"
import { linksAtRest } from "./laid-ring.ts"
import { chordComplaint, ringAmiss } from "./peer-checkers.ts"
import { PeerHost } from "./peer-host.ts"

/** In how large waves peers join a ring that grows: who joins beside others that join costs more messages. */
const LEAST_IN_WAVE = 4
const MOST_IN_WAVE = 16
const STEP = milliseconds(250)

/** How links are watched while nothing can happen to them: most of what a ring at rest costs is watching. */
export const CALM: LinkWatch = { round: seconds(5), neighborIdle: seconds(30) }
/** So long after something has happened and before something may, links are watched as ever. */
const ALERT = seconds(10)

/** The overlay's name. */
export const PEER_DOMAIN = "peers.test"

/** Who a peer is; what is not named is as chance and the world's conditions have it. */
export interface PeerOptions {
  readonly nodeId?: NodeId | undefined
  readonly roles?: readonly Role[] | undefined
  /** Who has issued its certificate. Default: the overlay's. */
  readonly authority?: FakeAuthority | undefined
}

export interface PeerConditions extends Climate {
  readonly peers: number
  /** Up to so many peers, each has a link to every other. Default: 4, so that tables alone count. */
  readonly fullMeshLimit?: number
  /** How many sites their certificates declare. Default: none is declared. */
  readonly sites?: number
  /**
   * Peers are dealt out to sites in turn, so that Node-IDs of one site stand anywhere; or each site has an arc of the ring, as
   * chance never has it, so that the three holders of nearly every record share one. Default: in turn.
   */
  readonly sitesBy?: "turn" | "arc"
  /** How long a disk takes to make a change durable. Default 2 ms. */
  readonly diskDelay?: Duration
  /** How closely links are watched. Default: as nodes do. */
  readonly watching?: LinkWatch
  /** How often tables are told and fingers looked for again. Default: as a configuration document has it. */
  readonly chord?: Configuration["chord"]
  /** Whether a hash of all that happens is kept. Default: it is. */
  readonly isHashed?: boolean
}

/** The invented world of peers without SIP: overlay machines with real encoding, links, disks and one clock. */
export class PeerWorld extends Scene {
  readonly peers: PeerHost[] = []
  readonly #fullMeshLimit: number
  readonly #sites: number | undefined
  readonly #sitesBy: "turn" | "arc"
  /** What peers that start are told. */
  configuration: Configuration
  /** The signed document of it. */
  document: string | undefined
  readonly #surroundings: Surroundings
  readonly #byHost = new Map<string, PeerHost>()
  #watch: LinkWatch

  constructor(seed: number, conditions: PeerConditions, hashes: Hashes, watch?: (line: string) => void) {
    const {
      peers,
      fullMeshLimit = 4,
      sites,
      diskDelay = milliseconds(2),
      sitesBy,
      chord,
      watching = WATCHFUL,
      ...climate
    } = conditions
    super(seed, { domain: PEER_DOMAIN, ...climate }, hashes, watch)
    this.#fullMeshLimit = fullMeshLimit
    this.#sites = sites
    this.#watch = watching
    this.#sitesBy = sitesBy ?? "turn"
    this.configuration = configurationOf(this.authority, chord && { chord })
    const { agenda, network, log } = this
    const hostAt = (host: string) => this.#byHost.get(host)
    this.#surroundings = { agenda, network, log, diskDelay, now: () => this.now, hostAt }
    for (let i = 0; i < peers; i++) this.join()
  }

  /** Those that run, by Node-ID. */
  get alive(): readonly PeerHost[] {
    return this.peers.filter(({ alive }) => alive).sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
  }

  /** A new peer comes, and joins through some that are there. */
  join(bootstrap: readonly PeerHost[] = this.contacts()): PeerHost {
    const peer = this.settle()
    peer.start(bootstrap)
    return peer
  }

  /** A new peer, which does not run yet. */
  settle({ nodeId = this.newNodeId(), roles, authority = this.authority }: PeerOptions = {}): PeerHost {
    const host = `10.0.${this.peers.length >> 8}.${this.peers.length & 255}`
    const domain = rolesOfDomain({ site: this.#siteOf(host, nodeId), rack: undefined })
    const identity = authority.issue({ nodeId, roles: roles ?? [PROVISIONER, ...domain] })
    const advertised = { host, port: RELOAD_PORT }
    const peer = this.makeHost(this.#surroundings, {
      host,
      identity,
      create: () =>
        createOverlay({
          identity,
          cryptography: this.cryptography,
          random: this.chance(),
          configuration: this.configuration,
          ...(this.document !== undefined && { document: this.document }),
          kinds: DEFAULT_KINDS,
          advertised,
          applications: new Map([[SIPS_APPLICATION, advertised]]),
          fullMeshLimit: this.#fullMeshLimit,
          watch: () => this.#watch,
        }),
    })
    this.peers.push(peer)
    this.#byHost.set(host, peer)
    this.network.settle(peer)
    return peer
  }

  /** As many more join, some at a time, until all are one ring: two thirds of the work of joining all at one instant. */
  grow(count: number): void {
    for (let left = count; left > 0; ) {
      const wave = Math.min(left, MOST_IN_WAVE, Math.max(LEAST_IN_WAVE, this.peers.length >> 4))
      for (let i = 0; i < wave; i++) this.join()
      left -= wave
      waitUntilWhole(this, seconds(60))
    }
  }

  /**
   * So many are a ring that has stood for long: each begins with the tables that it would have come to in the end, opens
   * its links, and tells its tables over them. A tenth of the work of growing as many.
   */
  lay(count: number): void {
    if (this.peers.length > 0) throw new Error("a ring is laid where there is nobody yet")
    const peers = Array.from({ length: count }, () => this.settle())
    const byId = new Map(peers.map((peer) => [peer.nodeId, peer]))
    const links = linksAtRest([...byId.keys()].sort(), this.#fullMeshLimit)
    for (const peer of peers) {
      const linked = Array.from(links.get(peer.nodeId)!, (id) => byId.get(id)!)
      // As of those that came at different times, rounds of one and of another do not begin at one instant.
      const wakes = milliseconds(this.below(WATCHFUL.round))
      peer.resume(this.shuffle(peers).slice(0, 3), linked, wakes)
    }
    waitUntilWhole(this, seconds(60))
  }

  /** Begins again, with what is on its disk. */
  restart(peer: PeerHost): void {
    peer.start(this.contacts())
  }

  /** It hands over what it has, leaves and stops. */
  leave(peer: PeerHost): void {
    peer.leave()
    this.runUntil(() => peer.hasLeft || !peer.alive, seconds(60))
    if (peer.alive) peer.crash()
  }

  /**
   * Tells a stretch of the story in which peers write and read, but nobody dies and no way is cut, with links watched
   * less closely; at its beginning and for its last seconds as closely as ever. `tell` is called until `end`, and lets time pass.
   */
  calmly(end: Instant, tell: (until: Instant) => void): void {
    const wakeAt = (end - ALERT) as Instant
    if (after(this.now, ALERT) < wakeAt) {
      this.run(ALERT)
      this.#watchLess(() => {
        while (this.now < wakeAt) tell(wakeAt)
      })
    }
    while (this.now < end) tell(end)
  }

  /** Lets time pass until then in a ring that is whole and to which nothing happens: links are watched less closely. */
  rest(end: Instant): void {
    this.#watchLess(() => this.runUntil(() => this.now >= end, milliseconds(Math.max(0, end - this.now))))
  }

  #watchLess(tell: () => void): void {
    const usual = this.#watch
    this.#watch = CALM
    tell()
    this.#watch = usual
  }

  /** Machines lose power, all at one instant. */
  cutPower(peers: readonly PeerHost[]): void {
    for (const peer of peers) peer.crash("silent", this.below(100) / 100)
  }

  /** Those of one of `sites` sites, to which peers are dealt out in turn. */
  site(number: number, sites = 3): readonly PeerHost[] {
    return this.peers.filter(({ host, alive }) => alive && siteOf(host, sites) === number)
  }

  /** For who wants to know more of them. */
  protected makeHost(...settings: ConstructorParameters<typeof PeerHost>): PeerHost {
    return new PeerHost(...settings)
  }

  #siteOf(host: string, nodeId: NodeId): string | undefined {
    const sites = this.#sites
    if (sites === undefined) return undefined
    const arc = Math.floor((sites * Number.parseInt(nodeId.slice(0, 4), 16)) / 0x1_0000)
    return `site${this.#sitesBy === "turn" ? siteOf(host, sites) : arc}`
  }

  /** Three to try: more than one, since any may be down. */
  contacts(): readonly PeerHost[] {
    return this.shuffle(this.alive).slice(0, 3)
  }
}

/** Lets time pass until the ring is whole and right; throws what is amiss after `patience`. */
export function waitUntilWhole(world: PeerWorld, patience: Duration): void {
  const end = after(world.now, patience)
  for (let amiss = ringAmiss(world); amiss !== undefined; amiss = ringAmiss(world)) {
    if (world.now >= end) throw new Error(`after ${patience} ms ${amiss}`)
    world.run(STEP)
  }
  const complaint = chordComplaint(world)
  if (complaint !== undefined) throw new Error(complaint)
}
