import { hasRole, PROXY, REGISTRAR } from "../identity/roles.ts"
import { minutes, seconds } from "../kit/time.ts"
import { RefusingServer } from "../service/refusing-server.ts"
import { createSipServer } from "../service/sip-server.ts"
import type { SipEffect, SipServer, Surroundings } from "../service/sip-server-interface.ts"
import type { NodeEffect, NodeSettings } from "./interface.ts"

const REGISTRATION = { min: seconds(30), default: minutes(60), max: minutes(120) }

/**
 * The SIP server of a node that has a role for it and the fabric key that such a role needs. Any
 * other node is a peer only, and tells phones so.
 */
export function createSipSide(
  settings: NodeSettings,
  surroundings: Surroundings & { aliases(): readonly string[] },
): SipServer {
  const { identity, cryptography, random, configuration, fabricKeys } = settings
  const domain = configuration.sipDomain
  const { certificate } = identity
  if (!hasRole(certificate, REGISTRAR) && !hasRole(certificate, PROXY))
    return new RefusingServer(
      domain,
      "this node is a peer only: it has neither role registrar nor role proxy",
    )
  const fabricKey = fabricKeys.at(-1)
  if (fabricKey === undefined)
    return new RefusingServer(domain, "this node is a peer only: enrolment gave it no fabric key")
  return createSipServer({
    node: identity.nodeId,
    domain,
    aliases: () => surroundings.aliases(),
    listeners: settings.listeners,
    fabricKey: fabricKey.key,
    hashes: cryptography,
    random,
    surroundings,
    trusted: settings.trusted,
    algorithms: settings.digestAlgorithms,
    registration: REGISTRATION,
  })
}

/** Whether all of it is for the host, and nothing for this node: so are nearly all answers to phones. */
export function areForHost(
  effects: readonly SipEffect[],
): effects is readonly Extract<NodeEffect, SipEffect>[] {
  for (const effect of effects)
    if (effect.kind === "send" ? effect.hop.kind === "node" : effect.kind !== "count") return false
  return true
}
