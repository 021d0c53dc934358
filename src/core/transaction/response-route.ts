import { ipVersion } from "../kit/ip.ts"
import { type Flow, type Hop, isReliable } from "../sip/transport.ts"
import type { Via } from "../sip/via.ts"

/** The port of a URI or sent-by that names none. RFC 3261 §18.1.1, §19.1.2; RFC 7118 §4. */
export function defaultPort(transport: string): number {
  switch (transport) {
    case "TLS":
      return 5061
    case "WS":
      return 80
    case "WSS":
      return 443
    default:
      return 5060
  }
}

const bareHost = (host: string) => (host.startsWith("[") ? host.slice(1, -1) : host)

/** The top Via with the address that the request came from. RFC 3261 §18.2.1, RFC 3581 §4. */
export function markReceived(via: Via, flow: Flow): Via {
  const { host, port } = flow.remote
  const { parameters } = via
  const { transport, host: sentBy, port: sentFrom } = via
  const marked = parameters.has("rport")
    ? parameters.with("received", host).with("rport", String(port))
    : bareHost(sentBy) === host
      ? parameters.without("received")
      : parameters.with("received", host)
  return { transport, host: sentBy, port: sentFrom, parameters: marked }
}

/** Where responses to a request go, of which `via` was the top Via. RFC 3261 §18.2.2, RFC 3581 §4. */
export function responseHop(via: Via, flow: Flow): Extract<Hop, { kind: "flow" }> {
  if (isReliable(flow.transport)) return { kind: "flow", flow }
  const maddr = via.parameters.get("maddr")
  const host = maddr !== undefined && ipVersion(bareHost(maddr)) ? bareHost(maddr) : flow.remote.host
  if (host === flow.remote.host && via.parameters.has("rport")) return { kind: "flow", flow }
  const port = via.port ?? defaultPort("UDP")
  if (host === flow.remote.host && port === flow.remote.port) return { kind: "flow", flow }
  return { kind: "flow", flow: { ...flow, remote: { host, port } } }
}

/**
 * Where responses go once the connection of the request has gone: to the sent-by port of the host
 * it came from. Undefined where none can be opened: to a browser, or another node's own way.
 */
export function reopenedHop(via: Via, flow: Flow): Hop | undefined {
  if (flow.node !== undefined) return { kind: "node", node: flow.node }
  if (flow.transport !== "TCP" && flow.transport !== "TLS") return undefined
  const port = via.port ?? defaultPort(flow.transport)
  const serverName = ipVersion(bareHost(via.host)) ? undefined : via.host
  return {
    kind: "address",
    transport: flow.transport,
    address: { host: flow.remote.host, port },
    serverName,
  }
}
