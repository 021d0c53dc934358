import { createSocket, type RemoteInfo, type Socket } from "node:dgram"
import { readFileSync } from "node:fs"
import { isIPv4, isIPv6 } from "node:net"
import type { Address } from "../../../core/kit/address.ts"
import type { DatagramWay } from "../../kit/interface.ts"
import { HOST_LIMITS } from "../../kit/limits.ts"
import { listenFailure, plainHost, socketFailure } from "../listen.ts"
import { dropsOfPort } from "./kernel-drops.ts"
import { answerKeepAlive, type DatagramSettings, type DatagramTransport, isKeepAlive } from "./transport.ts"

/** The transport over the platform's own UDP sockets. Throws `PortTakenError` or `ListenError`. */
export async function openPlainDatagrams(
  settings: DatagramSettings,
  reason: string,
): Promise<DatagramTransport> {
  const { bind } = settings
  const family = isIPv6(bind.host) ? "udp6" : "udp4"
  const socket = createSocket({
    type: family,
    lookup: literalsOnly,
    reusePort: settings.sharedPort === true,
  })
  await bound(socket, bind)
  askForBuffers(socket, settings.bufferBytes ?? HOST_LIMITS.datagrams.bufferBytes)
  const local = { host: bind.host, port: socket.address().port }
  const transport = new PlainDatagrams(socket, local, { kind: "plain", reason })
  socket.on("message", (bytes, from) => transport.take(bytes, from, settings.received))
  // A single send's failure comes to its callback; what is left concerns no message of ours.
  socket.on("error", () => undefined)
  return transport
}

class PlainDatagrams implements DatagramTransport {
  readonly local: Address
  readonly way: DatagramWay
  readonly #socket: Socket
  readonly #isDual: boolean
  readonly #senders = new Map<string, Address>()

  constructor(socket: Socket, local: Address, way: DatagramWay) {
    this.#socket = socket
    this.#isDual = isIPv6(local.host)
    this.local = local
    this.way = way
  }

  get dropped(): number | undefined {
    try {
      return dropsOfPort(
        readFileSync(this.#isDual ? "/proc/net/udp6" : "/proc/net/udp", "latin1"),
        this.local.port,
      )
    } catch {
      return undefined // Not Linux, or a kernel that does not tell.
    }
  }

  take(bytes: Uint8Array, from: RemoteInfo, received: DatagramSettings["received"]): void {
    const remote = this.#remember(plainHost(from.address), from.port)
    if (!isKeepAlive(bytes)) return received(bytes, remote)
    const answer = answerKeepAlive(bytes, remote)
    if (answer !== undefined) this.send(answer, remote, () => undefined)
  }

  #remember(host: string, port: number): Address {
    const key = `${host} ${port}`
    const known = this.#senders.get(key)
    if (known !== undefined) return known
    const sender = { host, port }
    if (this.#senders.size >= HOST_LIMITS.datagrams.flows) this.#senders.clear()
    this.#senders.set(key, sender)
    return sender
  }

  send(bytes: Uint8Array, to: Address, failed: (reason: string) => void): void {
    const host = this.#isDual && isIPv4(to.host) ? `::ffff:${to.host}` : to.host
    const problem = this.#problem(to)
    if (problem !== undefined) {
      queueMicrotask(() => failed(problem))
      return
    }
    this.#socket.send(bytes, to.port, host, (cause) => {
      if (cause) failed(socketFailure(cause, to))
    })
  }

  #problem(to: Address): string | undefined {
    if (!isIPv4(to.host) && !(this.#isDual && isIPv6(to.host))) return unreachable(to, this.local)
    if (!isPort(to.port)) return noPort(to)
    if (this.#socket.getSendQueueSize() > HOST_LIMITS.datagrams.unsentBytes) return TOO_SLOW
    return undefined
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.close(() => resolve())
    })
  }
}

export const isPort = (port: number): boolean => port > 0 && port < 65_536

// Why a datagram is not sent, whichever way.
export const unreachable = (to: Address, local: Address) =>
  `${to.host} cannot be reached from the address ${local.host}`
export const noPort = (to: Address) => `${to.port} is no port to send to`
export const TOO_SLOW = "the network takes datagrams more slowly than they are sent"

function bound(socket: Socket, { host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error) => {
      socket.close()
      reject(listenFailure(cause, "UDP", "sip", { host, port }))
    }
    socket.once("error", failed)
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.off("error", failed)
      resolve()
    })
  })
}

/** A burst of a farm's REGISTERs waits in the kernel while this process is busy. */
function askForBuffers(socket: Socket, bytes: number): void {
  try {
    socket.setRecvBufferSize(bytes)
    socket.setSendBufferSize(bytes)
  } catch {
    // The kernel's own size then; nothing depends on it but how long a burst may be.
  }
}

type Found = (error: NodeJS.ErrnoException | null, address: string, family: number) => void

/** Addresses come here as literals; a look-up per datagram would cost a turn of the event loop each. */
const literalsOnly = (host: string, _options: unknown, found: Found): void =>
  found(null, host, isIPv6(host) ? 6 : 4)
