import type { SipRequest, SipResponse } from "../sip/message.ts"

/**
 * What keeps a request from being forwarded: 416, 483 or 420; undefined where nothing does.
 * RFC 3261 §16.3. OPTIONS with Max-Forwards 0 passes, since it may be answered here. Loops are
 * found by the proxy, when it knows what it forwards.
 */
export function validateForwarding(_request: SipRequest): SipResponse | undefined {
  return undefined
}

/**
 * Undoes what a strict router did: where the Request-URI is one that this proxy put into a
 * Record-Route, the last Route value is the Request-URI. RFC 3261 §16.4.
 */
export function repairStrictRoute(request: SipRequest, _isOurs: (uri: string) => boolean): SipRequest {
  return request
}
