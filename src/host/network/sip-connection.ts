import type { Socket } from "node:net"
import { type Instant, NEVER } from "../../core/kit/time.ts"
import { StreamFramer } from "../../core/sip/framing.ts"
import type { Flow } from "../../core/sip/transport.ts"
import type { Clock } from "../kit/clock.ts"
import { HOST_LIMITS } from "../kit/limits.ts"

export interface ConnectionEvents {
  readonly message: (flow: Flow, bytes: Uint8Array) => void
  /** What came is no SIP, or the peer does not read: the connection is being cut. */
  readonly cut: (flow: Flow, cause: "framing" | "not-reading" | "idle", detail: string) => void
  /** Once, at the end. */
  readonly closed: (connection: SipConnection) => void
}

/** Empty lines are keep-alives and begin no message. */
export const isCrlfOnly = (bytes: Uint8Array): boolean =>
  bytes.every((byte) => byte === 0x0d || byte === 0x0a)

const PONG = new Uint8Array([0x0d, 0x0a])

/** One established SIP stream: cuts it into messages, answers pings, and bounds what it may hold. */
export class SipConnection {
  readonly flow: Flow
  readonly #socket: Socket
  readonly #events: ConnectionEvents
  readonly #clock: Clock
  readonly #framer = new StreamFramer()
  /** When the peer last said anything. */
  #heardAt: Instant
  /** Since when a message has been incomplete; for a stranger from the start, until the first has come. */
  #unfinishedSince: Instant
  #state: "open" | "ending" | "closed" = "open"

  /** `isStranger`: it connected to us and has not shown who it is, so it must say something soon. */
  constructor(socket: Socket, flow: Flow, isStranger: boolean, clock: Clock, events: ConnectionEvents) {
    this.flow = flow
    this.#socket = socket
    this.#clock = clock
    this.#events = events
    this.#heardAt = clock()
    this.#unfinishedSince = isStranger ? this.#heardAt : NEVER
    socket.on("data", (bytes) => this.#take(bytes))
    socket.once("close", () => this.#closed())
  }

  /** False once it is being closed by either side: what leads to the same place goes another way. */
  get isOpen(): boolean {
    return this.#state === "open" && this.#socket.writable
  }

  /** `failed` is called, later, where the bytes could not be handed to the peer's machine. */
  write(bytes: Uint8Array, failed: (reason: string) => void): void {
    if (this.#state !== "open") {
      queueMicrotask(() => failed("the connection is closed"))
      return
    }
    this.#socket.write(bytes, (cause) => {
      if (cause) failed(`the connection was lost: ${cause.message}`)
    })
    const unread = this.#socket.writableLength
    if (unread > HOST_LIMITS.streams.unreadBytes) this.#cut("not-reading", `${unread} bytes wait`)
  }

  /** Closes once all that was written has gone. */
  end(): void {
    if (this.#state !== "open") return
    this.#state = "ending"
    this.#socket.end()
    const cut = setTimeout(() => this.#socket.destroy(), HOST_LIMITS.streams.lingerTimeout)
    this.#socket.once("close", () => clearTimeout(cut))
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Cuts the connection where it has been silent, or in the middle of a message, for too long. */
  sweep(now: Instant): void {
    const { idleTimeout, messageTimeout } = HOST_LIMITS.streams
    if (now - this.#heardAt > idleTimeout) this.#cut("idle", "silent for too long")
    else if (now - this.#unfinishedSince > messageTimeout) this.#cut("idle", "no whole message in time")
  }

  #take(bytes: Uint8Array): void {
    if (this.#state !== "open") return
    this.#heardAt = this.#clock()
    const units = this.#framer.push(bytes)
    if (units.length > 0) this.#unfinishedSince = NEVER
    else if (this.#unfinishedSince === NEVER && !isCrlfOnly(bytes)) this.#unfinishedSince = this.#heardAt
    for (const unit of units) {
      switch (unit.kind) {
        case "message":
          this.#events.message(this.flow, unit.bytes)
          break
        case "ping": // RFC 5626 §3.5.1
          this.write(PONG, () => undefined)
          break
        case "broken":
          this.#cut("framing", unit.reason)
          return
      }
    }
  }

  #cut(cause: "framing" | "not-reading" | "idle", detail: string): void {
    if (this.#state === "closed") return
    this.#events.cut(this.flow, cause, detail)
    this.#socket.destroy()
  }

  #closed(): void {
    this.#state = "closed"
    this.#events.closed(this)
  }
}
