import type { Identity } from "../../core/identity/certificate.ts"
import type { NodeId } from "../../core/identity/node-id.ts"
import type { Address } from "../../core/kit/address.ts"
import { fromUtf8, toUtf8 } from "../../core/kit/bytes.ts"
import type { Duration, Instant } from "../../core/kit/time.ts"
import type { NodeInput } from "../../core/node/interface.ts"
import type { Overlay, OverlayEffect, OverlayInput, Ticket } from "../../core/overlay/interface.ts"
import type { ResourceId } from "../../core/reload/header.ts"
import { SUBSCRIBER, SUBSCRIBER_INDEX } from "../../core/storage/kinds.ts"
import type { Agenda } from "../agenda.ts"
import { Disk } from "../disk.ts"
import { Drive } from "../drive.ts"
import type { EventLog } from "../event-log.ts"
import type { Network, Station } from "../network.ts"
import { RELOAD_PORT, SimPorts } from "../sim-ports.ts"
import type { Stream } from "../stream.ts"

/** How a question ended, and whether it was answered at all. */
export type StoreResult = Extract<OverlayEffect, { kind: "stored" }>["result"]
export type FetchResult = Extract<OverlayEffect, { kind: "fetched" }>["result"]

export interface PeerSurroundings {
  readonly agenda: Agenda
  readonly network: Network
  readonly log: EventLog
  readonly diskDelay: Duration
  now(): Instant
  peerAt(host: string): PeerHost | undefined
}

export interface PeerSettings {
  readonly host: string
  readonly identity: Identity
  /** Makes the overlay machine of one life. */
  readonly create: () => Overlay
}

/** What a peer that does not do as it should makes of what comes in over a link, before it obeys. */
export type Liar = (peer: PeerHost, bytes: Uint8Array) => readonly Uint8Array[]

const LIFETIME = 86_400

/** Drives one overlay machine in the invented world: a peer without SIP. */
export class PeerHost implements Station {
  readonly host: string
  readonly identity: Identity
  readonly disk = new Disk()
  readonly ports: SimPorts
  readonly #world: PeerSurroundings
  readonly #settings: PeerSettings
  readonly #drive: Drive<OverlayInput, OverlayEffect>
  readonly #questions = new Map<Ticket, (answer: OverlayEffect) => void>()
  #overlay: Overlay | undefined
  #life = 0
  #tickets = 0
  #hasPower = false
  #sent = 0
  /** Answers that nobody had asked for. */
  unasked = 0
  hasLeft = false
  liar: Liar | undefined

  constructor(world: PeerSurroundings, settings: PeerSettings) {
    this.#world = world
    this.#settings = settings
    this.host = settings.host
    this.identity = settings.identity
    const owner = {
      host: this.host,
      nodeId: this.nodeId as string,
      certificate: this.identity.certificate.der,
      portsAt: (host: string) => {
        const other = world.peerAt(host)
        return other?.alive ? other.ports : undefined
      },
      tell: (input: NodeInput) => this.#heard(input),
    }
    this.ports = new SimPorts(owner, world.network)
    this.#drive = new Drive(world, {
      takes: (input) => this.#note(describe(input)),
      perform: (effect) => this.#perform(effect),
    })
  }

  get nodeId(): NodeId {
    return this.identity.nodeId
  }

  /** Where others open links to it. */
  get address(): Address {
    return { host: this.host, port: RELOAD_PORT }
  }

  get alive(): boolean {
    return this.#overlay !== undefined
  }

  get powered(): boolean {
    return this.#hasPower && !this.#drive.isFrozen
  }

  get overlay(): Overlay {
    if (this.#overlay === undefined) throw new Error(`peer ${this.host} is down`)
    return this.#overlay
  }

  get hasJoined(): boolean {
    return this.#overlay?.status.state === "joined"
  }

  /** Messages sent in all its lives. */
  get sent(): number {
    return this.#sent
  }

  /** Begins a life, with what is on disk. */
  start(bootstrap: readonly PeerHost[]): void {
    if (this.alive) throw new Error(`peer ${this.host} is up already`)
    this.#life++
    this.#hasPower = true
    this.hasLeft = false
    this.#overlay = this.#settings.create()
    this.#overlay.restore(this.disk.contents())
    this.#drive.begin(this.#overlay)
    const addresses = bootstrap.filter((peer) => peer !== this).map(({ address }) => address)
    this.#drive.tell({ kind: "start", bootstrap: addresses })
  }

  /** As `SimHost.crash`. */
  crash(how: "reset" | "silent" = "reset", torn = 0): void {
    this.#overlay = undefined
    this.#drive.end()
    this.#hasPower = how === "reset"
    this.#questions.clear()
    this.#note(`crash ${how}`)
    this.disk.tear(torn)
    this.ports.closeAll(how)
  }

  freeze(): void {
    this.#note("freeze")
    this.#drive.freeze()
  }

  thaw(): void {
    this.#note("thaw")
    this.#drive.thaw()
  }

  slow(span: Duration): void {
    this.#drive.slow(span)
  }

  skew(span: Duration): void {
    this.#drive.setSkew(span)
  }

  /** Begins to hand over and leave; `hasLeft` when that is done. */
  leave(): void {
    this.#drive.tell({ kind: "leave" })
  }

  /**
   * Writes a text there, or with `undefined` removes what is there. With `key` it is one entry of a dictionary, which
   * stands at the same place beside the text.
   */
  store(name: string, text: string | undefined, done: (result: StoreResult) => void, key?: string): void {
    const data = { exists: text !== undefined, value: toUtf8(text ?? "") }
    const value =
      key === undefined
        ? ({ model: "single", ...data } as const)
        : ({ model: "dictionary", key: toUtf8(key), ...data } as const)
    const values = [{ kind: kindOf(key), value, lifetime: LIFETIME }]
    const ticket = this.#ask((answer) => answer.kind === "stored" && done(answer.result))
    this.#drive.tell({ kind: "store", ticket, resource: this.resource(name), values })
  }

  /** The text there; with `key` the entries of the dictionary. */
  fetch(name: string, done: (result: FetchResult) => void, key?: string): void {
    const ticket = this.#ask((answer) => answer.kind === "fetched" && done(answer.result))
    const wanted = [{ kind: kindOf(key) }]
    this.#drive.tell({ kind: "fetch", ticket, resource: this.resource(name), wanted })
  }

  resource(name: string): ResourceId {
    return this.overlay.resourceId(name)
  }

  receive(): void {
    // Peers have no use for datagrams.
  }

  lost(stream: Stream, reason: string): void {
    this.ports.lost(stream, reason)
  }

  #ask(done: (answer: OverlayEffect) => void): Ticket {
    const ticket = ++this.#tickets
    this.#questions.set(ticket, done)
    return ticket
  }

  #heard(input: NodeInput): void {
    switch (input.kind) {
      case "link-received":
        for (const bytes of this.liar && this.alive ? this.liar(this, input.bytes) : [input.bytes])
          this.#drive.tell({ ...input, bytes })
        return
      case "link-opened":
      case "link-failed":
      case "link-closed":
        this.#drive.tell(input)
    }
  }

  #perform(effect: OverlayEffect): void {
    const { log } = this.#world
    switch (effect.kind) {
      case "open-link":
        return this.ports.openLink(effect.attempt, effect.address, this.#thisLife())
      case "link-send":
        return this.#send(effect.link, effect.bytes)
      case "close-link":
        return this.ports.close(effect.link, effect.reason)
      case "persist":
        return this.disk.write(this.#world, effect.changes, (reason) => {
          const { ticket } = effect
          this.#drive.tell(
            reason === undefined ? { kind: "persisted", ticket } : { kind: "persist-failed", ticket, reason },
          )
        })
      case "fetched":
      case "stored":
      case "stat-answered":
      case "app-attached":
      case "pinged":
        return this.#answered(effect.ticket, effect)
      case "left":
        this.hasLeft = true
        return
      case "log":
        return log.noteLog(this.#world.now(), this.host, effect)
    }
  }

  #send(link: number, bytes: Uint8Array): void {
    this.#sent++
    this.ports.sendOnLink(link, bytes)
  }

  #answered(ticket: Ticket, effect: OverlayEffect): void {
    const done = this.#questions.get(ticket)
    if (done === undefined) this.unasked++
    this.#questions.delete(ticket)
    done?.(effect)
  }

  #thisLife(): () => boolean {
    const life = this.#life
    return () => this.#life === life && this.alive
  }

  #note(what: string): void {
    this.#world.log.note(this.#world.now(), this.host, what)
  }
}

/** What is stored there, at `key` or as the only text; undefined for nothing, an Error where the question failed. */
export function textIn(result: FetchResult, key?: string): string | undefined | Error {
  if (result.kind === "failed") return new Error(`${result.error}: ${result.cause}`)
  for (const { data } of result.values.get(kindOf(key)) ?? []) {
    const { value } = data
    if (value.model === "dictionary" && fromUtf8(value.key) !== key) continue
    if (value.model !== "array" && value.exists) return fromUtf8(value.value)
  }
  return undefined
}

const kindOf = (key: string | undefined) => (key === undefined ? SUBSCRIBER.id : SUBSCRIBER_INDEX.id)

/** A message of the fabric ends in its signature, which tells one run from another. */
function describe(input: OverlayInput): string {
  if (input.kind !== "link-received") return input.kind
  const { bytes } = input
  return `link-received ${bytes.length} ${bytes.slice(-4).join(".")}`
}
