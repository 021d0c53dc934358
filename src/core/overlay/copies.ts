import type { NodeId } from "../identity/node-id.ts"
import type { ResourceId } from "../reload/header.ts"
import type { StoreReq } from "../reload/stored-data.ts"
import type { Answers } from "./answers.ts"
import type { Fabric } from "./fabric.ts"
import type { LinkPool } from "./link-pool.ts"
import type { Received } from "./messenger.ts"
import type { Placement } from "./placement.ts"
import type { Records } from "./records.ts"
import type { Repair } from "./repair.ts"

/** Copies of records that other peers send us: as a holder, or because we are responsible now. RFC 6940 §10.4. */
export class Copies {
  readonly #fabric: Fabric
  readonly #links: LinkPool
  readonly #answers: Answers
  readonly #records: Records
  readonly #repair: Repair
  readonly #placement: Placement
  readonly #came: (from: NodeId) => void

  /** `came`: a copy was taken from that node. */
  constructor(
    fabric: Fabric,
    links: LinkPool,
    answers: Answers,
    records: Records,
    repair: Repair,
    placement: Placement,
    came: (from: NodeId) => void,
  ) {
    this.#fabric = fabric
    this.#links = links
    this.#answers = answers
    this.#records = records
    this.#repair = repair
    this.#placement = placement
    this.#came = came
  }

  /** Answered once it is on disk. */
  received(request: Received, copy: StoreReq): void {
    const { topology, storage, now, isPeer, self } = this.#fabric
    const { node } = request
    const { resource } = copy
    // Whoever is linked or a peer may have held it: rings meet, and nodes come back. Values bear their own
    // signatures, so nobody can send what was never written.
    if (!topology.has(node) && !this.#links.to(node))
      return this.#answers.refuse(request, "Error_Forbidden", "copies come from peers")
    const isResponsible = isPeer && topology.responsible(resource) === self
    const isNew = !this.#records.has(resource)
    const mode = isResponsible ? "merge" : "replica"
    const context = {
      requestSigner: request.signer,
      certificates: request.certificates(),
      mode,
      now,
    } as const
    const outcome = storage.store(copy, context)
    if (outcome.kind === "refused")
      return this.#answers.refuse(request, outcome.error, outcome.cause, outcome.info)
    const isChanged = outcome.changes.length > 0
    const isKnown = this.#records.isConfirmed(resource, node)
    if (isChanged && isResponsible) this.#records.diverged(resource)
    else if (isChanged) this.#records.changedBy(resource, node)
    // What it sent may be less than we hold, or older: then it is not one that has it all.
    if (this.#records.has(resource) && !(isKnown && !isResponsible)) {
      const isAll = (isNew && isChanged) || this.#records.isAllOf(copy, outcome.copy)
      if (isAll) this.#records.confirm(resource, node)
    }
    if (isChanged && isResponsible) this.#repair.look(resource)
    else if (isNew && isPeer && !this.#placement.isDue(resource)) this.#repair.lookLater(resource)
    this.#came(node)
    const { response } = outcome
    const done = (failure: string | undefined) => {
      if (failure !== undefined) return this.#answers.refuse(request, "Error_Request_Timeout", failure)
      const replicas = this.#others(resource)
      this.#answers.answer(request, {
        kind: "store-ans",
        kinds: response.map((each) => ({ ...each, replicas })),
      })
    }
    if (isChanged) this.#fabric.persist(outcome.changes, done)
    else this.#fabric.whenDurable(done)
  }

  /** As the responsible peer: who else holds all that we hold. Whoever offers it to us need not offer it to them. §7.4.1.2. */
  #others(resource: ResourceId): readonly NodeId[] {
    const { isPeer, topology, self } = this.#fabric
    if (!isPeer || topology.responsible(resource) !== self) return []
    return this.#placement.due(resource).filter((node) => this.#records.isConfirmed(resource, node))
  }
}
