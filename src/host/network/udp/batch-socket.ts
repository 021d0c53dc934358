import { constants as system } from "node:os"
import { ipBytes } from "../../../core/kit/ip.ts"
import { HOST_LIMITS } from "../../kit/limits.ts"
import { listenFailure } from "../listen.ts"
import { AF_INET, AF_INET6, nameLength } from "./batch-memory.ts"
import { type SocketCalls, systemError } from "./socket-calls.ts"
import type { DatagramSettings } from "./transport.ts"

// Linux's numbers, the same on x86-64 and arm64.
const SOCK_DGRAM = 2
const SOCK_NONBLOCK = 0x800
const SOCK_CLOEXEC = 0x80000
const SOL_SOCKET = 1
const SO_SNDBUF = 7
const SO_RCVBUF = 8
const SO_REUSEPORT = 15
const SO_SNDBUFFORCE = 32
const SO_RCVBUFFORCE = 33
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26

/** A bound socket. Throws `PortTakenError` or `ListenError`. */
export function openBatchSocket(
  calls: SocketCalls,
  family: number,
  settings: DatagramSettings,
): { readonly fd: number; readonly port: number } {
  const { bind } = settings
  const failure = (negative: number, call: string) =>
    listenFailure(systemError(negative, call), "UDP", "sip", bind)
  const fd = calls.socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
  if (fd < 0) throw failure(fd, "socket")
  try {
    // "::" takes IPv4 as well, whatever the system's default is.
    if (family === AF_INET6) calls.setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)
    if (settings.sharedPort === true) {
      const shared = calls.setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1)
      if (shared < 0) throw failure(shared, "setsockopt")
    }
    askForBuffers(calls, fd, settings.bufferBytes ?? HOST_LIMITS.datagrams.bufferBytes)
    const name = nameOf(calls, family, bind)
    const bound = name === undefined ? -system.errno.EADDRNOTAVAIL : calls.bind(fd, name)
    if (bound < 0) throw failure(bound, "bind")
    const local = new Uint8Array(new ArrayBuffer(nameLength(family)))
    const named = calls.localName(fd, local)
    if (named < 0) throw failure(named, "getsockname")
    return { fd, port: local[2]! * 256 + local[3]! }
  } catch (error) {
    calls.close(fd)
    throw error
  }
}

/** With permission more than the system's limit (net.core.rmem_max) is granted; without, up to that. */
function askForBuffers(calls: SocketCalls, fd: number, bytes: number): void {
  for (const [option, forced] of [
    [SO_RCVBUF, SO_RCVBUFFORCE],
    [SO_SNDBUF, SO_SNDBUFFORCE],
  ] as const) {
    // Either may be refused; nothing depends on it but how long a burst may be.
    if (calls.setOption(fd, SOL_SOCKET, forced, bytes) < 0) calls.setOption(fd, SOL_SOCKET, option, bytes)
  }
}

/** sockaddr_in or sockaddr_in6. Undefined where a zone names no interface. */
function nameOf(
  calls: SocketCalls,
  family: number,
  { host, port }: DatagramSettings["bind"],
): Uint8Array | undefined {
  const [literal, zone] = host.split("%", 2)
  const address = ipBytes(literal!)
  if (address === undefined) return undefined
  const name = new Uint8Array(new ArrayBuffer(nameLength(family)))
  const view = new DataView(name.buffer)
  view.setUint16(0, family, true)
  view.setUint16(2, port)
  name.set(address, family === AF_INET ? 4 : 8)
  if (zone === undefined) return name
  const scope = calls.interfaceIndex(zone)
  view.setUint32(24, scope, true)
  return scope === 0 ? undefined : name
}
