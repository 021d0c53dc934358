import { type Address, sameAddress } from "../core/kit/address.ts"
import type { NodeEffect, NodeInput } from "../core/node/interface.ts"
import type { Flow } from "../core/sip/transport.ts"
import { type Network, streamFlow } from "./network.ts"
import type { Holder, Stream } from "./stream.ts"

export const SIP_PORT = 5060
export const RELOAD_PORT = 6084
/** Whatever port a connection comes from. */
const EPHEMERAL = 40_000

/** Takes bytes of SIP from a stream. */
export interface SipEnd extends Holder {
  takes(stream: Stream, bytes: Uint8Array): void
}

/** The node behind the ports. */
export interface Owner {
  readonly host: string
  readonly nodeId: string
  readonly certificate: Uint8Array
  /** Whose ports are at that host, where it lives and is not frozen. */
  portsAt(host: string): SimPorts | undefined
  tell(input: NodeInput): void
}

type Use =
  | { readonly kind: "link" }
  /** SIP between nodes. */
  | { readonly kind: "node"; readonly node: string }
  | { readonly kind: "phone"; readonly remote: Address }

type Send = Extract<NodeEffect, { kind: "send" }>

/** What one node has open: links of the fabric, SIP to and from other nodes, and streams of phones. */
export class SimPorts implements SipEnd {
  readonly host: string
  readonly #owner: Owner
  readonly #network: Network
  readonly #streams = new Map<number, { readonly stream: Stream; readonly use: Use }>()
  /** The stream that carries SIP to a node. */
  readonly #toNodes = new Map<string, Stream>()
  /** What waits until a connection to a node has come up. */
  readonly #dialing = new Map<string, Send[]>()

  constructor(owner: Owner, network: Network) {
    this.host = owner.host
    this.#owner = owner
    this.#network = network
  }

  /** A phone has connected. */
  accept(phone: SipEnd, remote: Address): Stream {
    const stream = this.#network.stream(phone, this)
    this.#keep(stream, { kind: "phone", remote })
    return stream
  }

  openLink(attempt: number, address: Address, isCurrent: () => boolean): void {
    this.#network.connect(
      this.host,
      address,
      () => this.#owner.portsAt(address.host),
      (other) => {
        if (isCurrent()) this.#linkUp(attempt, address, other)
      },
      (reason) => {
        if (isCurrent()) this.#owner.tell({ kind: "link-failed", attempt, reason })
      },
    )
  }

  sendOnLink(link: number, bytes: Uint8Array): void {
    const stream = this.#streams.get(link)?.stream
    if (stream !== undefined) this.#sendOn(stream, bytes)
  }

  send(sent: Send, isCurrent: () => boolean): void {
    const { hop, bytes } = sent
    if (hop.kind === "node") return this.#sendToNode(sent, hop.node, hop.address, isCurrent)
    if (hop.kind === "flow" && hop.flow.connection !== undefined) {
      const stream = this.#streams.get(hop.flow.connection)?.stream
      return stream ? this.#sendOn(stream, bytes) : this.#fail(sent, "the connection is closed", isCurrent)
    }
    if (hop.kind === "address" && hop.transport !== "UDP") {
      const stream = this.#streamOf(hop.address)
      return stream ? this.#sendOn(stream, bytes) : this.#fail(sent, "phones take no connections", isCurrent)
    }
    const remote = hop.kind === "flow" ? hop.flow.remote : hop.address
    this.#network.datagram({ host: this.host, port: SIP_PORT }, remote, bytes)
  }

  /** What was sent before the close still arrives. */
  close(connection: number, reason: string): void {
    const kept = this.#streams.get(connection)
    if (kept === undefined) return
    this.#forget(kept.stream)
    kept.stream.close(this, reason)
  }

  /** The process is gone: its machine resets what was open, unless that is gone too. */
  closeAll(how: "reset" | "silent"): void {
    for (const { stream } of this.#streams.values()) {
      if (how === "reset") stream.close(this, "connection reset")
      else stream.vanish(this)
    }
    this.#streams.clear()
    this.#toNodes.clear()
    this.#dialing.clear()
  }

  takes(stream: Stream, bytes: Uint8Array): void {
    const use = this.#streams.get(stream.number)?.use
    if (use === undefined) return
    if (use.kind === "link") this.#owner.tell({ kind: "link-received", link: stream.number, bytes })
    else this.#owner.tell({ kind: "received", flow: this.#flowOf(stream, use), bytes })
  }

  lost(stream: Stream, reason: string): void {
    const use = this.#forget(stream)
    if (use === undefined) return
    if (use.kind === "link") this.#owner.tell({ kind: "link-closed", link: stream.number, reason })
    else this.#owner.tell({ kind: "flow-closed", flow: this.#flowOf(stream, use) })
  }

  #sendOn(stream: Stream, bytes: Uint8Array): void {
    const other = stream.other(this) as SipEnd
    stream.send(this, () => other.takes(stream, bytes), bytes.length)
  }

  /** The handshake tells both ends the other's certificate, and that the link is up. */
  #linkUp(attempt: number, address: Address, other: SimPorts): void {
    const stream = this.#network.stream(this, other)
    const up = (at: SimPorts, from: SimPorts, attempt: number | undefined, remote: Address) =>
      stream.send(from, () => {
        at.#owner.tell({
          kind: "link-opened",
          link: stream.number,
          attempt,
          certificate: from.#owner.certificate,
          remote,
        })
      })
    this.#keep(stream, { kind: "link" })
    other.#keep(stream, { kind: "link" })
    up(other, this, undefined, { host: this.host, port: EPHEMERAL })
    up(this, other, attempt, address)
  }

  #sendToNode(sent: Send, node: string, address: Address, isCurrent: () => boolean): void {
    const known = this.#toNodes.get(node)
    if (known !== undefined) return this.#sendOn(known, sent.bytes)
    const waiting = this.#dialing.get(node)
    if (waiting !== undefined) {
      waiting.push(sent)
      return
    }
    this.#dialing.set(node, [sent])
    this.#network.connect(
      this.host,
      address,
      () => this.#owner.portsAt(address.host),
      (other) => {
        if (isCurrent()) this.#nodeReached(node, other)
      },
      (reason) => {
        if (isCurrent()) this.#failDialing(node, reason)
      },
    )
  }

  #nodeReached(node: string, other: SimPorts): void {
    if (other.#owner.nodeId !== node) return this.#failDialing(node, "another node answers there")
    const stream = this.#network.stream(this, other)
    this.#keep(stream, { kind: "node", node })
    this.#toNodes.set(node, stream)
    other.#keep(stream, { kind: "node", node: this.#owner.nodeId })
    for (const { bytes } of this.#takeDialing(node)) this.#sendOn(stream, bytes)
  }

  #failDialing(node: string, reason: string): void {
    for (const { id } of this.#takeDialing(node)) this.#owner.tell({ kind: "send-failed", id, reason })
  }

  #takeDialing(node: string): readonly Send[] {
    const waiting = this.#dialing.get(node) ?? []
    this.#dialing.delete(node)
    return waiting
  }

  #fail({ id }: Send, reason: string, isCurrent: () => boolean): void {
    this.#network.later(this.host, this.host, () => {
      if (isCurrent()) this.#owner.tell({ kind: "send-failed", id, reason })
    })
  }

  /** The stream that a phone has opened from there. */
  #streamOf(remote: Address): Stream | undefined {
    return this.#streams.values().find(({ use }) => use.kind === "phone" && sameAddress(use.remote, remote))
      ?.stream
  }

  #keep(stream: Stream, use: Use): void {
    this.#streams.set(stream.number, { stream, use })
  }

  #forget(stream: Stream): Use | undefined {
    const use = this.#streams.get(stream.number)?.use
    this.#streams.delete(stream.number)
    if (use?.kind === "node" && this.#toNodes.get(use.node) === stream) this.#toNodes.delete(use.node)
    return use
  }

  #flowOf(stream: Stream, use: Exclude<Use, { kind: "link" }>): Flow {
    if (use.kind === "phone") {
      const local = { host: this.host, port: SIP_PORT }
      return streamFlow("TCP", local, use.remote, stream.number, undefined)
    }
    const local = { host: this.host, port: RELOAD_PORT }
    const remote = { host: stream.other(this).host, port: EPHEMERAL }
    return streamFlow("TLS", local, remote, stream.number, use.node)
  }
}
