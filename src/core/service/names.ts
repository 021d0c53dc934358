import { FormatError } from "../kit/errors.ts"
import { ipVersion } from "../kit/ip.ts"
import { ownText } from "../kit/own-text.ts"
import { Remembered } from "../kit/remembered.ts"
import type { Listener, Transport } from "../sip/transport.ts"
import { canonicalUser, parseUri, type SipUri, type Uri } from "../sip/uri.ts"

export interface NamesSettings {
  readonly domain: string
  readonly aliases: () => readonly string[]
  readonly listeners: readonly Listener[]
}

/** Addresses-of-record, of each generation, and how long a URI may be that is remembered. */
const REMEMBERED = 4_096
const REMEMBERED_LENGTH = 128

/** The standard ports, on which a domain is served whatever the ports behind are. RFC 3261 §19.1.2. */
const STANDARD_PORTS: readonly number[] = [5060, 5061]

/** Which URIs mean the domain or this fabric, and which address-of-record they name. */
export class Names {
  readonly #settings: NamesSettings
  #aliases: readonly string[] = []
  #meaning = meaningOf([])

  constructor(settings: NamesSettings) {
    this.#settings = settings
  }

  /**
   * Whether the URI names the domain, by its name or by an address of a node. A phone may live on a
   * node's address, so a port has to be one on which SIP is taken by the URI's transport, or by the
   * one by which the request came.
   */
  isOurs(uri: Uri, arrivedBy: Transport): uri is SipUri {
    if (uri.kind !== "sip") return false
    const domain = bare(this.#settings.domain)
    const host = bare(uri.host)
    if (uri.port !== undefined && this.#known().hosts.has(`${host}:${uri.port}`)) return true
    if (host !== domain && !this.#known().hosts.has(host)) return false
    if (uri.port === undefined) return true
    if (host === domain && ipVersion(host) === undefined && STANDARD_PORTS.includes(uri.port)) return true
    return this.#takes(uri, uri.port, arrivedBy)
  }

  /** `alice@example.org`; undefined where the URI names nobody of the domain. RFC 3261 §10.3 step 5. */
  aorOf(text: string, arrivedBy: Transport): string | undefined {
    const aors = arrivedBy === "UDP" ? this.#known().aors : undefined
    const known = aors?.get(text)
    if (known !== undefined) return known
    const uri = readUri(text)
    if (uri === undefined || !this.isOurs(uri, arrivedBy)) return undefined
    const user = canonicalUser(uri)
    if (user === "") return undefined
    const aor = `${user}@${this.#settings.domain}`
    if (aors === undefined || text.length > REMEMBERED_LENGTH) return aor
    // One and the same text from now on: it is looked up in many tables, each of which would have to hash another.
    const kept = ownText(aor)
    aors.set(ownText(text), kept)
    return kept
  }

  #takes(uri: SipUri, port: number, arrivedBy: Transport): boolean {
    const named = uri.parameters.get("transport")?.toUpperCase()
    const plain = uri.scheme === "sips" ? ["TLS", "WSS"] : ["UDP", "TCP"]
    const transports = named === undefined ? [...plain, arrivedBy] : [named, arrivedBy]
    return this.#settings.listeners.some(
      ({ transport, advertised }) => advertised.port === port && transports.includes(transport),
    )
  }

  #known(): Meaning {
    const aliases = this.#settings.aliases()
    if (aliases !== this.#aliases) {
      this.#aliases = aliases
      const own = this.#settings.listeners.map(({ advertised }) => advertised.host)
      this.#meaning = meaningOf([...aliases, ...own])
    }
    return this.#meaning
  }
}

/** What follows from names that mean the domain. */
interface Meaning {
  readonly hosts: ReadonlySet<string>
  /** Addresses-of-record by the URIs that named them, in requests that came by UDP. */
  readonly aors: Remembered<string>
}

const meaningOf = (names: readonly string[]): Meaning => ({
  hosts: new Set(names.map((name) => bare(name.toLowerCase()))),
  aors: new Remembered(REMEMBERED),
})

const bare = (host: string): string => (host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host)

/** Undefined where the text is no URI. */
export function readUri(text: string): Uri | undefined {
  try {
    return parseUri(text)
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}

/** A URI as the log may show it: without the password that RFC 3261 §19.1.1 lets people write into it. */
export const loggable = (uri: string): string => uri.replaceAll(/(sips?:[^:@<>\s]*):[^@<>\s]*@/gi, "$1@")
