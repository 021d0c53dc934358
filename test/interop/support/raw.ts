import { createSocket } from "node:dgram"
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { type TLSSocket, connect as tlsConnect } from "node:tls"
import type { Address } from "../../../src/core/kit/address.ts"
import type { TlsMaterial } from "../../../src/host/interface.ts"
import { until } from "./programs.ts"

// Sockets of somebody who does not keep to any protocol.

/** A connection, and what has come over it. */
export interface RawConnection<S extends Socket = Socket> {
  readonly socket: S
  /** In latin1. */
  readonly heard: () => string
  /** Comes once the other end, or the network, has ended it. */
  readonly closed: Promise<unknown>
}

function listening<S extends Socket>(socket: S): RawConnection<S> {
  let heard = ""
  socket.on("error", () => undefined)
  socket.on("data", (bytes) => {
    heard += bytes.toString("latin1")
  })
  return { socket, heard: () => heard, closed: once(socket, "close") }
}

export async function openTcp({ host, port }: Address, from: string): Promise<RawConnection> {
  const connection = listening(connect({ host, port, localAddress: from }))
  await Promise.race([once(connection.socket, "connect"), connection.closed])
  return connection
}

/** `protocol` as in ALPN; without `material` no certificate is shown. */
export async function openTls(
  { host, port }: Address,
  from: string,
  { protocol, material }: { readonly protocol?: string; readonly material?: TlsMaterial } = {},
): Promise<RawConnection<TLSSocket>> {
  const connection = listening(
    tlsConnect({
      socket: connect({ host, port, localAddress: from }).on("error", () => undefined),
      rejectUnauthorized: false, // Who answers is not the question here.
      ...(protocol === undefined ? {} : { ALPNProtocols: [protocol] }),
      ...(material === undefined ? {} : { cert: material.certificate, key: material.key }),
    }),
  )
  await Promise.race([once(connection.socket, "secureConnect"), connection.closed])
  return connection
}

/** Datagrams from one socket, and what comes back to it. */
export async function openUdp(from: string, to: Address) {
  const socket = createSocket("udp4").bind(0, from)
  await once(socket, "listening")
  const heard: string[] = []
  socket.on("message", (bytes) => heard.push(bytes.toString("latin1")))
  const send = (bytes: Uint8Array | string) => socket.send(bytes, to.port, to.host)
  return {
    port: socket.address().port,
    heard,
    send,
    close: () => socket.close(),
    /** Sends, and gives the next answer. */
    async ask(text: string): Promise<string> {
      const before = heard.length
      send(text)
      return until(`an answer comes to ${text.slice(0, 60)}`, () => heard[before], 10_000)
    },
  }
}
