import type { Identity } from "../identity/certificate.ts"
import { formatAddress } from "../kit/address.ts"
import type { Instant } from "../kit/time.ts"
import type { OverlayStatus } from "../overlay/interface.ts"
import type { Configuration } from "../reload/configuration.ts"
import type { SipStatistics } from "../service/sip-server-interface.ts"
import type { Health, NodeSettings, NodeStatus } from "./interface.ts"

const DAY = 86_400_000

/** What a node knows of itself and the fabric, for `status`. */
export function describeNode(known: {
  readonly settings: NodeSettings
  readonly identity: Identity
  /** The one in force. */
  readonly configuration: Configuration
  readonly overlay: OverlayStatus
  readonly sip: SipStatistics
  readonly health: Health
  readonly started: Instant | number
  readonly now: number
}): NodeStatus {
  const { settings, identity, configuration, overlay, sip, health, started, now } = known
  const { advertised, version, authorityExpires = configuration.expiration } = settings
  const { roles, notAfter } = identity.certificate
  const nodes = [
    { node: identity.nodeId as string, address: formatAddress(advertised), roles, self: true },
    ...overlay.peers.map(({ node, address, certificate }) => ({
      node: node as string,
      address: address === undefined ? "unknown" : formatAddress(address),
      roles: certificate.roles,
      self: false,
    })),
  ]
  const { fewest, ...records } = overlay.records
  const roleCounts: Record<string, number> = {}
  for (const role of nodes.flatMap((node) => node.roles)) roleCounts[role] = (roleCounts[role] ?? 0) + 1
  return {
    version,
    node: identity.nodeId,
    domain: configuration.sipDomain,
    overlay: configuration.instanceName,
    health,
    uptimeSeconds: Math.floor((now - started) / 1_000),
    advertised: formatAddress(advertised),
    roles,
    nodes,
    roleCounts,
    mayDie: mayDie(nodes.length, fewest),
    records,
    sip,
    certificateDaysLeft: daysLeft(notAfter, now),
    configurationDaysLeft: daysLeft(configuration.expiration, now),
    authorityDaysLeft: daysLeft(authorityExpires, now),
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
