import type { NodeId } from "../identity/node-id.ts"
import { toLatin1 } from "../kit/bytes.ts"
import { isHexOf, toHex, writeHex } from "../kit/hex.ts"
import { hashOfText, mixed, RowIndex } from "../kit/row-index.ts"
import { readTime, TIME_BYTES, writeTime } from "../kit/row-times.ts"
import { Rows } from "../kit/rows.ts"
import type { Instant } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import { type StoreKindData, type StoreReq, storedDataList } from "../reload/stored-data.ts"
import type { RecordCopy } from "../storage/outcome.ts"
import { isWithin } from "../topology/chord/rules.ts"
import { decodeViews } from "../wire/codec.ts"
import type { Fabric } from "./fabric.ts"
import { NOBODY, PeerSets } from "./peer-sets.ts"
import { COPIES, type Placement } from "./placement.ts"

// A record at rest: when the first of its values came, 0 for what was on the disk; a number that moves on with every
// change; the set of other peers that hold all that we hold of it; and its Resource-ID.
const SINCE_AT = 0
const VERSION_AT = SINCE_AT + TIME_BYTES
const CONFIRMED_AT = VERSION_AT + 4
const RESOURCE_AT = CONFIRMED_AT + 4

/** Small, as most nodes of an invented world hold few records. */
const SLAB_BYTES = 32_768

const NONE = -1
const ON_DISK = 0 as Instant

/** Which records we hold, and which other peers are known to hold them as well. There may be a million: each is a row of bytes. */
export class Records {
  readonly #fabric: Fabric
  readonly #placement: Placement
  readonly #rows = new Rows(SLAB_BYTES)
  readonly #index = new RowIndex()
  readonly #sets = new PeerSets()

  constructor(fabric: Fabric, placement: Placement) {
    this.#fabric = fabric
    this.#placement = placement
  }

  /** What was restored is held by us; who else has it must be found out. */
  addRestored(): void {
    for (const resource of this.#fabric.storage.resources()) {
      this.forget(resource)
      this.#add(resource, ON_DISK, 0)
    }
  }

  get size(): number {
    return this.#rows.size
  }

  has(resource: ResourceId): boolean {
    return this.#find(resource) !== NONE
  }

  /** Records may come and go meanwhile. */
  *all(): Generator<ResourceId> {
    for (const row of this.#rows.all()) yield this.#resourceOf(row)
  }

  /** All of them by how many peers are known to hold them: of the first we know no other copy. */
  byCopies(): readonly (readonly ResourceId[])[] {
    const byCopies = Array.from({ length: COPIES }, (): ResourceId[] => [])
    for (const row of this.#rows.all()) byCopies[this.#copiesOf(row) - 1]!.push(this.#resourceOf(row))
    return byCopies
  }

  /** Undefined where we do not hold it. In whole milliseconds, rounded up: who has held it longer is trusted more. */
  heldSince(resource: ResourceId): Instant | undefined {
    const row = this.#find(resource)
    if (row === NONE) return undefined
    this.#rows.seek(row)
    return readTime(this.#rows.view, this.#rows.at + SINCE_AT)
  }

  versionOf(resource: ResourceId): number {
    const row = this.#find(resource)
    return row === NONE ? 0 : this.#rows.int(row, VERSION_AT)
  }

  /** It has changed. Those who held the old state are sent the change, and stay confirmed unless it fails. */
  changed(resource: ResourceId): void {
    this.#change(resource)
  }

  /** It has changed as `node` sent it: nobody else need have it so. */
  changedBy(resource: ResourceId, node: NodeId): void {
    const row = this.#change(resource)
    this.#confirmBy(
      row,
      this.#confirmed(row).filter((each) => each === node),
    )
  }

  /** It has changed in a way that nobody else knows of. */
  diverged(resource: ResourceId): void {
    this.#confirmBy(this.#change(resource), [])
  }

  forget(resource: ResourceId): void {
    const row = this.#find(resource)
    if (row === NONE) return
    this.#sets.release(this.#rows.int(row, CONFIRMED_AT))
    this.#index.delete(hashOf(resource), row)
    this.#rows.delete(row)
  }

  isConfirmed(resource: ResourceId, node: NodeId): boolean {
    const row = this.#find(resource)
    return row !== NONE && this.#confirmed(row).includes(node)
  }

  /** That peer holds all of it. Ourselves are no other: who vouches for holders may name us among them. */
  confirm(resource: ResourceId, node: NodeId): void {
    if (node === this.#fabric.self) return
    const row = this.#find(resource)
    if (row === NONE) return
    const confirmed = this.#confirmed(row)
    if (!confirmed.includes(node)) this.#confirmBy(row, [...confirmed, node])
  }

  doubt(resource: ResourceId, node: NodeId): void {
    const row = this.#find(resource)
    if (row !== NONE) this.#doubtWhere(row, (each) => each === node)
  }

  /** A node is gone that was no peer. When it comes back it may lack what was written meanwhile, or all. */
  doubtNode(gone: NodeId): void {
    for (const row of this.#rows.all()) this.#doubtWhere(row, (node) => node === gone)
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
    for (const row of this.#rows.all()) {
      if (this.#confirmed(row).length === 0) continue
      const resource = this.#resourceOf(row)
      const wasHolder = farthest !== undefined && isWithin<NodeId | ResourceId>(resource, farthest, gone)
      const doubtful = wasHolder ? topology.holders(resource, COPIES)[COPIES - 1] : undefined
      this.#doubtWhere(row, (node) => node === gone || node === doubtful)
    }
  }

  /** How many peers are known to hold all of it, ourselves included; no more than are due. */
  copiesOf(resource: ResourceId): number {
    const row = this.#find(resource)
    return row === NONE ? 1 : this.#copiesOf(row)
  }

  /** Peers of the ring that have no place in it for this record may let go of it at any time. */
  doubtOthers(resource: ResourceId, due: readonly NodeId[]): void {
    const row = this.#find(resource)
    if (row === NONE) return
    this.#doubtWhere(row, (node) => !due.includes(node) && this.#fabric.topology.has(node))
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
    return decodeViews(storedDataList(model), values, "values").map(
      ({ storageTime, signature }) => `${storageTime} ${toLatin1(signature.value)}`,
    )
  }

  #copiesOf(row: number): number {
    return Math.min(COPIES, 1 + this.#confirmed(row).length)
  }

  #confirmed(row: number): readonly NodeId[] {
    return this.#sets.of(this.#rows.int(row, CONFIRMED_AT))
  }

  #confirmBy(row: number, nodes: readonly NodeId[]): void {
    const before = this.#rows.int(row, CONFIRMED_AT)
    this.#rows.setInt(row, CONFIRMED_AT, this.#sets.exchange(before, nodes))
  }

  #doubtWhere(row: number, isDoubtful: (node: NodeId) => boolean): void {
    const confirmed = this.#confirmed(row)
    if (confirmed.some(isDoubtful))
      this.#confirmBy(
        row,
        confirmed.filter((node) => !isDoubtful(node)),
      )
  }

  /** The row of a record that has changed, or is new. */
  #change(resource: ResourceId): number {
    const row = this.#find(resource)
    if (row === NONE) return this.#add(resource, Math.ceil(this.#fabric.now) as Instant, 1)
    this.#rows.setInt(row, VERSION_AT, this.#rows.int(row, VERSION_AT) + 1)
    return row
  }

  #add(resource: ResourceId, since: Instant, version: number): number {
    const bytes = new Uint8Array(RESOURCE_AT + resource.length / 2)
    const view = new DataView(bytes.buffer)
    writeTime(view, SINCE_AT, since)
    view.setInt32(VERSION_AT, version)
    view.setInt32(CONFIRMED_AT, NOBODY)
    writeHex(resource, bytes, RESOURCE_AT)
    const row = this.#rows.add(bytes)
    this.#index.add(hashOf(resource), row)
    return row
  }

  #find(resource: ResourceId): number {
    const index = this.#index
    for (let slot = index.first(hashOf(resource)); slot >= 0; slot = index.next(slot)) {
      const rows = this.#rows
      rows.seek(index.row(slot))
      if (isHexOf(resource, rows.memory, rows.at + RESOURCE_AT, rows.at + rows.length)) return index.row(slot)
    }
    return NONE
  }

  #resourceOf(row: number): ResourceId {
    const rows = this.#rows
    rows.seek(row)
    return toHex(rows.memory.subarray(rows.at + RESOURCE_AT, rows.at + rows.length)) as ResourceId
  }
}

const hashOf = (resource: ResourceId): number => mixed(hashOfText(resource))
