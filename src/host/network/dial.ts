import { connect, type Socket } from "node:net"
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls"
import type { Address } from "../../core/kit/address.ts"
import { HOST_LIMITS } from "../kit/limits.ts"
import { socketFailure } from "./listen.ts"
import type { KeyLog } from "./tls.ts"

/** A connection that came up, or a sentence on why it did not. */
export type Dialled<S extends Socket = Socket> =
  | { readonly kind: "up"; readonly socket: S }
  | { readonly kind: "failed"; readonly reason: string }

/** Gives the attempt up; its `done` is not called any more. */
export type Cancel = () => void

/** Connects over TCP. `done` is called once, later; the socket then has an error listener already. */
export function dialTcp(address: Address, done: (result: Dialled) => void): Cancel {
  const problem = undialable(address)
  if (problem !== undefined) return soon(() => done({ kind: "failed", reason: problem }))
  return settle(connect(address), "connect", address, done)
}

/**
 * Connects over TLS. With `rejectUnauthorized: false` in `options` the certificate is the caller's
 * to judge, before anything is written.
 */
export function dialTls(
  address: Address,
  options: ConnectionOptions,
  keyLog: KeyLog,
  done: (result: Dialled<TLSSocket>) => void,
): Cancel {
  const problem = undialable(address)
  if (problem !== undefined) return soon(() => done({ kind: "failed", reason: problem }))
  const socket = tlsConnect({ ...options, host: address.host, port: address.port })
  keyLog(socket)
  return settle(socket, "secureConnect", address, done)
}

function settle<S extends Socket>(
  socket: S,
  isUp: "connect" | "secureConnect",
  address: Address,
  done: (result: Dialled<S>) => void,
): Cancel {
  let isSettled = false
  const finish = (result: Dialled<S>) => {
    if (isSettled) return
    isSettled = true
    clearTimeout(timer)
    if (result.kind === "failed") socket.destroy()
    done(result)
  }
  const fail = (reason: string) => finish({ kind: "failed", reason })
  const timer = setTimeout(() => fail(socketFailure(TIMED_OUT, address)), HOST_LIMITS.streams.connectTimeout)
  // Stays on for life: `close` follows every `error`, and is what the owner of the socket hears.
  socket.on("error", (cause) => fail(socketFailure(cause, address)))
  socket.once("close", () => fail(socketFailure(RESET, address)))
  socket.once(isUp, () => {
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 60_000)
    finish({ kind: "up", socket })
  })
  return () => {
    isSettled = true
    clearTimeout(timer)
    socket.destroy()
  }
}

/** What the platform would throw at; hosts are literals by the time they come here. */
const undialable = ({ host, port }: Address): string | undefined =>
  port > 0 && port < 65_536 ? undefined : `${host}: ${port} is no port to connect to`

function soon(run: () => void): Cancel {
  const immediate = setImmediate(run)
  return () => clearImmediate(immediate)
}

const TIMED_OUT: NodeJS.ErrnoException = Object.assign(new Error("timed out"), { code: "ETIMEDOUT" })
const RESET: NodeJS.ErrnoException = Object.assign(new Error("closed"), { code: "EPIPE" })
