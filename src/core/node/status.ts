import type { Certificate, Identity } from "../identity/certificate.ts"
import { domainOf, functionsOf } from "../identity/roles.ts"
import { formatAddress } from "../kit/address.ts"
import { count, log } from "../kit/log.ts"
import type { Instant } from "../kit/time.ts"
import type { Holdings, OverlayStatus } from "../overlay/interface.ts"
import type { Configuration } from "../reload/configuration.ts"
import type { SipStatistics } from "../service/sip-server-interface.ts"
import type { Health, NodeEffect, NodeSettings, NodeStatus } from "./interface.ts"

const DAY = 86_400_000

/** What a node knows of itself and the fabric, for `status`. */
export function describeNode(known: {
  readonly settings: NodeSettings
  readonly identity: Identity
  /** The one in force. */
  readonly configuration: Configuration
  readonly overlay: OverlayStatus
  /** By Node-ID. */
  readonly versions: ReadonlyMap<string, string>
  readonly sip: SipStatistics
  readonly health: Health
  readonly started: Instant | number
  readonly now: number
}): NodeStatus {
  const { settings, identity, configuration, overlay, versions, sip, started, now } = known
  const { advertised, version, authorityExpires = configuration.expiration } = settings
  const { certificate } = identity
  const nodes = [
    {
      node: identity.nodeId as string,
      address: formatAddress(advertised),
      ...standing(certificate),
      self: true,
      version,
    },
    ...overlay.peers.map(({ node, address, certificate }) => ({
      node: node as string,
      address: address === undefined ? "unknown" : formatAddress(address),
      ...standing(certificate),
      self: false,
      ...versionOf(versions.get(node)),
    })),
  ]
  // Counting looks at every record: for who asks for it, once.
  let counted: Holdings | undefined
  const holdings = () => (counted ??= overlay.records)
  const roleCounts: Record<string, number> = {}
  for (const role of nodes.flatMap((node) => node.roles)) roleCounts[role] = (roleCounts[role] ?? 0) + 1
  return {
    version,
    node: identity.nodeId,
    domain: configuration.sipDomain,
    overlay: configuration.instanceName,
    health: healthOf(known.health, overlay.obstacle),
    uptimeSeconds: Math.floor((now - started) / 1_000),
    advertised: formatAddress(advertised),
    roles: functionsOf(certificate.roles),
    nodes,
    clocks: overlay.clocks,
    roleCounts,
    get mayDie() {
      return mayDie(nodes.length, holdings().fewest)
    },
    get records() {
      const { held, due, extra, short, repairing } = holdings()
      return { held, due, extra, short, repairing }
    },
    sip,
    certificateDaysLeft: daysLeft(certificate.notAfter, now),
    configurationDaysLeft: daysLeft(configuration.expiration, now),
    authorityDaysLeft: daysLeft(authorityExpires, now),
  }
}

const versionOf = (version: string | undefined) => (version === undefined ? {} : { version })

const healthOf = (health: Health, obstacle: string | undefined): Health =>
  health.state === "joining" && obstacle !== undefined ? { state: "joining", cause: obstacle } : health

/** What the world is told of a change of health. */
export function healthEffects(health: Health): readonly NodeEffect[] {
  const { state } = health
  const cause = state === "unhealthy" ? health.cause : undefined
  return [
    log(cause === undefined ? "info" : "error", `node.${state}`, { cause }),
    count("health_changes_total", { state }),
    { kind: "health", health },
  ]
}

/** What it does, and where it stands as far as its operator said so. */
function standing(certificate: Certificate) {
  const { site, rack } = domainOf(certificate)
  return {
    roles: functionsOf(certificate.roles),
    ...(site === undefined ? {} : { site }),
    ...(rack === undefined ? {} : { rack }),
  }
}

/** Why new work is not taken now; undefined where it is. */
export function refusalOf(health: Health): string | undefined {
  switch (health.state) {
    case "healthy":
      return undefined
    case "joining":
      return "the node is still joining the fabric"
    case "draining":
    case "drained":
      return "the node is being drained"
    case "unhealthy":
      return health.cause
  }
}

/** What has no end has a number that JSON can hold. */
const daysLeft = (end: Instant, now: number): number => Math.min(36_500, Math.floor((end - now) / DAY))

/** A record outlives all its holders but one. `fewest`: known holders of the record that has the fewest. */
const mayDie = (nodes: number, fewest: number): number => Math.min(fewest, nodes) - 1
