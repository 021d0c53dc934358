import { createSocket } from "node:dgram"
import { createConnection, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import type { Address } from "../../../src/core/kit/address.ts"
import { StreamFramer } from "../../../src/core/sip/framing.ts"
import type { Flow, Hop } from "../../../src/core/sip/transport.ts"

/** How a phone in a test is tied to the network. */
export interface PhoneWire {
  readonly address: Address
  send(id: string, hop: Hop, bytes: Uint8Array): void
  /** Ends the connection to the proxy, if there is one. */
  drop(): void
  close(): void
}

export interface Heard {
  received(flow: Flow, bytes: Uint8Array): void
  failed(id: string, reason: string): void
  /** The connection to the proxy has gone; the next message opens another. */
  closed(): void
}

const flowOf = (transport: Flow["transport"], local: Address, remote: Address): Flow => ({
  transport,
  local,
  remote,
  connection: transport === "UDP" ? undefined : 1,
  node: undefined,
})

export function openUdp(host: string, heard: Heard): Promise<PhoneWire> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4")
    socket.once("error", reject)
    socket.bind(0, host, () => {
      const { address, port } = socket.address()
      const own = { host: address, port }
      socket.on("message", (bytes, { address: host, port }) => {
        if (bytes.length > 4) heard.received(flowOf("UDP", own, { host, port }), bytes)
      })
      resolve({
        address: own,
        send(_id, hop, bytes) {
          const to = hop.kind === "flow" ? hop.flow.remote : hop.kind === "address" ? hop.address : undefined
          if (to) socket.send(bytes, to.port, to.host)
        },
        drop() {},
        close: () => socket.close(),
      })
    })
  })
}

/** One connection to the proxy at a time, opened when there is something to say. */
export function streamWire(
  host: string,
  proxy: () => Address,
  tls: { readonly ca: string; readonly serverName: string } | undefined,
  heard: Heard,
): PhoneWire {
  const transport = tls === undefined ? "TCP" : "TLS"
  const address: { host: string; port: number } = { host, port: 5060 }
  let socket: Socket | undefined
  const open = (): Socket => {
    const { host: remoteHost, port } = proxy()
    const to = { host: remoteHost, port, localAddress: host }
    const opened =
      tls === undefined
        ? createConnection(to)
        : connectTls({ ...to, ca: tls.ca, servername: tls.serverName, checkServerIdentity: () => undefined })
    const framer = new StreamFramer()
    opened.on("connect", () => {
      address.port = opened.localPort ?? address.port
    })
    opened.on("data", (chunk) => {
      for (const unit of framer.push(chunk)) {
        if (unit.kind === "message")
          heard.received(flowOf(transport, address, { host: remoteHost, port }), unit.bytes)
        if (unit.kind === "ping") opened.write("\r\n")
      }
    })
    opened.on("error", () => {})
    opened.on("close", () => {
      if (socket !== opened) return
      socket = undefined
      heard.closed()
    })
    return opened
  }
  const drop = () => {
    const last = socket
    socket = undefined
    last?.destroy()
  }
  return {
    address,
    drop,
    close: drop,
    send(id, _hop, bytes) {
      socket ??= open()
      socket.write(bytes, (error) => {
        if (error) heard.failed(id, error.message)
      })
    },
  }
}
