import { createSocket } from "node:dgram"
import { createServer } from "node:net"
import { hostname, networkInterfaces } from "node:os"

/** TEST-NET-1 and its IPv6 sister: nothing is sent, the kernel only says which way it would go. RFC 5737, RFC 3849. */
const SOMEWHERE = { udp4: "192.0.2.1", udp6: "2001:db8::1" } as const

/** Bound to this, a socket takes what comes to any address of the machine. */
export const isEverywhere = (host: string): boolean => host === "0.0.0.0" || host === "::"

export const isLoopback = (host: string): boolean => /^127\./.test(host) || host === "::1"

/** The address to tell others: the bound one, or that of the default route; 127.0.0.1 on a machine without one. */
export async function addressToAdvertise(host: string): Promise<string> {
  if (!isEverywhere(host)) return host
  const ipv6 = host === "::" ? await sourceAddress("udp6") : undefined
  return ipv6 ?? (await sourceAddress("udp4")) ?? externalAddress() ?? "127.0.0.1"
}

/** The address to serve HTTP on: never reachable from outside unless it is asked for. */
export const httpAddress = (host: string): string => (isLoopback(host) ? host : "127.0.0.1")

/** Everything a phone may call this node by: it means the fabric's domain. */
export function ownNames(host: string, advertised: string): readonly string[] {
  const names = isEverywhere(host)
    ? [...addresses(), hostname().toLowerCase(), "localhost", advertised]
    : [host, advertised, ...(isLoopback(host) ? ["localhost"] : [hostname().toLowerCase()])]
  return [...new Set(names)]
}

/** A port that is free now for UDP and TCP; a number other than 0 is returned as it is. */
export async function concretePort(port: number, host: string): Promise<number> {
  if (port !== 0) return port
  for (;;) {
    const candidate = await freeTcpPort(host)
    if (await isUdpPortFree(candidate, host)) return candidate
  }
}

function sourceAddress(type: "udp4" | "udp6"): Promise<string | undefined> {
  const socket = createSocket(type)
  return new Promise((resolve) => {
    const finish = (address: string | undefined) => {
      socket.close()
      resolve(address)
    }
    // Where there is no way, the callback is told, not the event.
    socket.connect(9, SOMEWHERE[type], (error?: Error) =>
      finish(error === undefined ? socket.address().address : undefined),
    )
  })
}

const addresses = (): readonly string[] =>
  Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .map(({ address }) => address)

function externalAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  return all.find(({ family, internal }) => family === "IPv4" && !internal)?.address
}

function freeTcpPort(host: string): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(0, host, () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}

function isUdpPortFree(port: number, host: string): Promise<boolean> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4")
  return new Promise((resolve) => {
    socket.once("error", () => resolve(false))
    socket.bind(port, host, () => socket.close(() => resolve(true)))
  })
}
