import type { Socket } from "node:net"
import type { Address } from "../../core/kit/address.ts"
import type { WantedWay } from "../kit/interface.ts"
import { HOST_LIMITS } from "../kit/limits.ts"
import { type Acceptor, openAcceptor } from "./acceptor.ts"
import { PortTakenError } from "./listen.ts"
import { type DatagramSettings, type DatagramTransport, openDatagrams } from "./udp.ts"

export interface SipPortSettings {
  readonly bind: Address
  readonly udp: WantedWay
  readonly datagram: DatagramSettings["received"]
  readonly takesMore: () => boolean
  readonly connection: (socket: Socket, remote: Address) => void
  readonly refused: (cause: string, remote: Address, detail: string) => void
}

export interface SipPorts {
  readonly datagrams: DatagramTransport
  readonly tcp: Acceptor
}

/** How often a free TCP port is looked for whose UDP twin is free as well. */
const TRIES = 16

/** SIP on one port over TCP and UDP; both or none. Throws as `listenFailure` says. */
export async function openSipPorts(settings: SipPortSettings): Promise<SipPorts> {
  const { bind, udp, datagram, takesMore, connection, refused } = settings
  for (let attempt = 1; ; attempt++) {
    const tcp = await openAcceptor({
      name: "sip",
      bind,
      limits: HOST_LIMITS.streams,
      accepted: connection,
      refused: (cause) => refused(cause, bind, "the connection was closed unheard"),
    })
    try {
      const datagrams = await openDatagrams(
        { bind: { host: bind.host, port: tcp.port }, received: datagram, takesMore },
        udp,
      )
      return { datagrams, tcp }
    } catch (cause) {
      await tcp.close()
      if (bind.port !== 0 || attempt === TRIES || !(cause instanceof PortTakenError)) throw cause
    }
  }
}
