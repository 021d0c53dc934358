import type { Address } from "../../core/kit/address.ts"
import { fromUtf8, toUtf8 } from "../../core/kit/bytes.ts"
import { after, type Duration } from "../../core/kit/time.ts"
import type { NodeInput } from "../../core/node/interface.ts"
import type { Overlay, OverlayEffect, OverlayInput, Ticket } from "../../core/overlay/interface.ts"
import type { ResourceId } from "../../core/reload/header.ts"
import { SUBSCRIBER, SUBSCRIBER_INDEX } from "../../core/storage/kinds.ts"
import { MachineHost } from "../machine-host.ts"

/** How a question ended, and whether it was answered at all. */
export type StoreResult = Extract<OverlayEffect, { kind: "stored" }>["result"]
export type FetchResult = Extract<OverlayEffect, { kind: "fetched" }>["result"]

/** What a peer that does not do as it should makes of what comes in over a link, before it obeys. */
export type Liar = (peer: PeerHost, bytes: Uint8Array) => readonly Uint8Array[]

const LIFETIME = 86_400

/** Drives one overlay machine in the invented world: a peer without SIP. */
export class PeerHost extends MachineHost<OverlayInput, OverlayEffect, Overlay> {
  readonly #questions = new Map<Ticket, (answer: OverlayEffect) => void>()
  #tickets = 0
  #sent = 0
  /** Answers that nobody had asked for. */
  unasked = 0
  hasLeft = false
  liar: Liar | undefined

  get overlay(): Overlay {
    return this.machine
  }

  get hasJoined(): boolean {
    return this.alive && this.overlay.status.state === "joined"
  }

  /** Messages sent in all its lives. */
  get sent(): number {
    return this.#sent
  }

  /** Begins a life, with what is on disk. */
  start(bootstrap: readonly PeerHost[]): void {
    this.startFrom(this.#addressesOf(bootstrap))
  }

  /** The same, with any addresses. */
  startFrom(bootstrap: readonly Address[]): void {
    this.live()
    this.hasLeft = false
    this.tell({ kind: "start", bootstrap })
  }

  /** Begins its first life in a ring that has stood for long, with links to those; it `wakes` a moment later. */
  resume(bootstrap: readonly PeerHost[], linked: readonly PeerHost[], wakes: Duration): void {
    this.live()
    const resumed = linked.map(({ nodeId, address }) => ({ node: nodeId, address }))
    const isAlive = this.thisLife()
    this.world.agenda.plan(after(this.world.now(), wakes), () => {
      if (isAlive()) this.tell({ kind: "start", bootstrap: this.#addressesOf(bootstrap), resumed })
    })
  }

  #addressesOf(peers: readonly PeerHost[]): readonly Address[] {
    return peers.filter((peer) => peer !== this).map(({ address }) => address)
  }

  /** Begins to hand over and leave; `hasLeft` when that is done. */
  leave(): void {
    this.tell({ kind: "leave" })
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
    this.tell({ kind: "store", ticket, resource: this.resource(name), values })
  }

  /** The text there; with `key` the entries of the dictionary. */
  fetch(name: string, done: (result: FetchResult) => void, key?: string): void {
    const ticket = this.#ask((answer) => answer.kind === "fetched" && done(answer.result))
    const wanted = [{ kind: kindOf(key) }]
    this.tell({ kind: "fetch", ticket, resource: this.resource(name), wanted })
  }

  resource(name: string): ResourceId {
    return this.overlay.resourceId(name)
  }

  receive(): void {
    // Peers have no use for datagrams.
  }

  #ask(done: (answer: OverlayEffect) => void): Ticket {
    const ticket = ++this.#tickets
    this.#questions.set(ticket, done)
    return ticket
  }

  protected heard(input: NodeInput): void {
    switch (input.kind) {
      case "link-received":
        for (const bytes of this.liar && this.alive ? this.liar(this, input.bytes) : [input.bytes])
          this.tell({ ...input, bytes })
        return
      case "link-opened":
      case "link-failed":
      case "link-closed":
        this.tell(input)
    }
  }

  protected died(): void {
    this.#questions.clear()
  }

  protected perform(effect: OverlayEffect): void {
    const { log } = this.world
    switch (effect.kind) {
      case "open-link":
        return this.ports.openLink(effect.attempt, effect.address, this.thisLife())
      case "link-send":
        return this.#send(effect.link, effect.bytes)
      case "close-link":
        return this.ports.close(effect.link, effect.reason)
      case "persist":
        return this.persist(effect)
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
        return log.noteLog(this.world.now(), this.host, effect)
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
