import type { Certificate } from "../identity/certificate.ts"
import type { NodeId } from "../identity/node-id.ts"
import { milliseconds, seconds } from "../kit/time.ts"
import type { ErrorName } from "../reload/codes.ts"
import type { StoreKindResponse, StoreReq } from "../reload/stored-data.ts"
import type { RecordCopy } from "../storage/outcome.ts"
import type { StoreContext } from "../storage/store-plan.ts"
import type { Fabric } from "./fabric.ts"
import { COPIES, type Placement } from "./placement.ts"
import type { Records } from "./records.ts"
import type { Reply, Requests } from "./requests.ts"
import type { Appointment } from "./schedule.ts"
import type { Transfers } from "./transfers.ts"

export type WriteResult =
  | {
      readonly kind: "stored"
      readonly response: readonly StoreKindResponse[]
      readonly holders: readonly NodeId[]
    }
  | {
      readonly kind: "refused"
      readonly error: ErrorName
      readonly cause: string
      readonly info: Uint8Array
    }

/** Who must have a record besides its three holders: a node that is being admitted, or takes over from us. */
export type AlsoDue = (target: StoreReq["resource"]) => readonly NodeId[]

/** A holder that is silent for so long is helped out by the next in line. */
const SILENT = milliseconds(250)
/** After so long nobody waits for the answer any more. */
const GIVEN_UP = seconds(12)

interface Write {
  readonly request: StoreReq
  readonly copy: RecordCopy
  readonly response: readonly StoreKindResponse[]
  /** DER of the signers of what was written. */
  readonly certificates: readonly Uint8Array[]
  readonly done: (result: WriteResult) => void
  readonly acknowledged: Set<NodeId>
  /** Asked, whether they have answered or not. */
  readonly asked: Set<NodeId>
  /** Could not, or did not in time. */
  readonly failed: Set<NodeId>
  /** Said that they cannot: their disks are full, say. They count as little as if they were dead. */
  readonly refused: Set<NodeId>
  isDurable: boolean
  timers: readonly Appointment[]
}

/**
 * Writes that this peer is responsible for. RFC 6940 §7.4.1, §10.4.
 *
 * A write is answered once it is on our disk and on those of the next two peers, or of those who stand in
 * for them; with fewer peers alive, on all disks.
 */
export class Writes {
  readonly #fabric: Fabric
  readonly #requests: Requests
  readonly #records: Records
  readonly #transfers: Transfers
  readonly #placement: Placement
  readonly #alsoDue: AlsoDue
  readonly #pending = new Set<Write>()

  constructor(
    fabric: Fabric,
    requests: Requests,
    records: Records,
    transfers: Transfers,
    placement: Placement,
    alsoDue: AlsoDue,
  ) {
    this.#fabric = fabric
    this.#requests = requests
    this.#records = records
    this.#transfers = transfers
    this.#placement = placement
    this.#alsoDue = alsoDue
  }

  get pending(): number {
    return this.#pending.size
  }

  accept(
    request: StoreReq,
    context: Pick<StoreContext, "requestSigner" | "certificates" | "signedHere">,
    done: (result: WriteResult) => void,
  ): void {
    const { storage, now } = this.#fabric
    const outcome = storage.store(request, { ...context, mode: "responsible", now })
    if (outcome.kind === "refused") return done(outcome)
    const isChanged = outcome.changes.length > 0
    if (isChanged) this.#records.changed(request.resource)
    const write: Write = {
      request,
      copy: outcome.copy,
      response: outcome.response,
      certificates: Array.from(context.certificates.values(), ({ der }: Certificate) => der),
      done,
      acknowledged: new Set(),
      asked: new Set(),
      failed: new Set(),
      refused: new Set(),
      isDurable: false,
      timers: [],
    }
    this.#pending.add(write)
    write.timers = [
      this.#fabric.in(SILENT, () => this.#helpOut(write)),
      this.#fabric.in(GIVEN_UP, () => this.#giveUp(write, "not enough holders confirm it")),
    ]
    const durable = (failure: string | undefined) => {
      if (failure !== undefined) return this.#giveUp(write, failure)
      write.isDurable = true
      this.#settle(write)
    }
    // The same value may have come before, and still be on its way to the disk.
    if (isChanged) this.#fabric.persist(outcome.changes, durable)
    else this.#fabric.whenDurable(durable)
    this.#askHolders(write)
    this.#settle(write)
  }

  /** Holders have changed. */
  reconsider(): void {
    for (const write of [...this.#pending]) {
      this.#askHolders(write)
      this.#settle(write)
    }
  }

  #askHolders(write: Write): void {
    const { self } = this.#fabric
    const { resource } = write.request
    const extra = this.#placement.extra(resource)
    const due = new Set([
      ...this.#line(write),
      ...(extra === undefined ? [] : [extra]),
      ...this.#alsoDue(resource),
    ])
    for (const node of due) if (node !== self && !write.asked.has(node)) this.#ask(write, node)
  }

  /** The three holders, with those next in line for who has failed. */
  #line({ request, failed }: Write): readonly NodeId[] {
    const line = this.#fabric.topology.holders(request.resource, COPIES + failed.size)
    return line.filter((node) => !failed.has(node)).slice(0, COPIES)
  }

  #ask(write: Write, node: NodeId): void {
    write.asked.add(node)
    const { resource } = write.request
    // A peer that lacks what was there before gets all of it: a change alone would leave it with holes.
    if (
      !this.#records.isConfirmed(resource, node) &&
      this.#fabric.storage.valuesAt(resource) > write.copy.kinds.length
    ) {
      this.#transfers.sendNow(resource, node, (result) => this.#answered(write, node, result))
      return
    }
    const replicaNumber = Math.min(255, write.asked.size)
    const version = this.#records.versionOf(resource)
    const isWhole = !this.#records.isConfirmed(resource, node)
    this.#requests.ask({
      to: { kind: "node", node },
      body: { kind: "store-req", replicaNumber, ...write.copy },
      certificates: write.certificates,
      done: (reply) => {
        if (reply.kind !== "answered") this.#records.doubt(resource, node)
        else if (isWhole && this.#records.versionOf(resource) === version)
          this.#records.confirm(resource, node)
        this.#answered(write, node, reply.kind)
      },
    })
  }

  #answered(write: Write, node: NodeId, result: Reply["kind"]): void {
    if (result === "answered") write.acknowledged.add(node)
    else write.failed.add(node)
    if (result === "refused") write.refused.add(node)
    if (!this.#pending.has(write)) return
    if (result !== "answered") this.#askHolders(write)
    this.#settle(write)
  }

  #helpOut(write: Write): void {
    for (const node of write.asked) if (!write.acknowledged.has(node)) write.failed.add(node)
    this.#askHolders(write)
  }

  #settle(write: Write): void {
    if (!write.isDurable || !this.#pending.has(write)) return
    const { topology, self } = this.#fabric
    const { resource } = write.request
    const alive = topology.peers().length + 1
    const able = Math.max(Math.min(2, alive), alive - write.refused.size)
    const extra = this.#placement.extra(resource)
    const { acknowledged, failed } = write
    // The copy in another failure domain is waited for, and stands for none of the three; but where it cannot be
    // made, the record is short, and no write fails for that.
    if (extra !== undefined && !acknowledged.has(extra) && !failed.has(extra)) return
    const isBeside = extra !== undefined && acknowledged.has(extra) && !this.#line(write).includes(extra)
    if (acknowledged.size + 1 - (isBeside ? 1 : 0) < Math.min(COPIES, able)) return
    // These take over soon, so nothing may be missing there.
    if (this.#alsoDue(resource).some((node) => !write.acknowledged.has(node))) return
    const others = [...write.acknowledged]
    const response = write.response.map((each) => ({ ...each, replicas: others }))
    this.#finish(write, { kind: "stored", response, holders: [self, ...others] })
  }

  #giveUp(write: Write, cause: string): void {
    this.#finish(write, { kind: "refused", error: "Error_Request_Timeout", cause, info: new Uint8Array() })
  }

  #finish(write: Write, result: WriteResult): void {
    if (!this.#pending.delete(write)) return
    for (const timer of write.timers) this.#fabric.schedule.cancel(timer)
    write.done(result)
  }
}
