import { ipVersion, sameHost } from "../../kit/ip.ts"
import { topVia, viasOf } from "../../sip/fields.ts"
import type { SipMessage } from "../../sip/message.ts"
import { type Flow, isReliable } from "../../sip/transport.ts"
import { readUri } from "../names.ts"

/**
 * How a phone is reached: at its Contact, or only over the flow by which its request came.
 * `kept-open`: the flow lives only as long as somebody keeps a NAT's door open.
 */
export type Reach = "contact" | "flow" | "kept-open"

/**
 * Decides from a request and the Contact in it. A request that came through another proxy tells
 * nothing of the phone's own flow.
 */
export function reachOf(request: Pick<SipMessage, "headers">, contact: string, flow: Flow): Reach {
  if (viasOf(request).length > 1) return "contact"
  if (isReliable(flow.transport)) return "flow"
  return isBehindNat(request, contact, flow) ? "kept-open" : "contact"
}

/**
 * Whether a plain UDP phone's own idea of its address differs from where its packet came from.
 * A Contact on another port of the same host is no sign of a NAT: it may be another program's. The
 * Via's port is, where the phone asks for answers at the source port. RFC 3581.
 */
function isBehindNat(request: Pick<SipMessage, "headers">, contact: string, { remote }: Flow): boolean {
  const via = topVia(request)
  if (isOtherAddress(via.host, remote.host)) return true
  if (via.parameters.has("rport") && (via.port ?? 5060) !== remote.port) return true
  const uri = readUri(contact)
  return uri?.kind === "sip" && isOtherAddress(uri.host, remote.host)
}

const isOtherAddress = (host: string, source: string): boolean =>
  host !== source && ipVersion(host) !== undefined && !sameHost(host, source)
