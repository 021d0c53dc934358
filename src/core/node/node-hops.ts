import type { NodeId } from "../identity/node-id.ts"
import type { Address } from "../kit/address.ts"
import { type Machine, NOTHING } from "../kit/machine.ts"
import { type Instant, NEVER } from "../kit/time.ts"
import type { OverlayEffect, OverlayInput, Ticket } from "../overlay/interface.ts"
import type { SipEffect } from "../service/sip-server-interface.ts"
import { Tickets } from "../usage/tickets.ts"
import type { ResolvedHop } from "./interface.ts"

/** Application-ID of SIP over TLS, by its port. RFC 6940 §14.5. */
export const SIPS_APPLICATION = 5061

type Send = Extract<SipEffect, { kind: "send" }>

export type NodeHopsInput =
  | Send
  | Extract<OverlayEffect, { kind: "app-attached" | "peer-down" }>
  /** A message could not be sent to that node: its address may have changed. */
  | { readonly kind: "unreachable"; readonly node: string }

export type NodeHopsEffect =
  | { readonly kind: "send"; readonly id: string; readonly hop: ResolvedHop; readonly bytes: Uint8Array }
  | Extract<OverlayInput, { kind: "app-attach" }>
  | { readonly kind: "send-failed"; readonly id: string; readonly reason: string }

/** Messages that wait for one node's address; more than these are refused. */
const MOST_WAITING = 1_024

/** Finds where nodes take SIP, by AppAttach, once for each node and until it is lost. RFC 6940 §6.5.2. */
export class NodeHops implements Machine<NodeHopsInput, NodeHopsEffect> {
  readonly deadline: Instant = NEVER
  readonly #found = new Map<string, Address>()
  readonly #waiting = new Map<string, { readonly ticket: Ticket; readonly sends: Send[] }>()
  readonly #tickets: Tickets<string>

  constructor(owner: number) {
    this.#tickets = new Tickets(owner)
  }

  handle(input: NodeHopsInput): readonly NodeHopsEffect[] {
    switch (input.kind) {
      case "send":
        return this.#send(input)
      case "app-attached":
        return this.#attached(input)
      case "unreachable":
        this.#found.delete(input.node)
        return NOTHING
      case "peer-down":
        return this.#down(input.node)
    }
  }

  expire(): readonly NodeHopsEffect[] {
    return NOTHING
  }

  #send(send: Send): readonly NodeHopsEffect[] {
    const { id, hop, bytes } = send
    if (hop.kind !== "node") return [{ kind: "send", id, hop, bytes }]
    const address = this.#found.get(hop.node)
    if (address !== undefined) return [{ kind: "send", id, hop: { ...hop, address }, bytes }]
    const waiting = this.#waiting.get(hop.node)
    if (waiting === undefined) {
      const ticket = this.#tickets.issue(hop.node)
      this.#waiting.set(hop.node, { ticket, sends: [send] })
      return [{ kind: "app-attach", ticket, node: hop.node as NodeId, application: SIPS_APPLICATION }]
    }
    if (waiting.sends.length >= MOST_WAITING) {
      return [
        {
          kind: "send-failed",
          id,
          reason: `${MOST_WAITING} messages wait for the address of node ${hop.node}`,
        },
      ]
    }
    waiting.sends.push(send)
    return NOTHING
  }

  /** Nobody can tell any more where it is. */
  #down(node: string): readonly NodeHopsEffect[] {
    this.#found.delete(node)
    const { sends = [] } = this.#waiting.get(node) ?? {}
    this.#waiting.delete(node)
    return sends.map(({ id }) => ({ kind: "send-failed", id, reason: `node ${node} lives no more` }))
  }

  #attached(input: Extract<NodeHopsInput, { kind: "app-attached" }>): readonly NodeHopsEffect[] {
    const node = this.#tickets.redeem(input.ticket)
    if (node === undefined) return NOTHING
    const { result } = input
    const waiting = this.#waiting.get(node)
    // Nobody, where the node was lost meanwhile and others ask for it now.
    const sends = waiting?.ticket === input.ticket ? waiting.sends : []
    if (sends.length > 0) this.#waiting.delete(node)
    if (result.kind === "failed") {
      const reason = `node ${node} cannot be found: ${result.cause}`
      return sends.map(({ id }) => ({ kind: "send-failed", id, reason }))
    }
    const { address } = result
    this.#found.set(node, address)
    return sends.map(({ id, bytes }) => ({ kind: "send", id, hop: { kind: "node", node, address }, bytes }))
  }
}
