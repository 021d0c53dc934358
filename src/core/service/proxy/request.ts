import { FormatError } from "../../kit/errors.ts"
import { maxForwardsOf } from "../../sip/fields.ts"
import { type HeaderField, Headers, type SipRequest } from "../../sip/message.ts"
import { parseNameAddress, splitList } from "../../sip/name-address.ts"
import { type Hop, isReliable, type Listener, type Transport } from "../../sip/transport.ts"
import { formatUri, parseUri } from "../../sip/uri.ts"
import { defaultPort } from "../../transaction/response-route.ts"
import type { Target } from "./interface.ts"
import { leadsToStrictRouter } from "./validation.ts"

const MAX_FORWARDS = 70

const NO_FIELDS: readonly HeaderField[] = []

/**
 * The request as it goes to one target: RFC 3261 §16.6 steps 1 to 6 and 8. Max-Forwards must not be
 * 0. `via` and `breadth` are the values of Via and Max-Breadth.
 */
export function composeRequest(
  request: SipRequest,
  target: Target,
  via: string,
  breadth: number,
): SipRequest {
  const forwards = (maxForwardsOf(request) ?? MAX_FORWARDS + 1) - 1
  const pushed: HeaderField[] = [{ name: "Via", value: via }]
  for (const value of target.recordRoute) pushed.push({ name: "Record-Route", value })
  for (const value of target.route) pushed.push({ name: "Route", value })
  pushed.push({ name: "Max-Breadth", value: String(breadth) })
  const composed: SipRequest = {
    kind: "request",
    method: request.method,
    uri: asRequestUri(target.requestUri),
    headers: request.headers
      .without("Max-Breadth")
      .with("Max-Forwards", String(forwards))
      .between(pushed, NO_FIELDS),
    body: request.body,
  }
  return leadsToStrictRouter(composed) ? forStrictRouter(composed) : composed
}

/** Without what a Request-URI may not hold. RFC 3261 §19.1.1 table 1. */
function asRequestUri(text: string): string {
  if (!text.includes("?") && !text.toLowerCase().includes(";method=")) return text
  try {
    const uri = parseUri(text)
    if (uri.kind !== "sip") return text
    return formatUri({ ...uri, parameters: uri.parameters.without("method"), headers: "" })
  } catch (error) {
    if (error instanceof FormatError) return text // For the next server to judge.
    throw error
  }
}

/** The first Route value becomes the Request-URI, and that goes to the end. RFC 3261 §16.6 step 6. */
function forStrictRouter(request: SipRequest): SipRequest {
  const { fields } = request.headers
  const routes = request.headers.all("Route").flatMap(splitList)
  const at = fields.findIndex(({ name }) => name === "Route")
  const others = fields.filter(({ name }) => name !== "Route")
  const moved = [...routes.slice(1), `<${request.uri}>`].map((value) => ({ name: "Route", value }))
  return {
    ...request,
    uri: asRequestUri(parseNameAddress(routes[0]!).uri),
    headers: new Headers([...others.slice(0, at), ...moved, ...others.slice(at)]),
  }
}

const transportOf = (hop: Hop): Transport => {
  switch (hop.kind) {
    case "flow":
      return hop.flow.transport
    case "address":
      return hop.transport
    case "node":
      return "TLS"
  }
}

/**
 * Our Via value for a request over this hop: the address that others know for its transport and,
 * if there is a choice, its address family. RFC 3261 §18.1.1, RFC 3581 §3.
 */
export function viaFor(hop: Hop, listeners: readonly Listener[], branch: string): string {
  const transport = transportOf(hop)
  const listener = listenerFor(hop, transport, listeners)
  // A connection needs no rport: answers come back over it. RFC 3581 is about datagrams.
  const rport = isReliable(transport) ? "" : ";rport"
  return `SIP/2.0/${transport} ${viaAddress(listener)}${rport};branch=${branch}`
}

function listenerFor(hop: Hop, transport: Transport, listeners: readonly Listener[]): Listener {
  const sixes = hop.kind !== "node" && destinationOf(hop).includes(":")
  const takesAny = !listeners.some((listener) => listener.transport === transport)
  let other: Listener | undefined
  for (const listener of listeners) {
    if (!takesAny && listener.transport !== transport) continue
    if (listener.advertised.host.includes(":") === sixes) return listener
    other ??= listener
  }
  return other!
}

/** The default port is left out: every message that passes carries it. RFC 3261 §18.1.1. */
function viaAddress({ transport, advertised: { host, port } }: Listener): string {
  return port === defaultPort(transport) ? bracketed(host) : `${bracketed(host)}:${port}`
}

const destinationOf = (hop: Exclude<Hop, { kind: "node" }>): string =>
  hop.kind === "flow" ? hop.flow.remote.host : hop.address.host

/** By what a proxy knows a Via of its own again: host as Via spells it, and port. */
export const sentBy = ({ advertised: { host, port } }: Listener): string => `${bracketed(host)}:${port}`

const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host)

/** Whether the Request-URI wants TLS on every hop. RFC 3261 §16.6 step 7. */
export const isSecure = (requestUri: string): boolean => requestUri.slice(0, 5).toLowerCase() === "sips:"
