import { createSocket } from "node:dgram"
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { type TLSSocket, connect as tlsConnect } from "node:tls"
import type { Address } from "../../../src/core/kit/address.ts"
import type { TlsMaterial } from "../../../src/host/kit/interface.ts"
import { until, whenOver } from "./programs.ts"

// Sockets of somebody who does not keep to any protocol.

const open = new Set<{ destroy(): void }>()
whenOver(() => {
  for (const each of open) each.destroy()
})

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
  open.add(socket)
  socket.on("error", () => undefined)
  socket.on("data", (bytes) => {
    heard += bytes.toString("latin1")
  })
  // An error comes before the end and is no other: a reset ends a connection too.
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => {
      open.delete(socket)
      resolve()
    })
  })
  return { socket, heard: () => heard, closed }
}

/** Until it stands, or has ended without. */
const connected = ({ socket, closed }: RawConnection, event: "connect" | "secureConnect") =>
  Promise.race([new Promise<void>((resolve) => socket.once(event, () => resolve())), closed])

export async function openTcp({ host, port }: Address, from: string): Promise<RawConnection> {
  const connection = listening(connect({ host, port, localAddress: from }))
  await connected(connection, "connect")
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
  await connected(connection, "secureConnect")
  return connection
}

/** Datagrams from one socket, and what comes back to it. */
export async function openUdp(from: string, to: Address) {
  const socket = createSocket("udp4").bind(0, from)
  await once(socket, "listening")
  const udp = {
    destroy: () => {
      if (open.delete(udp)) socket.close()
    },
  }
  open.add(udp)
  const heard: string[] = []
  socket.on("message", (bytes) => heard.push(bytes.toString("latin1")))
  const send = (bytes: Uint8Array | string) => socket.send(bytes, to.port, to.host)
  return {
    port: socket.address().port,
    heard,
    send,
    close: udp.destroy,
    /** Sends, and gives the next answer. */
    async ask(text: string): Promise<string> {
      const before = heard.length
      send(text)
      return until(`an answer comes to ${text.slice(0, 60)}`, () => heard[before], 10_000)
    },
  }
}
