import { maxForwardsOf, routesOf } from "../../sip/fields.ts"
import { type HeaderField, Headers, type SipRequest, type SipResponse } from "../../sip/message.ts"
import { parseNameAddress, splitList } from "../../sip/name-address.ts"
import { makeResponse } from "../../sip/respond.ts"
import { statelessTag } from "../../transaction/stateless.ts"

/**
 * What keeps a request from being forwarded: 416, 483 or 420; undefined where nothing does.
 * RFC 3261 §16.3. OPTIONS with Max-Forwards 0 passes, since it may be answered here. Loops are
 * found by the proxy, when it knows what it forwards.
 */
export function validateForwarding(request: SipRequest): SipResponse | undefined {
  // A request with a route left goes by that, whatever its Request-URI is.
  if (!/^sips?:/i.test(request.uri) && !request.headers.has("Route")) return refusal(request, 416)
  if (request.method !== "OPTIONS" && maxForwardsOf(request) === 0) return refusal(request, 483)
  const required = request.headers.all("Proxy-Require").filter((value) => value !== "")
  return required.length === 0
    ? undefined
    : refusal(request, 420, [{ name: "Unsupported", value: required.join(", ") }])
}

/** A response by the proxy itself, the same for every retransmission. */
export const refusal = (
  request: SipRequest,
  status: number,
  headers: readonly HeaderField[] = [],
): SipResponse => makeResponse(request, status, undefined, { toTag: statelessTag(request), headers })

/**
 * Undoes what a strict router did: where the Request-URI is one that this proxy put into a
 * Record-Route, the last Route value is the Request-URI. RFC 3261 §16.4.
 */
export function repairStrictRoute(request: SipRequest, isOurs: (uri: string) => boolean): SipRequest {
  if (!request.headers.has("Route") || !isOurs(request.uri)) return request
  const { fields } = request.headers
  const at = fields.findLastIndex(({ name }) => name === "Route")
  const values = splitList(fields[at]!.value)
  const others = values.slice(0, -1)
  const left = fields.flatMap((field, index) => {
    if (index !== at) return [field]
    return others.length === 0 ? [] : [{ name: "Route", value: others.join(", ") }]
  })
  return { ...request, uri: parseNameAddress(values.at(-1)!).uri, headers: new Headers(left) }
}

/** Whether the first Route value names a strict router: one without `lr`. */
export function leadsToStrictRouter(request: SipRequest): boolean {
  const first = routesOf(request)[0]
  return first !== undefined && !/;lr(?=[;=?]|$)/i.test(first.uri)
}

/** Max-Breadth as it counts here, at most `most`. RFC 5393 §5.3.3. */
export function breadthOf(request: SipRequest, most: number): number {
  const text = request.headers.first("Max-Breadth")
  if (text === undefined || !/^\d{1,9}$/.test(text)) return most
  return Math.max(1, Math.min(Number(text), most))
}
