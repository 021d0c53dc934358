import { type Address, formatAddress } from "../../kit/address.ts"
import { ipVersion, sameHost } from "../../kit/ip.ts"
import { callIdOf, contactsOf, tagOf, toOf } from "../../sip/fields.ts"
import type { SipRequest } from "../../sip/message.ts"
import { type Flow, isReliable, type Listener, type Transport } from "../../sip/transport.ts"
import { readSipUri, type SipUri } from "../../sip/uri.ts"
import type { Call } from "../desk.ts"
import { readUri } from "../names.ts"
import { reachOf } from "./reach.ts"
import type { FlowToken, Tokens } from "./tokens.ts"

/** The side that a request goes to: over a flow of this node, through another node, or out by its URI. */
export type Side =
  | { readonly kind: "flow"; readonly token: FlowToken; readonly transport: Transport; readonly host: string }
  | { readonly kind: "node" }
  | { readonly kind: "out"; readonly uri: string }

/** Requests that make no dialog; an unknown method may. NOTIFY is another matter: RFC 6665 §4.3. */
const NO_DIALOG = new Set("ACK BYE CANCEL INFO MESSAGE OPTIONS PRACK PUBLISH REGISTER UPDATE".split(" "))

export const hasToTag = (request: SipRequest): boolean => tagOf(toOf(request)) !== undefined

/** The domain, and whether its SRV records lead to a listener of ours, and to others when we are dead. */
export interface DomainRoute {
  readonly name: string
  leadsTo(listener: Listener): boolean
}

/** Makes the Record-Route values by which later requests of a dialog find their way. docs/ARCHITECTURE.md, "A call". */
export class RecordRoutes {
  readonly #listeners: readonly Listener[]
  readonly #tokens: Tokens
  readonly #domain: DomainRoute
  /** Those of the listeners whose address is one of IPv6. */
  readonly #ip6: ReadonlySet<Listener>

  constructor(listeners: readonly Listener[], tokens: Tokens, domain: DomainRoute) {
    this.#listeners = listeners
    this.#tokens = tokens
    this.#domain = domain
    this.#ip6 = new Set(listeners.filter(({ advertised }) => ipVersion(advertised.host) === 6))
  }

  /**
   * The values to put on top, the topmost first: the side that the request goes to above the side it
   * came from. Another node of the fabric speaks for its own side. `isLocal`: the sender is a user of ours.
   */
  for(call: Call, to: Side, isLocal: boolean): readonly string[] {
    const { request, flow } = call
    if (!isRecorded(request)) return []
    const secure = request.uri.toLowerCase().startsWith("sips:")
    const callId = callIdOf(request)
    const above = to.kind === "node" ? undefined : this.#facing(to, callId, secure)
    if (flow.node !== undefined) return to.kind === "flow" && above !== undefined ? [above] : []
    const token = reachOfSender(call, isLocal) === "flow" ? this.#tokens.flow(flow, callId) : undefined
    const below = this.#uri(token ?? this.#tokens.out(callId), flow.transport, flow.remote.host, secure)
    return above === undefined || above === below ? [below] : [above, below]
  }

  /** The same for an INVITE of a phone, and to one, that are both reached at their Contacts, by UDP on our side. */
  direct(callId: string, flow: Flow, uri: SipUri): readonly string[] {
    const token = this.#tokens.out(callId)
    const above = this.#uri(token, transportOf(uri), uri.host, false)
    const below = this.#uri(token, flow.transport, flow.remote.host, false)
    return above === below ? [below] : [above, below]
  }

  #facing(to: Exclude<Side, { kind: "node" }>, callId: string, secure: boolean): string {
    if (to.kind === "flow")
      return this.#uri(this.#tokens.bind(to.token, callId), to.transport, to.host, secure)
    const uri = readSipUri(to.uri)
    return this.#uri(this.#tokens.out(callId), transportOf(uri), uri?.host ?? "", secure)
  }

  /**
   * An address of ours that the other side can reach: its transport, its family of addresses. The domain's
   * name where that leads to us as well, so that a phone finds another node when this one is dead.
   */
  #uri(token: string, transport: Transport, host: string, secure: boolean): string {
    const listener = this.#listenerFor(transport, ipVersion(host) === 6)
    const scheme = secure && transport !== "UDP" && transport !== "TCP" ? "sips" : "sip"
    if (listener.transport === transport && this.#domain.leadsTo(listener))
      // Without the transport, NAPTR records might send a phone that speaks UDP to TCP.
      return `<${scheme}:${token}@${this.#domain.name}${parameterOf(transport, scheme) || byUdp(transport)};lr>`
    return `<${scheme}:${token}@${hostPort(listener.advertised, transport)}${parameterOf(transport, scheme)};lr>`
  }

  #listenerFor(transport: Transport, isIp6: boolean): Listener {
    let other: Listener | undefined
    for (const listener of this.#listeners) {
      if (listener.transport !== transport) continue
      if (this.#ip6.has(listener) === isIp6) return listener
      other ??= listener
    }
    return other ?? this.#listeners[0]!
  }
}

/**
 * With the port only where it says something. By TLS it always does: not every phone takes
 * `sip:` with `transport=tls` to mean 5061.
 */
function hostPort(address: Address, transport: Transport): string {
  const isDefault = address.port === 5060 && (transport === "UDP" || transport === "TCP")
  if (!isDefault || ipVersion(address.host) === undefined) return formatAddress(address)
  return address.host.includes(":") ? `[${address.host}]` : address.host
}

function isRecorded(request: SipRequest): boolean {
  if (request.method === "NOTIFY") return true
  return !NO_DIALOG.has(request.method) && !hasToTag(request)
}

/** UDP is what a port without a transport means; `sips` says TLS. RFC 3263 §4.1, RFC 7118 §5.2. */
function parameterOf(transport: Transport, scheme: "sip" | "sips"): string {
  if (transport === "UDP" || (transport === "TLS" && scheme === "sips")) return ""
  return `;transport=${transport === "WSS" ? "ws" : transport.toLowerCase()}`
}

const byUdp = (transport: Transport): string => (transport === "UDP" ? ";transport=udp" : "")

function transportOf(uri: SipUri | undefined): Transport {
  if (uri === undefined) return "UDP"
  const named = uri.parameters.get("transport")?.toUpperCase()
  const secure = uri.scheme === "sips"
  if (named === "WS" || named === "WSS") return secure ? "WSS" : named
  if (secure || named === "TLS") return "TLS"
  return named === "TCP" ? "TCP" : "UDP"
}

/**
 * Whether requests back to the sender must take its flow. Whoever is behind a proxy that records its
 * route is reached through that. A stranger's connection may end before the dialog does, so a
 * Contact that may be true is preferred to it; our own users' connections are all we have.
 */
function reachOfSender({ request, flow }: Call, isLocal: boolean): "flow" | "contact" {
  if (request.headers.has("Record-Route")) return "contact"
  const contacts = contactsOf(request)
  const contact = contacts === "*" ? undefined : contacts[0]?.uri
  if (contact === undefined) return isReliable(flow.transport) ? "flow" : "contact"
  if (reachOf(request, contact, flow) === "contact") return "contact"
  if (isLocal || (flow.transport !== "TCP" && flow.transport !== "TLS")) return "flow"
  const uri = readUri(contact)
  const isPlausible =
    uri?.kind === "sip" && (ipVersion(uri.host) === undefined || sameHost(uri.host, flow.remote.host))
  return isPlausible ? "contact" : "flow"
}
