import type { NodeId } from "../identity/node-id.ts"
import { after, type Instant, milliseconds, seconds } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import type { Fabric } from "./fabric.ts"
import type { LinkPool } from "./link-pool.ts"
import { COPIES } from "./placement.ts"
import type { Records } from "./records.ts"
import type { Requests } from "./requests.ts"
import type { Transfers } from "./transfers.ts"
import type { Writes } from "./writes.ts"

/** How long peers are given to confirm the Leave. */
const FAREWELL = seconds(1)
/** What is still on its way to us is passed on for so long. */
const LINGER = milliseconds(500)
/** Writes in progress are waited for; not for ever. */
const LAST_WRITES = seconds(3)
const STEP = milliseconds(20)
const RETRY = milliseconds(250)

type Stage = "no" | "handing-over" | "saying-so" | "lingering" | "left"

/**
 * How a peer leaves without loss. RFC 6940 §10.9.
 *
 *     handing-over ──others hold all──▶ saying-so ──all have heard──▶ lingering ──▶ left
 *
 * While it hands over it serves as before, and what is written goes to those who will hold it.
 */
export class Leaving {
  readonly #fabric: Fabric
  readonly #links: LinkPool
  readonly #requests: Requests
  readonly #records: Records
  readonly #transfers: Transfers
  readonly #writes: Writes
  /** We are no peer any more. */
  readonly #stepDown: () => void
  #stage: Stage = "no"
  #left = 0

  constructor(
    fabric: Fabric,
    links: LinkPool,
    requests: Requests,
    records: Records,
    transfers: Transfers,
    writes: Writes,
    stepDown: () => void,
  ) {
    this.#fabric = fabric
    this.#links = links
    this.#requests = requests
    this.#records = records
    this.#transfers = transfers
    this.#writes = writes
    this.#stepDown = stepDown
  }

  get state(): "leaving" | "left" | undefined {
    if (this.#stage === "no") return undefined
    return this.#stage === "left" ? "left" : "leaving"
  }

  get isHandingOver(): boolean {
    return this.#stage === "handing-over"
  }

  /** Who holds that record once we are gone. */
  alsoDue(resource: ResourceId): readonly NodeId[] {
    if (this.#stage !== "handing-over") return []
    return this.#fabric.topology.holders(resource, COPIES, this.#fabric.self)
  }

  begin(): void {
    if (this.#stage !== "no") return
    this.#stage = "handing-over"
    if (!this.#fabric.isPeer) return this.#sayGoodbye()
    const work = [...this.#records.all()].flatMap((resource) =>
      this.#heirs(resource).map((node) => ({ resource, node })),
    )
    this.#left = work.length
    this.#fabric.log("info", "overlay.leaving", { copies: this.#left })
    for (const { resource, node } of work) this.#send(resource, node)
    this.#waitForAll(after(this.#fabric.now, LAST_WRITES))
  }

  /**
   * Who needs a copy from us: of what we are responsible for, all who will hold it and are not known to;
   * of other records, whoever comes in for us, since the responsible peer sees to the rest.
   */
  #heirs(resource: ResourceId): readonly NodeId[] {
    const { topology, self } = this.#fabric
    const now = topology.holders(resource, COPIES)
    const then = topology.holders(resource, COPIES, self)
    return then.filter(
      (node) =>
        !this.#records.isConfirmed(resource, node) &&
        (now[0] === self || node === now[0] || !now.includes(node)),
    )
  }

  #send(resource: ResourceId, node: NodeId): void {
    this.#transfers.send(resource, node, (result) => {
      const isAlive = this.#fabric.topology.has(node)
      if (result !== "answered" && isAlive && this.#stage === "handing-over")
        this.#fabric.in(RETRY, () => this.#send(resource, node))
      else if (result !== "answered" && this.#stage === "handing-over") this.#replace(resource)
      else this.#left--
    })
  }

  /** An heir is gone itself. */
  #replace(resource: ResourceId): void {
    const heirs = this.#heirs(resource)
    this.#left += heirs.length - 1
    for (const node of heirs) this.#send(resource, node)
  }

  #waitForAll(writesUntil: Instant): void {
    const isHandedOver = this.#left <= 0 || this.#fabric.topology.peers().length === 0
    const isWritten = this.#writes.pending === 0 || this.#fabric.now >= writesUntil
    if (isHandedOver && isWritten) return this.#sayGoodbye()
    this.#fabric.in(STEP, () => this.#waitForAll(writesUntil))
  }

  #sayGoodbye(): void {
    this.#stage = "saying-so"
    const { topology, self } = this.#fabric
    const nodes = Array.from(this.#links.all(), ({ node }) => node)
    const farewells = nodes.map((node) => ({ node, overlaySpecific: topology.leaveData(node) }))
    this.#stepDown()
    let unheard = farewells.length
    if (unheard === 0) return this.#finish()
    for (const { node, overlaySpecific } of farewells)
      this.#requests.ask({
        to: { kind: "node", node },
        body: { kind: "leave-req", leavingPeer: self, overlaySpecific },
        patience: FAREWELL,
        done: () => {
          if (--unheard > 0) return
          this.#stage = "lingering"
          this.#fabric.in(LINGER, () => this.#finish())
        },
      })
  }

  #finish(): void {
    this.#stage = "left"
    this.#links.closeAll("we leave")
    this.#fabric.emit({ kind: "left" })
  }
}
