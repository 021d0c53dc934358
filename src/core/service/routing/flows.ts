import type { Flow } from "../../sip/transport.ts"
import { EDGE_DIGITS, type FlowToken, type Tokens } from "./tokens.ts"

/** Where a flow token leads. */
export type FlowPlace =
  /** Here, and alive. */
  | { readonly kind: "here"; readonly flow: Flow }
  /** Here once: the connection has gone, or this node has been started anew. */
  | { readonly kind: "failed" }
  | { readonly kind: "elsewhere"; readonly node: string }
  /** At a node that lives no more. */
  | { readonly kind: "lost" }

/** The connections of this node by their number, and where tokens lead. RFC 5626 §5.3. */
export class Flows {
  readonly #self: string
  readonly #tokens: Tokens
  readonly #nodeWithPrefix: (prefix: string) => string | undefined
  readonly #connections = new Map<number, Flow>()

  constructor(self: string, tokens: Tokens, nodeWithPrefix: (prefix: string) => string | undefined) {
    this.#self = self
    this.#tokens = tokens
    this.#nodeWithPrefix = nodeWithPrefix
  }

  /** A message came over it: it is open, until `closed`. */
  seen(flow: Flow): void {
    if (flow.connection !== undefined) this.#connections.set(flow.connection, flow)
  }

  closed(flow: Flow): void {
    if (flow.connection !== undefined) this.#connections.delete(flow.connection)
  }

  find(token: FlowToken): FlowPlace {
    if (token.edge !== this.#self.slice(0, EDGE_DIGITS)) {
      const node = this.#nodeWithPrefix(token.edge)
      return node === undefined ? { kind: "lost" } : { kind: "elsewhere", node }
    }
    if (token.kind === "datagram") {
      const { local, remote } = token
      return {
        kind: "here",
        flow: { transport: "UDP", local, remote, connection: undefined, node: undefined },
      }
    }
    const flow = this.#tokens.isOfThisLife(token) ? this.#connections.get(token.connection) : undefined
    return flow === undefined ? { kind: "failed" } : { kind: "here", flow }
  }
}
