import { createSecureContext, createServer, type SecureContextOptions, type TLSSocket } from "node:tls"
import { type Address, formatAddress } from "../../core/kit/address.ts"
import type { TlsMaterial } from "../kit/interface.ts"
import { HOST_LIMITS } from "../kit/limits.ts"
import { openAcceptor, type RenewableAcceptor, renewable } from "./acceptor.ts"
import { type Cancel, type Dialled, dialTls } from "./dial.ts"
import type { EnrolmentHttp } from "./enrolment-http.ts"
import type { FabricTrust } from "./fabric-trust.ts"
import { remoteOf } from "./listen.ts"
import { FABRIC_PROTOCOLS, type KeyLog, TLS_VERSIONS } from "./tls.ts"

export interface FabricPortSettings {
  readonly bind: Address
  readonly material: TlsMaterial
  readonly trust: FabricTrust
  readonly keyLog: KeyLog
  /** Undefined: this node does not enrol, and says so by refusing the protocol. */
  readonly enrolment: EnrolmentHttp | undefined
  /** A RELOAD link came up; answers false where it was closed for want of a certificate. */
  readonly link: (socket: TLSSocket, remote: Address) => boolean
  /** A node of the fabric connected for SIP. */
  readonly sip: (socket: TLSSocket, remote: Address, node: string) => void
  /** A connection was closed; `cause` is a word for a counter, `detail` a sentence for the log. */
  readonly refused: (cause: string, remote: Address, detail: string) => void
}

/**
 * The RELOAD port: one TLS listener for links, SIP between nodes, and enrolment, told apart by ALPN.
 * A client that names no protocol is a RELOAD node, since RFC 6940 §6.6 knows no ALPN.
 */
export async function openFabricPort(settings: FabricPortSettings): Promise<RenewableAcceptor> {
  const { bind, material, trust, enrolment, refused } = settings
  const offered: readonly string[] = Object.values(FABRIC_PROTOCOLS).filter(
    (protocol) => protocol !== FABRIC_PROTOCOLS.enrolment || enrolment !== undefined,
  )
  const server = createServer(
    {
      ...showing(material, trust),
      requestCert: true,
      rejectUnauthorized: false, // The overlay judges links, `trust` judges SIP, enrolment needs none.
      handshakeTimeout: HOST_LIMITS.streams.handshakeTimeout,
      ALPNCallback: ({ protocols }) => protocols.find((protocol) => offered.includes(protocol)),
    },
    (socket) => route(settings, socket, remoteOf(socket)),
  )
  settings.keyLog(server)
  server.on("tlsClientError", (cause, socket) => {
    socket.destroy()
    refused("tls", remoteOf(socket), cause.message)
  })
  const acceptor = await openAcceptor({
    name: "reload",
    bind,
    limits: HOST_LIMITS.links,
    accepted: (socket) => server.emit("connection", socket),
    refused: (cause) => refused(cause, bind, "the connection was closed unheard"),
  })
  return renewable(acceptor, (fresh) => server.setSecureContext(showing(fresh, trust)))
}

const showing = (material: TlsMaterial, trust: FabricTrust): SecureContextOptions => ({
  ...TLS_VERSIONS,
  cert: material.certificate,
  key: material.key,
  ca: [...trust.rootsPem],
})

function route(settings: FabricPortSettings, socket: TLSSocket, remote: Address): void {
  const { enrolment, trust, refused } = settings
  socket.on("error", () => undefined) // `close` follows, and is what the owner of the socket hears.
  switch (socket.alpnProtocol) {
    case FABRIC_PROTOCOLS.sip: {
      const judged = trust.judge(socket.getPeerX509Certificate()?.raw)
      if (judged.kind === "node") {
        settings.sip(socket, remote, judged.node)
      } else {
        socket.destroy()
        refused("certificate", remote, judged.reason)
      }
      break
    }
    case FABRIC_PROTOCOLS.enrolment:
      if (!enrolment?.serve(socket)) refused("too-many", remote, "too many enrol at once")
      break
    default:
      if (!settings.link(socket, remote)) refused("certificate", remote, "the other end shows no certificate")
  }
}

export interface FabricDialler {
  /** As a RELOAD node; whoever answers is the overlay's to judge. */
  link(address: Address, done: (result: Dialled<TLSSocket>) => void): Cancel
  /** What to show from now on. */
  renew(material: TlsMaterial): void
  /** For SIP; fails where it is not `node`, by a certificate of the fabric, that answers. */
  sip(node: string, address: Address, done: (result: Dialled<TLSSocket>) => void): Cancel
}

/** Connects to RELOAD ports of other nodes, under our own certificate. */
export function createFabricDialler(
  material: TlsMaterial,
  trust: FabricTrust,
  keyLog: KeyLog,
): FabricDialler {
  let secureContext = createSecureContext(showing(material, trust))
  const dial = (protocol: string, address: Address, done: (result: Dialled<TLSSocket>) => void) =>
    dialTls(address, { secureContext, rejectUnauthorized: false, ALPNProtocols: [protocol] }, keyLog, done)
  return {
    renew: (fresh) => {
      secureContext = createSecureContext(showing(fresh, trust))
    },
    link: (address, done) => dial(FABRIC_PROTOCOLS.reload, address, done),
    sip: (node, address, done) =>
      dial(FABRIC_PROTOCOLS.sip, address, (result) => {
        const problem = result.kind === "up" ? unlike(node, result.socket, trust) : undefined
        if (result.kind === "failed" || problem === undefined) {
          done(result)
        } else {
          result.socket.destroy()
          done({ kind: "failed", reason: `${formatAddress(address)}: ${problem}` })
        }
      }),
  }
}

/** Why the other end is not that node, ready for SIP; undefined where it is. */
function unlike(node: string, socket: TLSSocket, trust: FabricTrust): string | undefined {
  if (socket.alpnProtocol !== FABRIC_PROTOCOLS.sip) return "it does not speak SIP between nodes"
  const judged = trust.judge(socket.getPeerX509Certificate()?.raw)
  if (judged.kind === "stranger") return judged.reason
  return judged.node === node ? undefined : `it is the node ${judged.node}, not ${node}`
}
