import { createSocket } from "node:dgram"
import { Resolver } from "node:dns/promises"
import { once } from "node:events"
import type { Address } from "../../../src/core/kit/address.ts"

const SRV = 33
const A = 1

/** A name server for one domain, RFC 1035 §4 by hand: SRV records of SIP that name each host, and their addresses. */
export class NameServer {
  readonly #socket = createSocket("udp4")
  readonly #domain: string
  readonly #hosts: readonly string[]
  readonly #ports: Readonly<Record<string, number>>

  private constructor(domain: string, hosts: readonly string[], ports: { sip: number; sips: number }) {
    this.#domain = domain
    this.#hosts = hosts
    this.#ports = { "_sip._udp": ports.sip, "_sip._tcp": ports.sip, "_sips._tcp": ports.sips }
  }

  static async open(
    domain: string,
    hosts: readonly string[],
    ports: { readonly sip: number; readonly sips: number },
  ): Promise<NameServer> {
    const server = new NameServer(domain, hosts, ports)
    server.#socket.on("message", (query, { address, port }) =>
      server.#socket.send(server.#answer(query), port, address),
    )
    server.#socket.bind(0, "127.0.0.1")
    await once(server.#socket, "listening")
    return server
  }

  /** As `--name-servers` takes it. */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`
  }

  close(): void {
    this.#socket.close()
  }

  #answer(query: Buffer): Buffer {
    const labels: string[] = []
    let at = 12
    for (let length = query[at]!; length > 0; length = query[at]!) {
      labels.push(query.toString("latin1", at + 1, at + 1 + length))
      at += length + 1
    }
    const type = query.readUInt16BE(at + 1)
    const answers = this.#records(labels.join(".").toLowerCase(), type).map((data) =>
      Buffer.concat([Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 1, 0, data.length]), data]),
    )
    const header = Buffer.from([query[0]!, query[1]!, 0x81, 0x80, 0, 1, 0, answers.length, 0, 0, 0, 0])
    return Buffer.concat([header, query.subarray(12, at + 5), ...answers])
  }

  #records(name: string, type: number): readonly Buffer[] {
    const service = name.slice(0, -this.#domain.length - 1)
    const port = this.#ports[service]
    if (type === SRV && port !== undefined)
      return this.#hosts.map((_, index) =>
        // Priorities in the order of the hosts; weight 1.
        Buffer.from([0, index, 0, 1, port >> 8, port & 255, ...encodedName(`n${index}.${this.#domain}`)]),
      )
    const host = this.#hosts[Number(name.match(/^n(\d+)\./)?.[1])]
    return type === A && host !== undefined ? [Buffer.from(host.split(".").map(Number))] : []
  }
}

const encodedName = (name: string): readonly number[] => [
  ...name.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]),
  0,
]

/** The domain's SIP servers in their order, as a phone asks for them. RFC 3263 §4.2. */
export async function serversOf(nameServer: string, name: string): Promise<readonly Address[]> {
  const resolver = new Resolver()
  resolver.setServers([nameServer])
  const records = (await resolver.resolveSrv(name)).toSorted((a, b) => a.priority - b.priority)
  return Promise.all(
    records.map(async ({ name: target, port }) => ({ host: (await resolver.resolve4(target))[0]!, port })),
  )
}
