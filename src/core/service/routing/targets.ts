import { FormatError } from "../../kit/errors.ts"
import { parseNameAddress } from "../../sip/name-address.ts"
import type { Flow, Hop } from "../../sip/transport.ts"
import { readSipUri } from "../../sip/uri.ts"
import type { Call } from "../desk.ts"
import { readUri } from "../names.ts"
import type { Target, TargetHop } from "../proxy/interface.ts"
import { isSecure } from "../proxy/request.ts"
import { literalHop } from "../proxy/resolve-plan.ts"
import { type EffectiveBinding, identityOf } from "../registrar/bindings.ts"
import type { GoneBinding } from "../registrar/registrar.ts"
import type { FlowPlace, Flows } from "./flows.ts"
import type { RecordRoutes, Side } from "./record-route.ts"
import type { Token, Tokens } from "./tokens.ts"

/** A target, and the binding behind it: which the fabric has to forget should an edge say so. */
interface BoundTarget extends Target {
  readonly binding?: GoneBinding
}

/** One that may be sent to at once. */
export interface DirectTarget extends BoundTarget {
  readonly hop: Hop
}

export interface TargetSet {
  readonly targets: readonly Target[]
  /** Bindings whose flow was here and is no more, since before this node was started. */
  readonly gone: readonly GoneBinding[]
}

interface TargetParts {
  readonly node: string
  readonly domain: string
  readonly isAlive: (node: string) => boolean
  readonly tokens: Tokens
  readonly flows: Flows
  readonly recordRoutes: RecordRoutes
}

/** Turns bindings into the targets of a request. RFC 3261 §16.5, RFC 5626 §7. */
export class Targets {
  readonly #parts: TargetParts

  constructor(parts: TargetParts) {
    this.#parts = parts
  }

  /** `bindings`: newest first, as `mergeBindings` has them. */
  of(call: Call, aor: string, bindings: readonly EffectiveBinding[], isLocal: boolean): TargetSet {
    const gone: GoneBinding[] = []
    const byInstance = new Map<string, Target[]>()
    for (const binding of bindings) {
      const target = this.#target(call, binding, isLocal)
      const about = goneBinding(aor, binding)
      if (target === "gone") gone.push(about)
      if (typeof target === "string") continue
      const found: BoundTarget = { ...target, binding: about }
      // Several flows of one instance are tried one after the other, never at once.
      const key = binding.regId === undefined ? identityOf(binding) : `${binding.instance}`
      byInstance.set(key, [...(byInstance.get(key) ?? []), found])
    }
    const targets = [...byInstance.values()].map((flows) => this.#chain(flows))
    return { targets, gone }
  }

  /** Out by the URI, as RFC 3263 finds it. */
  out(call: Call, uri: string, isLocal: boolean): Target {
    const recordRoute = this.#parts.recordRoutes.for(call, { kind: "out", uri }, isLocal)
    const requestUri = call.request.uri
    return { hop: hopOf(uri, isSecure(requestUri)), requestUri, route: [], recordRoute, q: 1_000 }
  }

  /**
   * For an INVITE of a phone that is reached at its Contact, to a binding that is: as `of` would have it. Undefined where the binding is
   * reached in another way, or a server has to be found.
   */
  direct(binding: EffectiveBinding, callId: string, flow: Flow): DirectTarget | undefined {
    const { contact, path, q } = binding
    if (path.length > 0 || binding.flow !== undefined || !isPlainTarget(contact)) return undefined
    const uri = readSipUri(contact)
    if (uri === undefined) return undefined
    const hop = literalHop({ uri, secure: false })
    if (hop === undefined) return undefined
    const recordRoute = this.#parts.recordRoutes.direct(callId, flow, uri)
    return { hop, requestUri: contact, route: NO_ROUTE, recordRoute, q }
  }

  /** Over a flow that lives here or at another node. `text`: the token, to be passed on. */
  overFlow(
    call: Call,
    token: Exclude<Token, { kind: "out" }>,
    text: string,
    place: Extract<FlowPlace, { kind: "here" | "elsewhere" }>,
    isLocal: boolean,
  ): Target {
    const side: Side =
      place.kind === "here"
        ? { kind: "flow", token, transport: place.flow.transport, host: place.flow.remote.host }
        : { kind: "node" }
    const recordRoute = this.#parts.recordRoutes.for(call, side, isLocal)
    const common = { requestUri: call.request.uri, recordRoute, q: 1_000 }
    if (place.kind === "here") return { ...common, hop: { kind: "flow", flow: place.flow }, route: [] }
    const route = [`<sip:${text}@${this.#parts.domain};lr>`]
    return { ...common, hop: { kind: "node", node: place.node }, route }
  }

  /** The binding that an edge, which lives, says it cannot reach: its 430 supersedes it. */
  refutedBy(target: Target, status: number): GoneBinding | undefined {
    return status === 430 && target.hop.kind === "node" ? (target as BoundTarget).binding : undefined
  }

  #target(call: Call, binding: EffectiveBinding, isLocal: boolean): Target | "unreachable" | "gone" {
    const { contact, path, q, flow, edge } = binding
    const toContact: Call = { ...call, request: { ...call.request, uri: contact } }
    if (path.length > 0) {
      const first = routeUri(path[0]!)
      return first === undefined ? "unreachable" : { ...this.out(toContact, first, isLocal), route: path, q }
    }
    if (flow === undefined) return { ...this.out(toContact, contact, isLocal), q }
    const { node, isAlive, tokens, flows } = this.#parts
    const token = tokens.read(flow, "")?.token
    if (token === undefined || token.kind === "out") return "unreachable"
    const place = flows.find(token)
    switch (place.kind) {
      case "here":
        return { ...this.overFlow(toContact, token, flow, place, isLocal), q }
      case "elsewhere":
        // The record knows the whole name of the edge; a token only its beginning.
        if (!isAlive(edge)) return "unreachable"
        return { ...this.overFlow(toContact, token, flow, { kind: "elsewhere", node: edge }, isLocal), q }
      case "failed":
        return edge === node && token.kind === "stream" && !tokens.isOfThisLife(token)
          ? "gone"
          : "unreachable"
      case "lost":
        return "unreachable"
    }
  }

  /** Each falls back on the next. */
  #chain([first, ...rest]: readonly Target[]): Target {
    return rest.length === 0 ? first! : { ...first!, fallback: this.#chain(rest) }
  }
}

const NO_ROUTE: readonly string[] = []

/** Nothing has to be taken out of it to make a Request-URI of it. RFC 3261 §19.1.1. */
const isPlainTarget = (uri: string): boolean =>
  uri.startsWith("sip:") && !uri.includes("?") && !uri.toLowerCase().includes(";method=")

/** What names an address is where it leads. */
function hopOf(text: string, secure: boolean): TargetHop {
  const uri = readUri(text)
  return (uri?.kind === "sip" ? literalHop({ uri, secure }) : undefined) ?? { kind: "uri", uri: text }
}

/** Undefined where another node, of another version, stored what we cannot read. */
function routeUri(value: string): string | undefined {
  try {
    return parseNameAddress(value).uri
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}

const goneBinding = (aor: string, binding: EffectiveBinding): GoneBinding => ({
  aor,
  identity: identityOf(binding),
  edge: binding.edge,
  version: binding.version,
})
