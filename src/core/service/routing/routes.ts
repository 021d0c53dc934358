import { callIdOf, routesOf, valuesOf } from "../../sip/fields.ts"
import type { SipRequest } from "../../sip/message.ts"
import type { Flow } from "../../sip/transport.ts"
import { type Names, readUri } from "../names.ts"
import type { Token, Tokens } from "./tokens.ts"

/** A request without the Route values that are ours, and what the last of them said. */
export interface Unrouted {
  readonly request: SipRequest
  readonly token: { readonly token: Token; readonly text: string } | undefined
  /** The first Route value that is left, a URI. */
  readonly next: string | undefined
}

/**
 * Takes off all leading Route values that are ours: those with tokens, of which the last is to be
 * obeyed, and plain ones by which phones name their outbound proxy. RFC 3261 §16.4. A token that is
 * forged, or of another dialog, says nothing. One that is bound to no dialog is for nodes only.
 */
export function takeOwnRoutes(request: SipRequest, flow: Flow, names: Names, tokens: Tokens): Unrouted {
  const routes = routesOf(request)
  if (routes.length === 0) return { request, token: undefined, next: undefined }
  const callId = callIdOf(request)
  let token: Unrouted["token"]
  let taken = 0
  for (; taken < routes.length; taken++) {
    const uri = readUri(routes[taken]!.uri)
    if (uri?.kind !== "sip") break
    const read = uri.user === undefined ? undefined : tokens.read(uri.user, callId)
    const isHonoured = read !== undefined && (!read.unbound || flow.node !== undefined)
    if (isHonoured) token = { token: read.token, text: uri.user! }
    else if (!names.isOurs(uri, flow.transport)) break
  }
  return { request: taken === 0 ? request : withoutRoutes(request, taken), token, next: routes[taken]?.uri }
}

/** Whether the Request-URI is one that we put into a Record-Route, as strict routers leave it. */
export function isOwnRoute(text: string, request: SipRequest, tokens: Tokens): boolean {
  const uri = readUri(text)
  return (
    uri?.kind === "sip" && uri.user !== undefined && tokens.read(uri.user, callIdOf(request)) !== undefined
  )
}

/** The first `taken` are off, the others behind all else. */
function withoutRoutes(request: SipRequest, taken: number): SipRequest {
  const others = valuesOf(request, "Route").slice(taken)
  const left = others.map((value) => ({ name: "Route", value }))
  return { ...request, headers: request.headers.without("Route").between([], left) }
}
