import { type Address, formatAddress } from "../../core/kit/address.ts"
import { after, type Instant, milliseconds, seconds } from "../../core/kit/time.ts"
import type { Configuration } from "../../core/reload/configuration.ts"
import { CARILLON_NAMESPACE } from "../../core/reload/configuration-document.ts"
import { DEFAULT_KINDS, PRIVATE_KINDS } from "../../core/storage/kinds.ts"
import { ROOT_LIFE } from "../crypto/issuing.ts"
import type { Authority } from "./authority.ts"

/** What a new overlay of ours runs by. */
export function firstConfiguration({
  domain,
  advertised,
  authority,
  now,
}: {
  readonly domain: string
  readonly advertised: Address
  readonly authority: Authority
  readonly now: Instant
}): Configuration {
  return {
    instanceName: domain,
    sequence: 1,
    expiration: after(now, ROOT_LIFE),
    topologyPlugin: "CHORD-RELOAD",
    nodeIdLength: 16,
    rootCertificates: [authority.rootCertificate],
    enrollmentServers: [`https://${formatAddress(advertised)}`],
    bootstrapNodes: [advertised],
    clientsPermitted: true,
    noIce: true,
    // Several certificates travel in one message, and records have many entries.
    maxMessageSize: 65_536,
    initialTtl: 100,
    overlayReliabilityTimer: milliseconds(3_000),
    overlayLinkProtocols: ["TLS"],
    configurationSigners: [authority.signer.nodeId],
    kindSigners: [authority.signer.nodeId],
    badNodes: [],
    mandatoryExtensions: [CARILLON_NAMESPACE],
    // Only private Kinds take their identifier from the document; IANA's go by name. §11.1.
    kinds: DEFAULT_KINDS.map((kind) => ({
      ...kind,
      name: PRIVATE_KINDS.includes(kind) ? undefined : kind.name,
    })),
    chord: { updateInterval: seconds(600), pingInterval: seconds(3_600), reactive: true },
    sipDomain: domain,
  }
}
