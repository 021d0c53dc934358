import type { TLSSocket } from "node:tls"
import type { Address } from "../../core/kit/address.ts"
import type { NodeInput } from "../../core/node/interface.ts"
import { HOST_LIMITS } from "../kit/limits.ts"
import type { Cancel, Dialled } from "./dial.ts"

export interface LinkSettings {
  readonly input: (input: LinkInput) => void
  /** Connects as a RELOAD node, whoever is there: the certificate is the overlay's to judge. */
  readonly dial: (address: Address, done: (result: Dialled<TLSSocket>) => void) => Cancel
  /** Each frame in a TLS record of its own, for whoever reads a capture; costs a system call each. */
  readonly separateRecords: boolean
}

type LinkInput = Extract<NodeInput, { kind: "link-opened" | "link-failed" | "link-received" | "link-closed" }>

/** The RELOAD links of this node: TLS connections by number. RFC 6940 §6.6. */
export class Links {
  readonly #settings: LinkSettings
  readonly #open = new Map<number, TLSSocket>()
  readonly #dialling = new Set<Cancel>()
  #lastNumber = 0

  constructor(settings: LinkSettings) {
    this.#settings = settings
  }

  get count(): number {
    return this.#open.size
  }

  /** Connects; `link-opened` or `link-failed` follows, with this attempt. */
  open(attempt: number, address: Address): void {
    const cancel = this.#settings.dial(address, (result) => {
      this.#dialling.delete(cancel)
      if (result.kind === "up") this.adopt(result.socket, attempt, address)
      else this.#settings.input({ kind: "link-failed", attempt, reason: result.reason })
    })
    this.#dialling.add(cancel)
  }

  /**
   * Takes over a connection whose handshake is done. One whose other end shows no certificate is
   * closed: nobody can be told who it is. Answers whether the link was taken.
   */
  adopt(socket: TLSSocket, attempt: number | undefined, remote: Address): boolean {
    const certificate = socket.getPeerX509Certificate()?.raw
    if (certificate === undefined) {
      socket.destroy()
      if (attempt !== undefined) {
        this.#settings.input({ kind: "link-failed", attempt, reason: "the other end shows no certificate" })
      }
      return false
    }
    const link = ++this.#lastNumber
    this.#open.set(link, socket)
    if (this.#settings.separateRecords) oneRecordPerWrite(socket)
    const { input } = this.#settings
    // The core takes no Buffer: whose `slice` is a window, and whose `subarray` takes several times as long.
    socket.on("data", ({ buffer, byteOffset, length }) => {
      if (!this.#open.has(link)) return
      input({ kind: "link-received", link, bytes: new Uint8Array(buffer, byteOffset, length) })
    })
    let cause = "closed by the other end"
    socket.on("error", (error) => {
      cause = error.message
    })
    socket.once("close", () => this.#closed(link, cause))
    input({ kind: "link-opened", link, attempt, certificate, remote })
    return true
  }

  /** Nothing happens where the link is gone: `link-closed` has said so, or will. */
  send(link: number, bytes: Uint8Array): void {
    const socket = this.#open.get(link)
    if (socket === undefined) return
    this.#gather(socket)
    socket.write(bytes)
    if (socket.writableLength > HOST_LIMITS.links.unreadBytes) {
      socket.destroy()
      this.#closed(link, "the other end does not read")
    }
  }

  /** Closes once all that was written has gone. The node knows: no `link-closed` follows. */
  close(link: number): void {
    const socket = this.#open.get(link)
    if (socket === undefined) return
    this.#open.delete(link)
    socket.end()
    const cut = setTimeout(() => socket.destroy(), HOST_LIMITS.links.lingerTimeout)
    socket.once("close", () => clearTimeout(cut))
  }

  stop(): void {
    for (const cancel of this.#dialling) cancel()
    for (const socket of this.#open.values()) socket.destroy()
    this.#open.clear()
  }

  /** What one event of the platform makes us send goes out in one piece: a tenth of the system calls. */
  #gather(socket: TLSSocket): void {
    if (socket.writableCorked > 0) return
    socket.cork()
    process.nextTick(() => socket.uncork())
  }

  #closed(link: number, reason: string): void {
    if (this.#open.delete(link)) this.#settings.input({ kind: "link-closed", link, reason })
  }
}

/**
 * Keeps the stream from gathering waiting writes into one TLS record: Wireshark decodes only the
 * first RELOAD frame of a record. Gathered, a busy link carries five times as much (133,000 round
 * trips of 400 bytes a second against 24,000, 64 outstanding, both ends on one core), and without a
 * key log nobody can look into records anyway.
 */
function oneRecordPerWrite(socket: TLSSocket): void {
  Object.defineProperty(socket, "_writev", { value: undefined })
}
