import type { NodeId } from "../identity/node-id.ts"
import { seconds } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import type { JoinReq } from "../reload/overlay-methods.ts"
import type { Answers } from "./answers.ts"
import type { Clocks } from "./clocks.ts"
import type { Fabric } from "./fabric.ts"
import type { LinkPool } from "./link-pool.ts"
import type { Received } from "./messenger.ts"
import type { Records } from "./records.ts"
import type { Requests } from "./requests.ts"
import type { Appointment } from "./schedule.ts"
import type { Transfers } from "./transfers.ts"

/** How long a welcomed node may take to announce itself. */
const PATIENCE = seconds(5)
/** Records on their way to it at once, so that others get copies meanwhile. */
const AT_ONCE = 24

/**
 * A node that becomes our predecessor:
 *
 *     Join ─▶ transferring ── all is there ──▶ welcomed ── its Update ──▶ (a peer)
 */
interface Admitted {
  readonly joiner: NodeId
  /** Records that it is still to be sent. */
  readonly due: Iterator<ResourceId>
  /** Those, and those that are on their way. */
  left: number
  isWelcomed: boolean
  timer: Appointment | undefined
}

/**
 * The Admitting Peer's part of a join. RFC 6940 §10.5, steps 5 to 8.
 *
 * One node at a time, so that no two divide the same share without knowing of each other. What is written
 * meanwhile goes to the joining node as well, and is not acknowledged before it has it.
 */
export class Admission {
  readonly #fabric: Fabric
  readonly #links: LinkPool
  readonly #requests: Requests
  readonly #answers: Answers
  readonly #records: Records
  readonly #transfers: Transfers
  readonly #clocks: Clocks
  #admitted: Admitted | undefined
  /** Who was admitted last, and which version of each record it has confirmed over the link that it still has. */
  #given: { readonly joiner: NodeId; readonly versions: Map<ResourceId, number> } | undefined

  constructor(
    fabric: Fabric,
    links: LinkPool,
    requests: Requests,
    answers: Answers,
    records: Records,
    transfers: Transfers,
    clocks: Clocks,
  ) {
    this.#fabric = fabric
    this.#links = links
    this.#requests = requests
    this.#answers = answers
    this.#records = records
    this.#transfers = transfers
    this.#clocks = clocks
  }

  /** The node that has to have that record as well, before a write of it is complete. */
  alsoDue(resource: ResourceId): readonly NodeId[] {
    const joiner = this.#admitted?.joiner
    return joiner !== undefined && this.#fabric.topology.wouldOwn(joiner, resource) ? [joiner] : []
  }

  /** Why the join is refused, or nothing: then it is under way. `begin` makes sure that `joiner` is no peer. */
  requested(request: Received, { joiningPeer: joiner }: JoinReq, begin: () => void): void {
    const isItself = joiner === request.node && joiner === request.link.node
    if (!isItself || request.header.via.length > 0)
      return this.#answers.refuse(request, "Error_Forbidden", "a node joins by itself, over its own link")
    if (!this.#fabric.isPeer)
      return this.#answers.refuse(request, "Error_Not_Found", "we are no peer ourselves")
    if (this.#admitted && this.#admitted.joiner !== joiner)
      return this.#answers.refuse(request, "Error_In_Progress", "another node joins here")
    const disagreement = this.#clocks.refusalOf(joiner)
    if (disagreement !== undefined) {
      this.#fabric.log("warn", "overlay.join-refused-by-clock", { node: joiner, cause: disagreement })
      return this.#answers.refuse(request, "Error_Forbidden", disagreement)
    }
    begin()
    if (this.#fabric.topology.responsible(joiner as string as ResourceId) !== this.#fabric.self)
      return this.#answers.refuse(request, "Error_Not_Found", "another peer is its successor")
    this.#end()
    this.#answers.answer(request, { kind: "join-ans", overlaySpecific: new Uint8Array() })
    this.#transfer(joiner)
  }

  /** It has announced itself, or is gone: nothing more is due to it as a joining node. */
  over(node: NodeId): void {
    if (this.#admitted?.joiner === node) this.#end()
  }

  /** Its link is lost: when it comes back it may have nothing. */
  unlinked(node: NodeId): void {
    this.over(node)
    if (this.#given?.joiner === node) this.#given = undefined
  }

  /** The ring has changed: perhaps another peer is the one to admit it now. It will find out, and ask there. */
  reconsider(): void {
    const joiner = this.#admitted?.joiner
    if (joiner === undefined || this.#admitted?.isWelcomed) return
    if (this.#fabric.topology.responsible(joiner as string as ResourceId) !== this.#fabric.self) this.#end()
  }

  /** What it has confirmed in an earlier try it has, unless that has changed since. */
  #transfer(joiner: NodeId): void {
    if (this.#given?.joiner !== joiner) this.#given = { joiner, versions: new Map() }
    const { versions } = this.#given
    const due = [...this.#records.all()].filter(
      (resource) =>
        this.#fabric.topology.wouldOwn(joiner, resource) &&
        versions.get(resource) !== this.#records.versionOf(resource),
    )
    const admitted: Admitted = {
      joiner,
      due: due.values(),
      left: due.length,
      isWelcomed: false,
      timer: undefined,
    }
    this.#admitted = admitted
    this.#fabric.log("info", "overlay.admitting", { node: joiner, records: due.length })
    if (due.length === 0) return this.#welcome(admitted)
    for (let i = 0; i < AT_ONCE; i++) this.#sendNext(admitted)
  }

  #sendNext(admitted: Admitted): void {
    const next = admitted.due.next()
    if (next.done) return
    const resource = next.value
    this.#send(resource, admitted, () => {
      if (this.#given?.joiner === admitted.joiner && this.#records.isConfirmed(resource, admitted.joiner))
        this.#given.versions.set(resource, this.#records.versionOf(resource))
      this.#sendNext(admitted)
      if (--admitted.left === 0) this.#welcome(admitted)
    })
  }

  /** Until it is there; only the end of the admission ends it otherwise. */
  #send(resource: ResourceId, admitted: Admitted, done: () => void): void {
    if (this.#admitted !== admitted) return
    this.#transfers.send(resource, admitted.joiner, (result) => {
      // A change that came meanwhile was sent by the write itself, which still waits for it if need be.
      if (result === "answered") return done()
      if (this.#links.to(admitted.joiner) && this.#admitted === admitted)
        this.#fabric.in(seconds(0.2), () => this.#send(resource, admitted, done))
    })
  }

  #welcome(admitted: Admitted): void {
    if (this.#admitted !== admitted) return
    admitted.isWelcomed = true
    admitted.timer = this.#fabric.in(PATIENCE, () => this.over(admitted.joiner))
    this.#requests.ask({
      to: { kind: "node", node: admitted.joiner },
      body: { kind: "update-req", ...this.#fabric.topology.welcome(admitted.joiner, this.#fabric.now) },
      done: () => undefined,
    })
  }

  #end(): void {
    this.#fabric.schedule.cancel(this.#admitted?.timer)
    this.#admitted = undefined
  }
}
