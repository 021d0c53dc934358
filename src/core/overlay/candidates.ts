import type { Address } from "../kit/address.ts"
import { formatIp, ipBytes } from "../kit/ip.ts"
import type { IceCandidate } from "../reload/attach.ts"

// RFC 6940 §6.5.1.11: without ICE a candidate is an address that takes connections, and that is all.

/** RFC 5245 §4.1.2.1 for the one host candidate that we have. */
const PRIORITY = 2_130_706_431

/** None where the address is no IP literal. */
export function candidatesOf({ host, port }: Address): readonly IceCandidate[] {
  const ip = ipBytes(host)
  if (ip === undefined) return []
  return [
    {
      address: { kind: ip.length === 4 ? "ipv4" : "ipv6", ip, port },
      overlayLink: "TLS-TCP-FH-NO-ICE",
      foundation: "1",
      priority: PRIORITY,
      origin: { kind: "host" },
      extensions: [],
    },
  ]
}

/** Where to connect to; undefined where no candidate is of the one link type that we speak. */
export function addressOf(candidates: readonly IceCandidate[]): Address | undefined {
  const usable = candidates.find(({ overlayLink }) => overlayLink === "TLS-TCP-FH-NO-ICE")
  return usable && { host: formatIp(usable.address.ip), port: usable.address.port }
}
