import type { Server, Socket } from "node:net"
import { type Address, formatAddress } from "../../core/kit/address.ts"
import { CarillonError } from "../../core/kit/errors.ts"

/** What a port is for, as the command line's option names it. */
export type PortName = "sip" | "sips" | "reload"

/** Another program holds a port that we were told to take. */
export class PortTakenError extends CarillonError {
  readonly code = "host.port-taken"
}

/** A port cannot be listened on for another reason: no such address here, no permission. */
export class ListenError extends CarillonError {
  readonly code = "host.listen"
}

/** The error of a failed bind in the operator's words. `cause` is what the system said. */
export function listenFailure(
  cause: NodeJS.ErrnoException,
  protocol: "TCP" | "UDP",
  name: PortName,
  address: { readonly host: string; readonly port: number },
): PortTakenError | ListenError {
  const where = `${protocol} port ${address.port} on ${address.host}`
  switch (cause.code) {
    case "EADDRINUSE":
      return new PortTakenError(
        `${where} is taken by another program: stop that program, or choose another port with --${name}-port`,
        { cause },
      )
    case "EACCES":
      return new ListenError(
        `${where} needs more permission: choose a port above 1023 with --${name}-port, or grant CAP_NET_BIND_SERVICE`,
        { cause },
      )
    case "EADDRNOTAVAIL":
      return new ListenError(
        `${where} cannot be bound: ${address.host} is no address of this machine; give one that is with --host`,
        { cause },
      )
    default:
      return new ListenError(
        `${where} cannot be bound (${cause.code ?? cause.message}): check --host and --${name}-port`,
        { cause },
      )
  }
}

/** Listens on TCP. Answers the port, which the system chose where 0 was asked. Throws as `listenFailure` says. */
export function listenTcp(
  server: Server,
  name: PortName,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error) => reject(listenFailure(cause, "TCP", name, { host, port }))
    server.once("error", failed)
    // Not shared with cluster siblings; a bind to "::" takes IPv4 as well.
    server.listen({ host, port, exclusive: true, backlog: 1_024 }, () => {
      server.off("error", failed)
      const bound = server.address()
      resolve(typeof bound === "object" && bound !== null ? bound.port : port)
    })
  })
}

/** `::ffff:192.0.2.1`, as a dual-stack socket names an IPv4 peer, is 192.0.2.1 to everyone else. */
export const plainHost = (host: string): string =>
  host.startsWith("::ffff:") && host.includes(".") ? host.slice(7) : host

/** Who is at the other end. Of a socket that is closed already: nobody, port 0. */
export const remoteOf = (socket: Socket): Address => ({
  host: plainHost(socket.remoteAddress ?? ""),
  port: socket.remotePort ?? 0,
})

/** What went wrong on a socket towards `peer`, in words that a person understands. */
export function socketFailure(
  cause: NodeJS.ErrnoException & { readonly reason?: string },
  peer: { readonly host: string; readonly port: number },
): string {
  const where = formatAddress(peer)
  // OpenSSL's own messages carry file names and numbers; its reason is the part worth reading.
  if (cause.reason !== undefined) return `${where}: TLS failed: ${cause.reason}`
  const words = cause.code === undefined ? undefined : SOCKET_WORDS[cause.code]
  return words === undefined ? `${where}: ${cause.message}` : `${where} ${words}`
}

const SOCKET_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused the connection",
  ECONNRESET: "reset the connection",
  EPIPE: "closed the connection",
  ETIMEDOUT: "did not answer in time",
  EHOSTUNREACH: "cannot be reached: no route to the host",
  ENETUNREACH: "cannot be reached: no route to the network",
}
