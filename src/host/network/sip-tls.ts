import type { Socket } from "node:net"
import {
  createSecureContext,
  createServer,
  getCACertificates,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
} from "node:tls"
import type { Address } from "../../core/kit/address.ts"
import type { TlsMaterial } from "../kit/interface.ts"
import { HOST_LIMITS } from "../kit/limits.ts"
import { openAcceptor, type RenewableAcceptor, renewable } from "./acceptor.ts"
import { type Cancel, type Dialled, dialTls } from "./dial.ts"
import { remoteOf } from "./listen.ts"
import { checkSipIdentity } from "./sip-identity.ts"
import { type KeyLog, TLS_VERSIONS } from "./tls.ts"
import { Turns } from "./turns.ts"

export interface SipsPortSettings {
  readonly bind: Address
  readonly material: TlsMaterial
  readonly keyLog: KeyLog
  readonly accepted: (socket: TLSSocket, remote: Address) => void
  readonly refused: (cause: string, remote: Address, detail: string) => void
}

/** The port where phones speak SIP over TLS. They show no certificate: digest says who they are. */
export async function openSipsPort(settings: SipsPortSettings): Promise<RenewableAcceptor> {
  const { bind, material, keyLog, accepted, refused } = settings
  const server = createServer(
    {
      ...showing(material),
      handshakeTimeout: HOST_LIMITS.streams.handshakeTimeout,
    },
    (socket) => {
      socket.on("error", () => undefined) // `close` follows, and is what the connection table hears.
      accepted(socket, remoteOf(socket))
    },
  )
  keyLog(server)
  // Each costs a millisecond, and after a death thousands of phones may come at once.
  const handshakes = new Turns<Socket>((socket) => {
    if (!socket.destroyed) server.emit("connection", socket)
  }, HOST_LIMITS.turns.handshakes)
  server.on("tlsClientError", (cause, socket) => {
    socket.destroy()
    refused("tls", remoteOf(socket), cause.message)
  })
  const acceptor = await openAcceptor({
    name: "sips",
    bind,
    limits: HOST_LIMITS.streams,
    accepted: (socket) => handshakes.do(socket),
    refused: (cause) => refused(cause, bind, "the connection was closed unheard"),
  })
  return renewable(acceptor, (fresh) => server.setSecureContext(showing(fresh)))
}

const showing = ({ certificate, key }: TlsMaterial): SecureContextOptions => ({
  ...TLS_VERSIONS,
  cert: certificate,
  key,
})

export type SipTlsDial = (
  address: Address,
  serverName: string | undefined,
  done: (result: Dialled<TLSSocket>) => void,
) => Cancel

/**
 * Connects to SIP servers of other domains, whose certificates must chain to a root of the system
 * or to one of `trustedRoots` and be for the name that was asked for. RFC 3261 §26.3.1, RFC 5922.
 */
export function createSipTlsDialler(trustedRoots: readonly string[], keyLog: KeyLog): SipTlsDial {
  let context: SecureContext | undefined
  return (address, serverName, done) => {
    // Late and once: reading the system's roots takes longer than many a process lives.
    context ??= createSecureContext({
      ...TLS_VERSIONS,
      ca: [...systemRoots(), ...trustedRoots],
    })
    const wanted = serverName ?? address.host
    const options = {
      secureContext: context,
      rejectUnauthorized: true,
      checkServerIdentity: (_: string, certificate: Parameters<typeof checkSipIdentity>[1]) =>
        checkSipIdentity(wanted, certificate),
      // SNI carries names only, never addresses. RFC 6066 §3.
      ...(isName(wanted) ? { servername: wanted } : {}),
    }
    return dialTls(address, options, keyLog, done)
  }
}

/** Each once, since systems list them several times; where there are none, those that Node brings. */
function systemRoots(): ReadonlySet<string> {
  const system = getCACertificates("system")
  return new Set(system.length > 0 ? system : getCACertificates("default"))
}

const isName = (host: string): boolean => /[a-z]/i.test(host) && !host.includes(":")
