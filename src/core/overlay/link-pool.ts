import type { Certificate } from "../identity/certificate.ts"
import type { NodeId } from "../identity/node-id.ts"
import { type Address, formatAddress } from "../kit/address.ts"
import { FormatError } from "../kit/errors.ts"
import { fromHex } from "../kit/hex.ts"
import { LIMITS } from "../kit/limits.ts"
import { after, type Duration, type Instant, milliseconds, seconds } from "../kit/time.ts"
import { Framing } from "../link/framing.ts"
import type { Fabric } from "./fabric.ts"
import { type AttemptId, type LinkId, type LinkWatch, type OverlayInput, WATCHFUL } from "./interface.ts"

/** A link to a node whose certificate is trusted. */
export interface Link {
  readonly id: LinkId
  readonly node: NodeId
  /** The other end's newest. */
  certificate: Certificate
  /** Its fingerprint, as SignerIdentity has it. */
  certificateHash: Uint8Array
  readonly framing: Framing
  /** Which end opened the connection. */
  readonly opener: NodeId
  /** When its bytes last came in. */
  heard: Instant
  /** Another link to the same node carries what we send. */
  retired: boolean
}

/** What the pool tells the rest of the overlay. */
export interface LinkEvents {
  /** The first link to that node is up. */
  linked(link: Link): void
  /** The last link to that node is down. */
  unlinked(node: NodeId, reason: string): void
  message(link: Link, bytes: Uint8Array): void
  /** A message came that is too large to be taken; the link closes after this. */
  tooLarge(link: Link, head: Uint8Array): void
  /** An idle link must show that it lives. */
  probe(link: Link): void
  /** Where a connection that we opened led: to a node, to ourselves, or nowhere. */
  dialed(address: Address, result: NodeId | { readonly failed: string }): void
}

/** A round that begins so late tells that we slept ourselves; nobody else is to blame for silence then. */
const OVERSLEPT = milliseconds(400)
/** A link that brings nothing for so long while it owes an acknowledgement is dead. */
const PATIENCE = milliseconds(1_500)
/** The same at most, where acknowledgements have been slow to come of late: the machine there has too much to do. */
const LONGEST_PATIENCE = seconds(4)
/** So many times as long as the slowest acknowledgement of late. */
const SPARE = 2
/** An acknowledgement may wait behind much else, in a queue that moves. One that takes so long does not come. */
const UNACKNOWLEDGED = seconds(15)
/** So many neighbors on each side are watched so closely; a wide ring has more, which would cost too much. */
const WATCHED = 3
const OTHER_IDLE = seconds(30)
/** Where there are no more links than that, all are watched as those to neighbors are: it costs half a percent of a core. */
const FEW = 12
/** A second peer that falls silent so soon after the last one tells that more may have: all that are quiet are asked. */
const TOGETHER = seconds(10)
/** And not again for so long, however many fall silent: a message or two a second where there are few links, fifty where there are 256. */
const BETWEEN_ALARMS = seconds(5)
/** How long a second link to a node still brings what is in flight. */
const GRACE = seconds(2)

type Opened = Extract<OverlayInput, { kind: "link-opened" }>

interface Attempt {
  readonly address: Address
  /** Who has to answer there; undefined: whoever does. */
  readonly expected: NodeId | undefined
}

/**
 * Links to other nodes, one that counts for each. RFC 6940 §6.6.
 *
 * Where both ends open one at once, the one that the smaller Node-ID opened is kept; of two that the same
 * end opened, the newer. The other is still heard for a while.
 */
export class LinkPool {
  readonly #fabric: Fabric
  readonly #events: LinkEvents
  readonly #watch: () => LinkWatch
  readonly #links = new Map<LinkId, Link>()
  readonly #byNode = new Map<NodeId, Link>()
  readonly #attempts = new Map<AttemptId, Attempt>()
  /** Their addresses, as they are written: one attempt for each. */
  readonly #dialed = new Set<string>()
  readonly #addresses = new Map<NodeId, Address>()
  #isClosed = false
  #nextAttempt = 0
  #nextRound: Instant | undefined
  #excusedUntil = 0 as Instant
  /** When a peer was last found silent. */
  #silenceAt: Instant | undefined
  #alarmAt: Instant | undefined

  constructor(fabric: Fabric, events: LinkEvents) {
    this.#fabric = fabric
    this.#events = events
    this.#watch = fabric.settings.watch ?? (() => WATCHFUL)
  }

  to(node: NodeId): Link | undefined {
    return this.#byNode.get(node)
  }

  /** The links that count. */
  all(): Iterable<Link> {
    return this.#byNode.values()
  }

  get size(): number {
    return this.#byNode.size
  }

  addressOf(node: NodeId): Address | undefined {
    return this.#addresses.get(node)
  }

  /** What a linked node says of itself, or where we have reached it. */
  learnAddress(node: NodeId, address: Address): void {
    if (this.#addresses.size < LIMITS.reload.links || this.#addresses.has(node))
      this.#addresses.set(node, address)
  }

  isDialing(address: Address): boolean {
    return this.#dialed.has(formatAddress(address))
  }

  dial(address: Address, expected: NodeId | undefined): void {
    if (this.isDialing(address) || this.#attempts.size >= LIMITS.reload.linkAttempts) return
    const attempt = this.#nextAttempt++
    this.#attempts.set(attempt, { address, expected })
    this.#dialed.add(formatAddress(address))
    this.#fabric.emit({ kind: "open-link", attempt, address })
  }

  opened({ link: id, attempt: attemptId, certificate: der, remote }: Opened): void {
    const attempt = this.#takeAttempt(attemptId)
    const certificate = this.#trusted(der)
    if (typeof certificate === "string") {
      this.#fabric.refuse("certificate")
      this.#fabric.log("warn", "overlay.link-refused", { remote: formatAddress(remote), reason: certificate })
      this.#closeStranger(id, certificate)
      if (attempt) this.#events.dialed(attempt.address, { failed: certificate })
      return
    }
    const node = certificate.nodeIds[0]!
    if (attempt) this.#events.dialed(attempt.address, node)
    if (node === this.#fabric.self) return this.#closeStranger(id, "it leads to ourselves")
    if (attempt?.expected !== undefined && attempt.expected !== node)
      return this.#closeStranger(id, `another node answers there than ${attempt.expected}`)
    if (this.#isClosed) return this.#closeStranger(id, "we have left")
    if (this.#links.size >= LIMITS.reload.links) return this.#closeStranger(id, "too many links")
    if (attempt) this.learnAddress(node, attempt.address)
    this.#add({
      id,
      node,
      certificate,
      certificateHash: fromHex(certificate.fingerprint),
      framing: new Framing(this.#fabric.configuration.maxMessageSize),
      opener: attempt ? this.#fabric.self : node,
      heard: this.#fabric.now,
      retired: false,
    })
  }

  failed(attemptId: AttemptId, reason: string): void {
    const attempt = this.#takeAttempt(attemptId)
    if (attempt) this.#events.dialed(attempt.address, { failed: reason })
  }

  #takeAttempt(id: AttemptId | undefined): Attempt | undefined {
    const attempt = id === undefined ? undefined : this.#attempts.get(id)
    if (attempt === undefined) return undefined
    this.#attempts.delete(id!)
    this.#dialed.delete(formatAddress(attempt.address))
    return attempt
  }

  received(id: LinkId, bytes: Uint8Array): void {
    const link = this.#links.get(id)
    if (link === undefined) return
    link.heard = this.#fabric.now
    for (const event of link.framing.receive(bytes, this.#fabric.now)) {
      switch (event.kind) {
        case "message":
          this.#fabric.emit({ kind: "link-send", link: id, bytes: event.acknowledgement })
          this.#events.message(link, event.bytes)
          break
        case "too-large":
          this.#fabric.refuse("too-large")
          this.#events.tooLarge(link, event.head)
          this.#cut(
            link,
            `it sends a message of ${event.length} bytes, above max-message-size ${this.#fabric.configuration.maxMessageSize}`,
          )
          break
        case "broken":
          this.#fabric.refuse("not-reload")
          this.#cut(link, event.reason)
          break
      }
    }
  }

  /** What it sends cannot be read on. */
  #cut(link: Link, cause: string): void {
    const reason = `${cause}; the link was cut: run versions on both nodes that go together`
    this.#fabric.log("warn", "overlay.link-cut", { node: link.node, reason })
    this.close(link, cause)
  }

  /** The other end has signed under this certificate, which is trusted: from now on it is the link's, if it is newer. */
  renewed(link: Link, certificate: Certificate): void {
    if (certificate.notBefore <= link.certificate.notBefore) return
    link.certificate = certificate
    link.certificateHash = fromHex(certificate.fingerprint)
  }

  closed(id: LinkId, reason: string): void {
    const link = this.#links.get(id)
    if (link) this.#remove(link, reason)
  }

  /** A message behind FRAME_HEADER free bytes. */
  send(link: Link, bytes: Uint8Array): void {
    link.framing.frameInPlace(bytes, this.#fabric.now)
    this.#fabric.emit({ kind: "link-send", link: link.id, bytes })
  }

  close(link: Link, reason: string): void {
    if (!this.#links.has(link.id)) return
    this.#fabric.emit({ kind: "close-link", link: link.id, reason })
    this.#remove(link, reason)
  }

  /** For good: links that open now are closed again. */
  closeAll(reason: string): void {
    this.#isClosed = true
    for (const link of [...this.#links.values()]) this.close(link, reason)
  }

  #trusted(der: Uint8Array): Certificate | string {
    try {
      const certificate = this.#fabric.cryptography.readCertificate(der)
      return this.#fabric.judge(certificate) ?? certificate
    } catch (problem) {
      if (problem instanceof FormatError) return problem.message
      throw problem
    }
  }

  #closeStranger(link: LinkId, reason: string): void {
    this.#fabric.emit({ kind: "close-link", link, reason })
  }

  #add(link: Link): void {
    this.#links.set(link.id, link)
    this.#startRounds()
    const other = this.#byNode.get(link.node)
    if (other === undefined) {
      this.#byNode.set(link.node, link)
      return this.#events.linked(link)
    }
    const winner = this.#isBetter(link, other) ? link : other
    this.#byNode.set(link.node, winner)
    winner.retired = false
    const loser = winner === link ? other : link
    loser.retired = true
    this.#fabric.in(GRACE, () => {
      if (loser.retired) this.close(loser, "another link to this node is kept")
    })
  }

  #isBetter(newer: Link, older: Link): boolean {
    return newer.opener === older.opener || newer.opener < older.opener
  }

  #remove(link: Link, reason: string): void {
    this.#links.delete(link.id)
    if (this.#byNode.get(link.node) !== link) return
    const other = this.#links.values().find(({ node }) => node === link.node)
    if (other) {
      other.retired = false
      this.#byNode.set(link.node, other)
      return
    }
    this.#byNode.delete(link.node)
    this.#events.unlinked(link.node, reason)
  }

  #startRounds(): void {
    if (this.#nextRound !== undefined) return
    this.#nextRound = after(this.#fabric.now, this.#watch().round)
    this.#fabric.schedule.at(this.#nextRound, () => this.#round())
  }

  /** Where bytes come in, somebody lives at the other end, though it may be a while until it comes to what we have sent. */
  #isDead({ framing, heard }: Link): boolean {
    const { now } = this.#fabric
    const waiting = framing.waitingSince
    if (after(waiting, PATIENCE) > now || this.#excusedUntil > now) return false
    const usual = Math.max(PATIENCE, SPARE * framing.slowest(now))
    const patience = Math.min(usual, LONGEST_PATIENCE) as Duration
    const isSilent = after(waiting, patience) <= now && after(heard, patience) <= now
    return isSilent || after(waiting, UNACKNOWLEDGED) <= now
  }

  #round(): void {
    const { now, topology, settings } = this.#fabric
    if (now > after(this.#nextRound!, OVERSLEPT)) this.#excusedUntil = after(now, PATIENCE)
    this.#nextRound = undefined
    if (this.#links.size === 0) return
    this.#startRounds()
    const { neighborIdle } = this.#watch()
    const { predecessors, successors } = topology.neighbors()
    const neighbors = new Set([...predecessors.slice(0, WATCHED), ...successors.slice(0, WATCHED)])
    for (const link of [...this.#byNode.values()]) {
      const silentSince = link.framing.waitingSince
      if (this.#isDead(link)) {
        this.close(link, "it does not answer any more")
        this.#fellSilent()
        continue
      }
      const isWatched = this.#byNode.size <= FEW || neighbors.has(link.node)
      const idle = isWatched ? neighborIdle : OTHER_IDLE
      // About so long, so that not all are probed at once.
      const jittered = (idle * (0.8 + 0.4 * settings.random.next())) as Duration
      if (silentSince > now && after(link.heard, jittered) <= now) this.#events.probe(link)
    }
  }

  /**
   * Where a site or half of a ring is gone, a request would meet one dead peer after another, and wait for each to be found
   * out. So the second silence has all links probed that have brought nothing for as long. RFC 6940 §6.5.3.
   */
  #fellSilent(): void {
    const { now } = this.#fabric
    const isFirst = this.#silenceAt === undefined || after(this.#silenceAt, TOGETHER) < now
    this.#silenceAt = now
    if (isFirst || (this.#alarmAt !== undefined && after(this.#alarmAt, BETWEEN_ALARMS) > now)) return
    this.#alarmAt = now
    for (const link of [...this.#byNode.values()])
      if (link.framing.waitingSince > now && after(link.heard, PATIENCE) <= now) this.#events.probe(link)
  }
}
