import type { Address } from "../core/kit/address.ts"
import { formatAddress } from "../core/kit/address.ts"
import { count, log } from "../core/kit/log.ts"
import type { NodeInput } from "../core/node/interface.ts"
import type { Flow } from "../core/sip/transport.ts"
import { openSslCryptography } from "./crypto/cryptography.ts"
import type { Clock } from "./kit/clock.ts"
import type { HostSettings, TlsMaterial } from "./kit/interface.ts"
import { HOST_LIMITS } from "./kit/limits.ts"
import type { Acceptor } from "./network/acceptor.ts"
import { createEnrolmentHttp } from "./network/enrolment-http.ts"
import { createFabricDialler, openFabricPort } from "./network/fabric-port.ts"
import { createFabricTrust } from "./network/fabric-trust.ts"
import { Links } from "./network/links.ts"
import type { PortName } from "./network/listen.ts"
import { openSipPorts, type SipPorts } from "./network/sip-ports.ts"
import { SipStreams } from "./network/sip-streams.ts"
import { createSipTlsDialler, openSipsPort } from "./network/sip-tls.ts"
import { openKeyLog } from "./network/tls.ts"
import { Turns } from "./network/turns.ts"
import type { DatagramTransport } from "./network/udp.ts"

/** Everything of a node that speaks with the network. */
export interface Ports {
  readonly numbers: { readonly sip: number; readonly sips: number; readonly reload: number }
  readonly datagrams: DatagramTransport
  readonly streams: SipStreams
  readonly links: Links
  readonly gauges: Readonly<Record<string, number>>
  /** What nodes, or phones, are shown in handshakes from now on. */
  renew(whose: "node" | "phones", material: TlsMaterial): void
  close(): Promise<void>
}

/** Whoever drives the node. */
export interface Driver {
  input(input: NodeInput): void
  /** Whether an input is done with when `input` returns: then its bytes may be a window on a packet. */
  readonly isIdle: boolean
}

/**
 * Binds every port, or throws `PortTakenError` or `ListenError` and binds none. What comes in goes
 * to `driver` at once, also before this has returned.
 */
export async function openPorts(settings: HostSettings, clock: Clock, driver: Driver): Promise<Ports> {
  const input = (input: NodeInput) => driver.input(input)
  const keyLog = openKeyLog(settings.keyLog, settings.log)
  const trust = createFabricTrust(settings.fabricTls, openSslCryptography(), clock, settings.badNodes)
  const dialler = createFabricDialler(settings.fabricTls, trust, keyLog)
  const refused = (listener: PortName) => (cause: string, remote: Address, detail: string) => {
    settings.count(count("host_connections_refused_total", { listener, cause }))
    settings.log(log("debug", "host.connection-refused", { listener, remote: formatAddress(remote), detail }))
  }
  const links = new Links({ input, dial: dialler.link, separateRecords: settings.keyLog !== undefined })
  const sip = new Turns<NodeInput>(input, HOST_LIMITS.turns.messages)
  const streams = new SipStreams({
    clock,
    message: (flow, bytes) => sip.do({ kind: "received", flow, bytes }),
    flowClosed: (flow) => sip.do({ kind: "flow-closed", flow }),
    cut: (flow, cause, detail) => {
      settings.count(count("host_streams_cut_total", { cause }))
      settings.log(log("debug", "host.stream-cut", { remote: formatAddress(flow.remote), cause, detail }))
    },
    dialTls: createSipTlsDialler(settings.trustedRoots ?? [], keyLog),
    dialNode: dialler.sip,
  })

  const at = (port: number): Address => ({ host: settings.host, port })
  const opened: { close(): Promise<void> }[] = []
  const keep = <T extends { close(): Promise<void> }>(port: T): T => {
    opened.push(port)
    return port
  }
  const close = async () => {
    streams.stop()
    links.stop()
    sip.stop()
    await Promise.all(opened.map((port) => port.close()))
  }
  try {
    const plain = await openSip(settings, streams, sip, driver, refused("sip"))
    keep(plain.datagrams)
    keep(plain.tcp)
    const sips = keep(
      await openSipsPort({
        bind: at(settings.ports.sips),
        material: settings.phoneTls,
        keyLog,
        accepted: (socket, remote) => streams.accept(socket, "TLS", remote, undefined),
        refused: refused("sips"),
      }),
    )
    const reload = keep(
      await openFabricPort({
        bind: at(settings.ports.reload),
        material: settings.fabricTls,
        trust,
        keyLog,
        enrolment: settings.enrolment && createEnrolmentHttp(settings.enrolment, settings),
        link: (socket, remote) => links.adopt(socket, undefined, remote),
        sip: (socket, remote, node) => streams.accept(socket, "TLS", remote, node),
        refused: refused("reload"),
      }),
    )
    return {
      numbers: { sip: plain.tcp.port, sips: sips.port, reload: reload.port },
      datagrams: plain.datagrams,
      streams,
      links,
      renew(whose, material) {
        if (whose === "phones") return sips.renew(material)
        reload.renew(material)
        dialler.renew(material)
      },
      get gauges() {
        return gaugesOf(streams, links, { sip: plain.tcp, sips, reload })
      },
      close,
    }
  } catch (cause) {
    await close()
    throw cause
  }
}

function openSip(
  settings: HostSettings,
  streams: SipStreams,
  messages: Turns<NodeInput>,
  driver: Driver,
  refused: (cause: string, remote: Address, detail: string) => void,
): Promise<SipPorts> {
  let local: Address = { host: settings.host, port: settings.ports.sip }
  let flows = new Map<Address, Flow>()
  const flowOf = (remote: Address): Flow => {
    const known = flows.get(remote)
    if (known !== undefined) return known
    const flow: Flow = { transport: "UDP", local, remote, connection: undefined, node: undefined }
    if (flows.size >= HOST_LIMITS.datagrams.flows) flows = new Map()
    flows.set(remote, flow)
    return flow
  }
  return openSipPorts({
    bind: local,
    udp: settings.udp ?? "auto",
    datagram: (bytes, remote, room) => {
      if (messages.waiting >= HOST_LIMITS.turns.waiting)
        return settings.count(count("host_datagrams_dropped_total"))
      const flow = flowOf(remote)
      if (driver.isIdle && messages.mayDo()) return driver.input({ kind: "received", flow, bytes, room })
      // Copied: it has to wait until the node has done what it is at.
      messages.do({ kind: "received", flow, bytes: new Uint8Array(bytes), room })
    },
    takesMore: () => messages.waiting === 0,
    connection: (socket, remote) => streams.accept(socket, "TCP", remote, undefined),
    refused,
  }).then((ports) => {
    local = ports.datagrams.local
    flows.clear() // Of what has come before the port was known.
    return ports
  })
}

/** By the names of /metrics. */
function gaugesOf(
  streams: SipStreams,
  links: Links,
  acceptors: Readonly<Record<PortName, Acceptor>>,
): Readonly<Record<string, number>> {
  const { tcp, tls, node } = streams.counts
  return {
    sip_connections_tcp: tcp,
    sip_connections_tls: tls,
    sip_connections_node: node,
    reload_links: links.count,
    accepted_sip: acceptors.sip.open,
    accepted_sips: acceptors.sips.open,
    accepted_reload: acceptors.reload.open,
  }
}
