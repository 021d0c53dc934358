import type { LogLevel } from "../../core/kit/log.ts"
import type { WantedWay } from "../../host/kit/interface.ts"

/** What `carillon up` is told, read and checked; `undefined` means: find out, or take what the directory says. */
export interface UpOptions {
  /** Data directory. */
  readonly data: string
  /** SIP domain; undefined: the directory's, the invite's, or `localhost` for a new fabric. Lower case. */
  readonly domain: string | undefined
  readonly join: string | undefined
  /** Come up without records that are lost, though no other node has copies. */
  readonly acceptLoss?: boolean
  /** IP literal to bind; `0.0.0.0` or `::` for all. */
  readonly host: string
  /** IP literal to tell others. */
  readonly advertise: string | undefined
  /** 0 takes a free port. */
  readonly sipPort: number
  readonly sipsPort: number
  readonly reloadPort: number
  readonly httpPort: number
  readonly httpHost: string | undefined
  /** IP literals, with a port where it is not 53; undefined: those of the system. */
  readonly nameServers: readonly string[] | undefined
  readonly roles: readonly string[] | undefined
  /** How many nodes are to hold the CA; undefined: the default. */
  readonly enrolmentNodes: number | undefined
  /** Milliseconds that certificates last which this node issues; undefined: the default. */
  readonly certificateLife: number | undefined
  /** Milliseconds that clocks may lie apart for this node to join; undefined: the default. */
  readonly clockBound?: number | undefined
  readonly site: string | undefined
  readonly rack: string | undefined
  /** PEM files for phones' TLS: both or neither. */
  readonly tlsCert: string | undefined
  readonly tlsKey: string | undefined
  readonly users: readonly { readonly name: string; readonly password: string }[]
  /** CIDR blocks exempt from rate limits and bans, never from authentication. */
  readonly trusted: readonly string[]
  readonly digest: readonly ("MD5" | "SHA-256")[]
  /** File for TLS secrets (NSS key log). */
  readonly keyLog: string | undefined
  readonly udp: WantedWay
  readonly log: "plain" | "json"
  readonly logLevel: LogLevel
}
