import type { NodeId } from "../identity/node-id.ts"
import { toLatin1 } from "../kit/bytes.ts"
import type { Instant } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import { type StoreKindData, type StoreReq, storedDataList } from "../reload/stored-data.ts"
import type { RecordCopy } from "../storage/outcome.ts"
import { isWithin } from "../topology/chord/rules.ts"
import { decode } from "../wire/codec.ts"
import type { Fabric } from "./fabric.ts"
import { COPIES, type Placement } from "./placement.ts"

interface HeldRecord {
  /** When the first of its values came; 0 for what was on the disk. */
  readonly since: Instant
  /** Moves on with every change. */
  version: number
  /** Other peers that hold all that we hold of it. */
  confirmed: readonly NodeId[]
}

/** Shared: the many records of a lone node are confirmed by nobody. */
const NOBODY: readonly NodeId[] = []

/** Which records we hold, and which other peers are known to hold them as well. */
export class Records {
  readonly #fabric: Fabric
  readonly #placement: Placement
  readonly #records = new Map<ResourceId, HeldRecord>()

  constructor(fabric: Fabric, placement: Placement) {
    this.#fabric = fabric
    this.#placement = placement
  }

  /** What was restored is held by us; who else has it must be found out. */
  addRestored(): void {
    for (const resource of this.#fabric.storage.resources())
      this.#records.set(resource, { since: 0 as Instant, version: 0, confirmed: NOBODY })
  }

  get size(): number {
    return this.#records.size
  }

  has(resource: ResourceId): boolean {
    return this.#records.has(resource)
  }

  all(): Iterable<ResourceId> {
    return this.#records.keys()
  }

  /** All of them by how many peers are known to hold them: of the first we know no other copy. */
  byCopies(): readonly (readonly ResourceId[])[] {
    const byCopies = Array.from({ length: COPIES }, (): ResourceId[] => [])
    for (const resource of this.#records.keys()) byCopies[this.copiesOf(resource) - 1]!.push(resource)
    return byCopies
  }

  /** Undefined where we do not hold it. */
  heldSince(resource: ResourceId): Instant | undefined {
    return this.#records.get(resource)?.since
  }

  versionOf(resource: ResourceId): number {
    return this.#records.get(resource)?.version ?? 0
  }

  /** It has changed. Those who held the old state are sent the change, and stay confirmed unless it fails. */
  changed(resource: ResourceId): void {
    const record = this.#records.get(resource)
    if (record) record.version++
    else this.#records.set(resource, { since: this.#fabric.now, version: 1, confirmed: NOBODY })
  }

  /** It has changed as `node` sent it: nobody else need have it so. */
  changedBy(resource: ResourceId, node: NodeId): void {
    const wasConfirmed = this.isConfirmed(resource, node)
    this.diverged(resource)
    if (wasConfirmed) this.confirm(resource, node)
  }

  /** It has changed in a way that nobody else knows of. */
  diverged(resource: ResourceId): void {
    this.changed(resource)
    this.#records.get(resource)!.confirmed = NOBODY
  }

  forget(resource: ResourceId): void {
    this.#records.delete(resource)
  }

  isConfirmed(resource: ResourceId, node: NodeId): boolean {
    return this.#records.get(resource)?.confirmed.includes(node) === true
  }

  /** That peer holds all of it. Ourselves are no other: who vouches for holders may name us among them. */
  confirm(resource: ResourceId, node: NodeId): void {
    if (node === this.#fabric.self) return
    const record = this.#records.get(resource)
    if (record && !record.confirmed.includes(node)) record.confirmed = [...record.confirmed, node]
  }

  doubt(resource: ResourceId, node: NodeId): void {
    const record = this.#records.get(resource)
    if (record?.confirmed.includes(node)) record.confirmed = record.confirmed.filter((each) => each !== node)
  }

  /** A node is gone that was no peer. When it comes back it may lack what was written meanwhile, or all. */
  doubtNode(gone: NodeId): void {
    for (const record of this.#records.values())
      if (record.confirmed.includes(gone)) record.confirmed = record.confirmed.filter((node) => node !== gone)
  }

  /**
   * The same of a peer, which is out of the ring by now. Besides, whoever comes in for it as a holder may have been one
   * before it came, and has let go of the record since.
   */
  doubtAll(gone: NodeId): void {
    const { topology } = this.#fabric
    // Whose records it held: what lies behind the third peer before it.
    const [farthest] = topology
      .holders(gone as string as ResourceId, topology.peers().length + 1)
      .slice(-COPIES)
    for (const [resource, record] of this.#records) {
      const wasHolder = farthest !== undefined && isWithin<NodeId | ResourceId>(resource, farthest, gone)
      const doubtful = wasHolder ? topology.holders(resource, COPIES)[COPIES - 1] : undefined
      if (record.confirmed.some((node) => node === gone || node === doubtful))
        record.confirmed = record.confirmed.filter((node) => node !== gone && node !== doubtful)
    }
  }

  /** How many peers are known to hold all of it, ourselves included; no more than are due. */
  copiesOf(resource: ResourceId): number {
    return Math.min(COPIES, 1 + (this.#records.get(resource)?.confirmed.length ?? 0))
  }

  /** Peers of the ring that have no place in it for this record may let go of it at any time. */
  doubtOthers(resource: ResourceId, due: readonly NodeId[]): void {
    const record = this.#records.get(resource)
    const isOdd = (node: NodeId) => !due.includes(node) && this.#fabric.topology.has(node)
    if (record?.confirmed.some(isOdd)) record.confirmed = record.confirmed.filter((node) => !isOdd(node))
  }

  /** Whether those who ought to hold it, ourselves included, are fewer than are due, or have not all confirmed it. */
  isShort(resource: ResourceId): boolean {
    const due = this.#placement.due(resource)
    return (
      due.length < COPIES ||
      due.some((node) => node !== this.#fabric.self && !this.isConfirmed(resource, node))
    )
  }

  /** Whether a copy that was sent to us and stored is, to a value, what we hold. `held`: the same values as we hold them. */
  isAllOf(request: StoreReq, held: RecordCopy): boolean {
    const ours = new Set(held.kinds.flatMap((data) => this.#signatures(data)))
    const sent = request.kinds.flatMap((data) => this.#signatures(data))
    return (
      sent.length === this.#fabric.storage.valuesAt(request.resource) && sent.every((each) => ours.has(each))
    )
  }

  /** What tells values apart: no two have the same signature. */
  #signatures({ kind, values }: StoreKindData): readonly string[] {
    const { model } = this.#fabric.kinds.get(kind)!
    return decode(storedDataList(model), values, "values").map(
      ({ storageTime, signature }) => `${storageTime} ${toLatin1(signature.value)}`,
    )
  }
}
