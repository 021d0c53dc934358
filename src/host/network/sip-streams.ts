import type { Socket } from "node:net"
import type { TLSSocket } from "node:tls"
import type { Address } from "../../core/kit/address.ts"
import { formatAddress } from "../../core/kit/address.ts"
import type { ResolvedHop } from "../../core/node/interface.ts"
import type { Flow } from "../../core/sip/transport.ts"
import type { Clock } from "../kit/clock.ts"
import { HOST_LIMITS } from "../kit/limits.ts"
import { type Cancel, type Dialled, dialTcp } from "./dial.ts"
import { plainHost } from "./listen.ts"
import { type ConnectionEvents, SipConnection } from "./sip-connection.ts"

export interface StreamSettings {
  readonly clock: Clock
  readonly message: ConnectionEvents["message"]
  readonly cut: ConnectionEvents["cut"]
  /** An established connection is gone. */
  readonly flowClosed: (flow: Flow) => void
  /** Connects to a TLS server and judges its certificate against `serverName`, else the address. */
  readonly dialTls: (
    address: Address,
    serverName: string | undefined,
    done: (result: Dialled<TLSSocket>) => void,
  ) => Cancel
  /** Connects to a node of the fabric for SIP and makes sure that it is that node. */
  readonly dialNode: (node: string, address: Address, done: (result: Dialled<TLSSocket>) => void) => Cancel
}

/** Called once, later, with a sentence, where a message could not be sent. */
type Failed = (reason: string) => void

interface Waiting {
  readonly bytes: Uint8Array
  readonly failed: Failed
}

interface Dialling {
  readonly waiting: Waiting[]
  readonly cancel: Cancel
}

type StreamHop = Exclude<ResolvedHop, { kind: "flow" }>
type Opened = (result: Dialled) => void

/** All SIP connections of this node, TCP and TLS, accepted and opened: RFC 3261 §18's connection table. */
export class SipStreams {
  readonly #settings: StreamSettings
  readonly #open = new Map<number, SipConnection>()
  /** Connections that may be used again, by what they lead to. */
  readonly #leading = new Map<string, SipConnection>()
  readonly #dialling = new Map<string, Dialling>()
  readonly #sweeper: NodeJS.Timeout
  #lastNumber = 0

  constructor(settings: StreamSettings) {
    this.#settings = settings
    this.#sweeper = setInterval(() => this.#sweep(), HOST_LIMITS.streams.sweepInterval)
    this.#sweeper.unref()
  }

  /** Open connections: of phones and foreign servers by transport, and of nodes. */
  get counts(): { readonly tcp: number; readonly tls: number; readonly node: number } {
    const counts = { tcp: 0, tls: 0, node: 0 }
    for (const { flow } of this.#open.values()) {
      counts[flow.node !== undefined ? "node" : flow.transport === "TCP" ? "tcp" : "tls"]++
    }
    return counts
  }

  /**
   * Takes over a connection that was accepted. `node` is who is at its other end, where a
   * certificate of the fabric says so. What is sent to that end from now on goes over it.
   */
  accept(socket: Socket, transport: "TCP" | "TLS", remote: Address, node: string | undefined): void {
    const key =
      node === undefined
        ? keyOf({ kind: "address", transport, address: remote, serverName: undefined })
        : `node ${node}`
    this.#adopt(socket, key, transport, remote, node, node === undefined)
  }

  /** Over the connection of that number and no other. */
  sendOver(flow: Flow, bytes: Uint8Array, failed: Failed): void {
    const connection = flow.connection === undefined ? undefined : this.#open.get(flow.connection)
    if (connection === undefined) later(failed, "the connection is closed")
    else connection.write(bytes, failed)
  }

  /** Over a connection that leads there, which is opened where there is none. */
  sendTo(hop: StreamHop, bytes: Uint8Array, failed: Failed): void {
    const key = keyOf(hop)
    const connection = this.#leading.get(key)
    if (connection?.isOpen) {
      connection.write(bytes, failed)
      return
    }
    const dialling = this.#dialling.get(key) ?? this.#dial(hop, key)
    if (dialling === undefined) later(failed, "this node has too many connections open")
    else if (dialling.waiting.length < HOST_LIMITS.streams.waitingMessages)
      dialling.waiting.push({ bytes, failed })
    else later(failed, `too many messages wait for ${formatAddress(hop.address)} already`)
  }

  close(flow: Flow): void {
    if (flow.connection !== undefined) this.#open.get(flow.connection)?.end()
  }

  stop(): void {
    clearInterval(this.#sweeper)
    for (const { cancel } of this.#dialling.values()) cancel()
    for (const connection of this.#open.values()) connection.destroy()
  }

  #dial(hop: StreamHop, key: string): Dialling | undefined {
    if (this.#open.size + this.#dialling.size >= HOST_LIMITS.streams.connections) return undefined
    const opened: Opened = (result) => {
      this.#dialling.delete(key)
      if (result.kind === "failed") {
        for (const { failed } of dialling.waiting) failed(result.reason)
        return
      }
      const isNode = hop.kind === "node"
      const transport = isNode || hop.transport !== "TCP" ? "TLS" : "TCP"
      const connection = this.#adopt(
        result.socket,
        key,
        transport,
        hop.address,
        isNode ? hop.node : undefined,
        false,
      )
      for (const { bytes, failed } of dialling.waiting) connection.write(bytes, failed)
    }
    const dialling: Dialling = { waiting: [], cancel: this.#connect(hop, opened) }
    this.#dialling.set(key, dialling)
    return dialling
  }

  #connect(hop: StreamHop, opened: Opened): Cancel {
    if (hop.kind === "node") return this.#settings.dialNode(hop.node, hop.address, opened)
    if (hop.transport === "TCP") return dialTcp(hop.address, opened)
    if (hop.transport === "TLS") return this.#settings.dialTls(hop.address, hop.serverName, opened)
    // WebSocket servers are reached by nobody: RFC 7118 §4 has clients connect to them.
    const refusal = setImmediate(() =>
      opened({ kind: "failed", reason: `${hop.transport} takes no connection` }),
    )
    return () => clearImmediate(refusal)
  }

  #adopt(
    socket: Socket,
    key: string,
    transport: "TCP" | "TLS",
    remote: Address,
    node: string | undefined,
    isStranger: boolean,
  ): SipConnection {
    const { clock, message, cut, flowClosed } = this.#settings
    const number = ++this.#lastNumber
    const local = { host: plainHost(socket.localAddress ?? ""), port: socket.localPort ?? 0 }
    const flow: Flow = { transport, local, remote, connection: number, node }
    const connection = new SipConnection(socket, flow, isStranger, clock, {
      message,
      cut,
      closed: () => {
        this.#open.delete(number)
        if (this.#leading.get(key) === connection) this.#leading.delete(key)
        flowClosed(flow)
      },
    })
    this.#open.set(number, connection)
    this.#leading.set(key, connection)
    return connection
  }

  #sweep(): void {
    const now = this.#settings.clock()
    for (const connection of this.#open.values()) connection.sweep(now)
  }
}

/** Never from within the call that asked: a failure is an input like any other. */
const later = (failed: Failed, reason: string) => queueMicrotask(() => failed(reason))

/**
 * What a connection leads to. A TLS connection is good only for the name that its certificate was
 * checked for; one that we accepted was checked for none.
 */
function keyOf(hop: StreamHop): string {
  if (hop.kind === "node") return `node ${hop.node}`
  return `${hop.transport} ${formatAddress(hop.address)} ${hop.serverName ?? ""}`
}
