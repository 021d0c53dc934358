import type { FakeAuthority } from "../core/identity/fake-cryptography.ts"
import { minutes, NEVER, seconds } from "../core/kit/time.ts"
import type { Configuration } from "../core/reload/configuration.ts"

/** The configuration of an invented overlay, whose name is its SIP domain too. */
export function configurationOf(
  { overlay, root }: Pick<FakeAuthority, "overlay" | "root">,
  changes: Partial<Configuration> = {},
): Configuration {
  return {
    instanceName: overlay,
    sequence: 1,
    expiration: NEVER,
    topologyPlugin: "CHORD-RELOAD",
    nodeIdLength: 16,
    rootCertificates: [root],
    enrollmentServers: [],
    bootstrapNodes: [],
    clientsPermitted: true,
    noIce: true,
    maxMessageSize: 65_536,
    initialTtl: 100,
    overlayReliabilityTimer: seconds(3),
    overlayLinkProtocols: ["TLS"],
    configurationSigners: [],
    kindSigners: [],
    badNodes: [],
    mandatoryExtensions: [],
    kinds: [],
    chord: { updateInterval: minutes(10), pingInterval: minutes(60), reactive: true },
    sipDomain: overlay,
    ...changes,
  }
}
