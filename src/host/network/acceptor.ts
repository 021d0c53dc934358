import { createServer, type Socket } from "node:net"
import type { Address } from "../../core/kit/address.ts"
import type { TlsMaterial } from "../kit/interface.ts"
import { listenTcp, type PortName, plainHost } from "./listen.ts"

export interface AcceptorSettings {
  readonly name: PortName
  readonly bind: Address
  readonly limits: { readonly connections: number; readonly connectionsPerSource: number }
  readonly accepted: (socket: Socket, remote: Address) => void
  /** A connection was closed unheard; `cause` is a word for a counter. */
  readonly refused: (cause: string) => void
}

export interface Acceptor {
  readonly port: number
  /** Connections open now, those in their TLS handshake included. */
  readonly open: number
  /** Listens no longer, and cuts every connection. */
  close(): Promise<void>
}

/** One whose certificate can be renewed: for handshakes from then on. */
export interface RenewableAcceptor extends Acceptor {
  renew(material: TlsMaterial): void
}

/** The same acceptor, with that way of taking a new certificate. */
export const renewable = (acceptor: Acceptor, renew: RenewableAcceptor["renew"]): RenewableAcceptor => ({
  port: acceptor.port,
  get open() {
    return acceptor.open
  },
  close: () => acceptor.close(),
  renew,
})

/** A TCP listener that bounds how many connections there are, in all and from one source. */
export async function openAcceptor(settings: AcceptorSettings): Promise<Acceptor> {
  const { limits, accepted, refused } = settings
  const open = new Set<Socket>()
  const bySource = new Map<string, number>()
  const count = (source: string, by: number) => {
    const left = (bySource.get(source) ?? 0) + by
    if (left > 0) bySource.set(source, left)
    else bySource.delete(source)
  }

  const admit = (socket: Socket) => {
    const { remoteAddress, remotePort } = socket
    if (remoteAddress === undefined || remotePort === undefined) {
      socket.destroy() // Gone before we could look.
      return
    }
    const remote = { host: plainHost(remoteAddress), port: remotePort }
    const problem =
      open.size >= limits.connections
        ? "too-many"
        : (bySource.get(remote.host) ?? 0) >= limits.connectionsPerSource
          ? "too-many-from-source"
          : undefined
    if (problem !== undefined) {
      socket.destroy()
      refused(problem)
      return
    }
    open.add(socket)
    count(remote.host, 1)
    socket.once("close", () => {
      open.delete(socket)
      count(remote.host, -1)
    })
    socket.on("error", ignore)
    accepted(socket, remote)
  }

  const server = createServer(KEEP_ALIVE, admit)
  const port = await listenTcp(server, settings.name, settings.bind)
  // After the bind only accepting can fail, for want of file descriptors; those who knock try again.
  server.on("error", () => refused("accept-failed"))
  return {
    port,
    get open() {
      return open.size
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
}

/** `close` follows every `error` and is where connections are mourned. */
const ignore = () => undefined

/** Finds peers that vanished without a word within minutes, however long they may be idle. */
const KEEP_ALIVE = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }
