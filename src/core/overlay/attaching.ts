import type { NodeId } from "../identity/node-id.ts"
import { seconds } from "../kit/time.ts"
import type { AttachReqAns } from "../reload/attach.ts"
import type { ResourceId } from "../reload/header.ts"
import type { Answers } from "./answers.ts"
import { addressOf, candidatesOf } from "./candidates.ts"
import type { Fabric } from "./fabric.ts"
import type { LinkPool } from "./link-pool.ts"
import type { Received } from "./messenger.ts"
import type { Requests, Target } from "./requests.ts"
import type { Appointment } from "./schedule.ts"

/** How long an Attach and the link that follows from it may take. */
const PATIENCE = seconds(2)

interface Pending {
  /** The other end has agreed, and connects to us. */
  isAgreed: boolean
  readonly timer: Appointment
}

/** `in-progress`: the other end attaches to us itself, and its Attach is the one to be answered. */
type Outcome = "agreed" | "in-progress" | "failed"

export interface AttachingEvents {
  unreachable(peer: NodeId): void
  /** `peer` asks for our Update. */
  updateWanted(peer: NodeId): void
}

/**
 * Agrees with other nodes, through the overlay, on a link between us. RFC 6940 §6.5.1.
 *
 * Without ICE the whole of it is an address each: who asked is the TLS server (§6.5.1.13), so whoever
 * answers opens the connection.
 */
export class Attaching {
  readonly #fabric: Fabric
  readonly #links: LinkPool
  readonly #requests: Requests
  readonly #answers: Answers
  readonly #events: AttachingEvents
  readonly #pending = new Map<NodeId, Pending>()

  constructor(
    fabric: Fabric,
    links: LinkPool,
    requests: Requests,
    answers: Answers,
    events: AttachingEvents,
  ) {
    this.#fabric = fabric
    this.#links = links
    this.#requests = requests
    this.#answers = answers
    this.#events = events
  }

  /** Links up with a peer that `via` has named. */
  want(peer: NodeId, via: NodeId | undefined): void {
    if (this.#links.to(peer)) return this.introduce(peer)
    if (this.#pending.has(peer)) return
    const pending: Pending = {
      isAgreed: false,
      timer: this.#fabric.in(PATIENCE, () => this.#fail(peer, pending)),
    }
    this.#pending.set(peer, pending)
    const known = via !== undefined && this.#links.to(via) ? via : undefined
    this.#ask({ kind: "node", node: peer, via: known }, (outcome) => {
      if (outcome === "agreed") pending.isAgreed = true
      else if (outcome === "failed") this.#fail(peer, pending)
    })
  }

  /** Links up with whoever is responsible there. `via`: any peer of the ring. */
  seek(target: ResourceId, via: NodeId | undefined): void {
    this.#ask({ kind: "resource", resource: target, via }, () => undefined)
  }

  /** Tells a node to which we have opened a link where we take connections, and asks for its Update. */
  introduce(peer: NodeId): void {
    this.#ask({ kind: "node", node: peer }, () => undefined)
  }

  linked(peer: NodeId): void {
    const pending = this.#pending.get(peer)
    if (pending) this.#forget(peer, pending)
  }

  requested(request: Received, { candidates, sendUpdate }: AttachReqAns): void {
    const { node } = request
    const address = addressOf(candidates)
    if (address === undefined)
      return this.#answers.refuse(request, "Error_Invalid_Message", "no candidate is TLS-TCP-FH-NO-ICE")
    this.#links.learnAddress(node, address)
    if (this.#links.to(node)) {
      this.#agree(request)
      if (sendUpdate) this.#events.updateWanted(node)
      return
    }
    const own = this.#pending.get(node)
    // Both ask at once: the smaller Node-ID gives way, unless it is agreed who connects. §6.5.1.2.
    if (own && (own.isAgreed || this.#fabric.self > node))
      return this.#answers.refuse(request, "Error_In_Progress", "we attach to it ourselves")
    this.#agree(request)
    this.#links.dial(address, node)
  }

  #ask(to: Target, done: (outcome: Outcome) => void): void {
    this.#requests.ask({
      to,
      body: { kind: "attach-req", ...this.#offer("passive", true) },
      patience: PATIENCE,
      done: (reply) => {
        if (reply.kind === "answered" && reply.received.body.kind === "attach-ans") {
          const address = addressOf(reply.received.body.candidates)
          if (address) this.#links.learnAddress(reply.received.node, address)
          return done("agreed")
        }
        const isOurTurn = reply.kind === "refused" && reply.error === "Error_In_Progress"
        done(isOurTurn ? "in-progress" : "failed")
      },
    })
  }

  #agree(request: Received): void {
    this.#answers.answer(request, { kind: "attach-ans", ...this.#offer("active", false) })
  }

  #offer(role: "active" | "passive", sendUpdate: boolean): AttachReqAns {
    const candidates = candidatesOf(this.#fabric.settings.advertised)
    return { ufrag: "", password: "", role, candidates, sendUpdate }
  }

  #fail(peer: NodeId, pending: Pending): void {
    if (this.#pending.get(peer) !== pending) return
    this.#forget(peer, pending)
    this.#events.unreachable(peer)
  }

  #forget(peer: NodeId, pending: Pending): void {
    this.#pending.delete(peer)
    this.#fabric.schedule.cancel(pending.timer)
  }
}
