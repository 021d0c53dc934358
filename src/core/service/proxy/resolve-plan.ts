import { ipVersion } from "../../kit/ip.ts"
import { LIMITS } from "../../kit/limits.ts"
import type { Random } from "../../kit/random.ts"
import type { Hop, Transport } from "../../sip/transport.ts"
import type { SipUri } from "../../sip/uri.ts"
import { defaultPort } from "../../transaction/response-route.ts"
import type { DnsQuestion, DnsRecord } from "../sip-server-interface.ts"

// RFC 3263 §4 as a function of what is known: it says where a URI leads, or what must be asked first.

export interface Wish {
  readonly uri: SipUri
  /** TLS all the way, whatever the URI says: the Request-URI is SIPS. RFC 3261 §16.6 step 7. */
  readonly secure: boolean
}

/** The address families that this node speaks. */
export interface Families {
  readonly ipv4: boolean
  readonly ipv6: boolean
}

export type Located =
  /** In the order in which they are to be tried; empty: nowhere. */
  | { readonly kind: "located"; readonly hops: readonly Hop[] }
  | { readonly kind: "asking"; readonly questions: readonly DnsQuestion[] }

/** What is known of a question: its records, or undefined. */
type Known = (question: DnsQuestion) => readonly DnsRecord[] | undefined

/** Where a URI leads whose host is an IP literal: nothing has to be asked. Undefined for all others. */
export function literalHop({ uri, secure }: Wish): Hop | undefined {
  const name = uri.parameters.get("maddr")?.toLowerCase() ?? uri.host
  const bare = name.startsWith("[") ? name.slice(1, -1) : name
  if (ipVersion(bare) === undefined) return undefined
  const tls = secure || uri.scheme === "sips"
  const asked = usableTransport(uri.parameters.get("transport"), tls)
  if (asked === "none") return undefined
  const transport = asked ?? (tls ? "TLS" : "UDP")
  const port = uri.port ?? defaultPort(transport)
  return { kind: "address", transport, address: { host: bare, port }, serverName: undefined }
}

export function locate(wish: Wish, families: Families, known: Known, random: Random): Located {
  const search = new Search(families, known, random)
  const hops = search.run(wish)
  return search.questions.length > 0
    ? { kind: "asking", questions: search.questions }
    : { kind: "located", hops: hops.slice(0, LIMITS.sip.destinations) }
}

const serviceName = (transport: Usable, name: string) => `${SERVICE_NAMES[transport]}.${name}`

const NOWHERE: readonly Hop[] = []

/** The services of NAPTR records that we can use. RFC 3263 §4.1. */
const SERVICES: Readonly<Record<string, Transport>> = {
  "SIPS+D2T": "TLS",
  "SIP+D2T": "TCP",
  "SIP+D2U": "UDP",
}

/** By what SRV records are asked for. RFC 3263 §4.1. */
export const SERVICE_NAMES = { UDP: "_sip._udp", TCP: "_sip._tcp", TLS: "_sips._tcp" } as const

type Usable = keyof typeof SERVICE_NAMES

class Search {
  readonly questions: DnsQuestion[] = []
  readonly #families: Families
  readonly #known: Known
  readonly #random: Random

  constructor(families: Families, known: Known, random: Random) {
    this.#families = families
    this.#known = known
    this.#random = random
  }

  run(wish: Wish): readonly Hop[] {
    const literal = literalHop(wish)
    if (literal !== undefined) return [literal]
    const { uri, secure } = wish
    const name = uri.parameters.get("maddr")?.toLowerCase() ?? uri.host
    const tls = secure || uri.scheme === "sips"
    const asked = usableTransport(uri.parameters.get("transport"), tls)
    if (asked === "none") return NOWHERE
    const transport = asked ?? (tls ? "TLS" : "UDP")
    if (uri.port !== undefined) return this.#addresses(name, uri.port, transport, name)
    const found = asked
      ? this.#services(serviceName(asked, name), name, asked)
      : this.#anyTransport(name, tls)
    return found ?? this.#addresses(name, defaultPort(transport), transport, name)
  }

  /** By NAPTR, else by trying SRV for each transport. Undefined where there are no such records. */
  #anyTransport(name: string, tls: boolean): readonly Hop[] | undefined {
    const pointers = this.#ask("NAPTR", name)
    if (pointers === undefined) return NOWHERE
    const usable = pointers
      .filter((record) => record.type === "NAPTR")
      .map((record) => ({ ...record, transport: SERVICES[record.service.toUpperCase()] }))
      .filter(
        ({ flags, transport }) => flags.toLowerCase() === "s" && transport && !(tls && transport !== "TLS"),
      )
      .sort((a, b) => a.order - b.order || a.preference - b.preference)
    for (const { replacement, transport } of usable) {
      const found = this.#services(withoutDot(replacement), name, transport as Usable)
      if (found) return found
    }
    const transports: readonly Usable[] = tls ? ["TLS"] : ["UDP", "TCP", "TLS"]
    const found = transports.map((one) => this.#services(serviceName(one, name), name, one))
    return found.find((hops) => hops !== undefined)
  }

  /** Undefined where there is no SRV record. */
  #services(service: string, serverName: string, transport: Usable): readonly Hop[] | undefined {
    const records = this.#ask("SRV", service)
    if (records === undefined) return NOWHERE
    const services = records.filter((record) => record.type === "SRV")
    if (services.length === 0) return undefined
    // A lone "." says that there is decidedly no such service. RFC 2782.
    return inOrder(services, this.#random)
      .filter(({ target }) => withoutDot(target) !== "")
      .flatMap(({ target, port }) => this.#addresses(withoutDot(target), port, transport, serverName))
  }

  #addresses(name: string, port: number, transport: Transport, serverName: string): readonly Hop[] {
    const { ipv4, ipv6 } = this.#families
    const records = [
      ...(ipv4 ? (this.#ask("A", name) ?? []) : []),
      ...(ipv6 ? (this.#ask("AAAA", name) ?? []) : []),
    ]
    return records.flatMap((record) =>
      record.type === "A" || record.type === "AAAA"
        ? [{ kind: "address" as const, transport, address: { host: record.address, port }, serverName }]
        : [],
    )
  }

  #ask(type: DnsQuestion["type"], name: string): readonly DnsRecord[] | undefined {
    const question = { type, name }
    const records = this.#known(question)
    if (records === undefined) this.questions.push(question)
    return records?.slice(0, LIMITS.sip.dnsRecords)
  }
}

/** What the transport parameter asks for; "none" where it cannot be had; undefined where it asks nothing. */
function usableTransport(parameter: string | undefined, tls: boolean): Usable | "none" | undefined {
  if (parameter === undefined) return undefined
  switch (parameter.toUpperCase()) {
    case "UDP":
      return tls ? "none" : "UDP"
    case "TCP":
      return tls ? "TLS" : "TCP"
    case "TLS":
      return "TLS"
    default:
      return "none" // A WebSocket is opened by its client only. RFC 7118 §5.
  }
}

export const withoutDot = (name: string) => (name.endsWith(".") ? name.slice(0, -1) : name).toLowerCase()

interface Weighted {
  readonly priority: number
  readonly weight: number
}

/** By priority, and among equals by chance according to weight. RFC 2782. */
export function inOrder<T extends Weighted>(records: readonly T[], random: Random): readonly T[] {
  const left = [...records].sort((a, b) => a.priority - b.priority || a.weight - b.weight)
  const ordered: T[] = []
  while (left.length > 0) {
    const { priority } = left[0]!
    const group = left.filter((record) => record.priority === priority)
    const chosen = drawn(group, random)
    ordered.push(chosen)
    left.splice(left.indexOf(chosen), 1)
  }
  return ordered
}

function drawn<T extends Weighted>(group: readonly T[], random: Random): T {
  let mark = random.next() * group.reduce((sum, { weight }) => sum + weight, 0)
  for (const record of group) {
    mark -= record.weight
    if (mark < 0) return record
  }
  return group[0]!
}
