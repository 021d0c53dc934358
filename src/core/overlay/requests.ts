import type { NodeId } from "../identity/node-id.ts"
import { randomBytes } from "../kit/bytes.ts"
import { toHex } from "../kit/hex.ts"
import { LIMITS } from "../kit/limits.ts"
import { after, type Duration, earliest, type Instant, milliseconds, seconds } from "../kit/time.ts"
import { ErrorCode, type ErrorName } from "../reload/codes.ts"
import type { Destination, ResourceId, TransactionId } from "../reload/header.ts"
import type { MessageBody } from "../reload/message.ts"
import { isWithin } from "../topology/chord/rules.ts"
import type { Fabric } from "./fabric.ts"
import type { Link, LinkPool } from "./link-pool.ts"
import type { Messenger, Received } from "./messenger.ts"
import type { Appointment } from "./schedule.ts"

export type Target =
  /** `via`: the peer that named it, where there is no link to it. RFC 6940 §10.6. */
  | { readonly kind: "node"; readonly node: NodeId; readonly via?: NodeId | undefined }
  /** `via`: any peer of the ring, for a node that is not part of it. */
  | {
      readonly kind: "resource"
      readonly resource: ResourceId
      readonly via?: NodeId | undefined
      /** So many of the ways there have been tried before. */
      readonly tried?: number | undefined
    }

export type Reply =
  | {
      readonly kind: "answered"
      readonly received: Received
      readonly hops: number
      readonly took: Duration
    }
  | {
      readonly kind: "refused"
      readonly error: ErrorName
      readonly cause: string
      readonly info: Uint8Array
      readonly by: NodeId
    }
  /** No answer, and none will come. */
  | { readonly kind: "lost"; readonly cause: string }
  /** We are the responsible peer ourselves. */
  | { readonly kind: "ours" }

export interface Question {
  readonly to: Target
  readonly body: MessageBody
  readonly certificates?: readonly Uint8Array[]
  /** Longest wait for the answer; 15 s is the limit of RFC 6940 §6.2.1. */
  readonly patience?: Duration
  readonly done: (reply: Reply) => void
}

interface Outstanding {
  readonly question: Question
  readonly transaction: TransactionId
  /** Once it has been signed, when it was first sent. */
  payload: Uint8Array | undefined
  readonly askedAt: Instant
  readonly until: Instant
  hop: NodeId | undefined
  sends: number
  /** How often nothing came of it: each time another way is taken. */
  detours: number
  /** How often its hop was lost: the ring is changing, and the next hop may not know it yet. */
  losses: number
  /** How many answers were refused. Who repeats them must not make us repeat the request as often. */
  refusals: number
  timer: Appointment | undefined
}

interface Route {
  readonly destination: readonly Destination[]
  readonly hop: Link
}

/** RFC 6940 §6.2.1: five sends, and never longer than 15 s. */
const SENDS = 5
const LIFETIME = seconds(15)
/** How soon a request is sent again that found no way, or whose way broke. */
const UNSETTLED = milliseconds(250)

const NAMES = new Map(Object.entries(ErrorCode).map(([name, code]) => [code as number, name as ErrorName]))

/**
 * Requests of ours that wait for an answer. RFC 6940 §6.2.1: sent again with the same transaction id, by another way
 * where the ring is wide, and at once where the link that took them is lost. The signature covers no route, so each is
 * signed once.
 */
export class Requests {
  readonly #fabric: Fabric
  readonly #links: LinkPool
  readonly #messenger: Messenger
  readonly #behind: (node: NodeId) => void
  readonly #outstanding = new Map<TransactionId, Outstanding>()
  readonly #byHop = new Map<NodeId, Set<Outstanding>>()

  /** `behind`: that node has an older configuration document than we have. */
  constructor(fabric: Fabric, links: LinkPool, messenger: Messenger, behind: (node: NodeId) => void) {
    this.#behind = behind
    this.#fabric = fabric
    this.#links = links
    this.#messenger = messenger
  }

  get pending(): number {
    return this.#outstanding.size
  }

  ask(question: Question): void {
    if (this.#isOurs(question.to)) return question.done({ kind: "ours" })
    if (this.#outstanding.size >= LIMITS.reload.pendingRequests)
      return question.done({ kind: "lost", cause: "too many requests wait for an answer" })
    const transaction = toHex(randomBytes(this.#fabric.settings.random, 8)) as TransactionId
    const patience = Math.min(question.patience ?? LIFETIME, LIFETIME) as Duration
    const outstanding: Outstanding = {
      question,
      transaction,
      payload: undefined,
      askedAt: this.#fabric.now,
      until: after(this.#fabric.now, patience),
      hop: undefined,
      sends: 0,
      detours: question.to.kind === "resource" ? (question.to.tried ?? 0) : 0,
      losses: 0,
      refusals: 0,
      timer: undefined,
    }
    this.#outstanding.set(transaction, outstanding)
    this.#send(outstanding)
  }

  answered(received: Received): void {
    const outstanding = this.#outstanding.get(received.header.transaction)
    if (outstanding === undefined) return this.#fabric.refuse("unexpected-answer")
    const { body, node } = received
    if (body.kind === "error") {
      const error = NAMES.get(body.code) ?? "Error_Incompatible_with_Overlay"
      if (this.#isOutOfStep(outstanding, error, node)) return
      const cause = `${node} answered ${outstanding.question.body.kind} with ${error}`
      return this.#finish(outstanding, { kind: "refused", error, cause, info: body.info, by: node })
    }
    if (!this.#mayAnswer(node, outstanding.question.to)) {
      this.#fabric.refuse("implausible-answer")
      if (++outstanding.refusals <= SENDS) this.#timedOut(outstanding)
      return
    }
    const took = (this.#fabric.now - outstanding.askedAt) as Duration
    this.#finish(outstanding, { kind: "answered", received, hops: received.header.via.length + 1, took })
  }

  /** Whatever waits for that node goes another way, or is told that there is none. */
  hopLost(node: NodeId): void {
    for (const outstanding of [...(this.#byHop.get(node) ?? [])]) {
      const { to } = outstanding.question
      const isBound = to.kind === "node" ? to.node === node || to.via === node : to.via === node
      if (isBound) this.#finish(outstanding, { kind: "lost", cause: `the link to ${node} is lost` })
      else {
        outstanding.losses++
        this.#send(outstanding)
      }
    }
  }

  /**
   * One of us has an older configuration document: the newer one is on its way to it (RFC 6940 §6.3.2.1), and the
   * request is put again. False where that is over, and the error stands.
   */
  #isOutOfStep(outstanding: Outstanding, error: ErrorName, node: NodeId): boolean {
    if (error !== "Error_Config_Too_Old" && error !== "Error_Config_Too_New") return false
    if (outstanding.question.body.kind === "config-update-req") return false
    if (after(this.#fabric.now, UNSETTLED) >= outstanding.until) return false
    if (error === "Error_Config_Too_New") this.#behind(node)
    this.#fabric.schedule.cancel(outstanding.timer)
    outstanding.sends = 0
    outstanding.timer = this.#fabric.in(UNSETTLED, () => this.#timedOut(outstanding))
    return true
  }

  #isOurs(to: Target): boolean {
    const { isPeer, topology, self } = this.#fabric
    if (to.kind === "node") return to.node === self
    return to.via === undefined && isPeer && topology.responsible(to.resource) === self
  }

  #send(outstanding: Outstanding): void {
    if (this.#isOurs(outstanding.question.to)) return this.#finish(outstanding, { kind: "ours" })
    this.#leaveHop(outstanding)
    const route = this.#route(outstanding.question.to, outstanding.detours)
    if (route) {
      if (outstanding.losses === 0) outstanding.sends++
      this.#takeHop(outstanding, route.hop.node)
      if (!this.#sendOver(route, outstanding)) {
        const cause = "the request is larger than the overlay's max-message-size"
        const reply: Reply = {
          kind: "refused",
          error: "Error_Message_Too_Large",
          cause,
          info: new Uint8Array(),
          by: this.#fabric.self,
        }
        return this.#finish(outstanding, reply)
      }
    }
    this.#fabric.schedule.cancel(outstanding.timer)
    const isShaken = route === undefined || outstanding.losses > 0
    const wait = isShaken ? UNSETTLED : this.#fabric.configuration.overlayReliabilityTimer
    const when = earliest(after(this.#fabric.now, wait), outstanding.until)
    outstanding.timer = this.#fabric.schedule.at(when, () => this.#timedOut(outstanding))
  }

  /** False where it is larger than the overlay allows. */
  #sendOver({ hop, destination }: Route, outstanding: Outstanding): boolean {
    const { question, transaction, payload } = outstanding
    const header = this.#messenger.header(transaction, destination, question.body.kind)
    if (payload !== undefined) return this.#messenger.sendAgain(hop, header, payload)
    outstanding.payload = this.#messenger.send(hop, header, question)
    return outstanding.payload !== undefined
  }

  #timedOut(outstanding: Outstanding): void {
    if (this.#fabric.now < outstanding.until && outstanding.sends < SENDS) {
      if (outstanding.sends > 0) outstanding.detours++
      return this.#send(outstanding)
    }
    const cause = outstanding.sends === 0 ? "there is no link that leads there" : "nobody answers"
    this.#finish(outstanding, { kind: "lost", cause })
  }

  #route(to: Target, detours: number): Route | undefined {
    const end: Destination =
      to.kind === "node" ? { kind: "node", node: to.node } : { kind: "resource", resource: to.resource }
    const direct = to.kind === "node" ? this.#links.to(to.node) : undefined
    if (direct) return { destination: [end], hop: direct }
    const { topology } = this.#fabric
    const next = to.via ?? this.#nextHop(to.kind === "node" ? to.node : to.resource, detours)
    const hop = next === undefined ? undefined : this.#links.to(next)
    if (hop === undefined) return undefined
    // Where the next peer is the responsible one in our eyes, it is named: one hop in a farm. §6.2.1.
    const isNamed =
      to.via !== undefined || (to.kind === "resource" && topology.responsible(to.resource) === next)
    return { destination: isNamed ? [{ kind: "node", node: hop.node }, end] : [end], hop }
  }

  /** Where a way has brought no answer, the next one: somebody on it may not pass on what it should. */
  #nextHop(target: NodeId | ResourceId, detours: number): NodeId | undefined {
    const { topology } = this.#fabric
    if (detours === 0) return topology.nextHop(target)
    const ways = topology.ways(target, detours + 1)
    return ways[detours % Math.max(1, ways.length)]
  }

  /** The addressed node itself; for a Resource-ID one that is no farther from it than those we know. §6.3.4. */
  #mayAnswer(node: NodeId, to: Target): boolean {
    if (to.kind === "node") return node === to.node
    if (to.via !== undefined) return true
    if (!this.#fabric.topology.isPlausible(to.resource, node)) return false
    const farthest = this.#fabric.topology.holders(to.resource, 3).at(-1)
    return (
      farthest === undefined ||
      node === farthest ||
      isWithin<NodeId | ResourceId>(node, to.resource, farthest)
    )
  }

  #takeHop(outstanding: Outstanding, hop: NodeId): void {
    outstanding.hop = hop
    const waiting = this.#byHop.get(hop) ?? new Set()
    this.#byHop.set(hop, waiting.add(outstanding))
  }

  #leaveHop(outstanding: Outstanding): void {
    if (outstanding.hop === undefined) return
    const waiting = this.#byHop.get(outstanding.hop)
    waiting?.delete(outstanding)
    if (waiting?.size === 0) this.#byHop.delete(outstanding.hop)
    outstanding.hop = undefined
  }

  #finish(outstanding: Outstanding, reply: Reply): void {
    if (!this.#outstanding.delete(outstanding.transaction)) return
    this.#leaveHop(outstanding)
    this.#fabric.schedule.cancel(outstanding.timer)
    outstanding.question.done(reply)
  }
}
