import type { NodeId } from "../identity/node-id.ts"
import { count } from "../kit/log.ts"
import { after, type Instant, milliseconds, NEVER, NO_TIME, seconds } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import { compare } from "./comparison.ts"
import type { Fabric } from "./fabric.ts"
import type { Newcomers } from "./newcomers.ts"
import type { Placement } from "./placement.ts"
import type { Records } from "./records.ts"
import type { Requests } from "./requests.ts"
import type { Appointment } from "./schedule.ts"
import type { Transfers } from "./transfers.ts"

/** New copies wait so long after a death: the dead may come back. RFC 6940 §10.7.1 says 30 s. */
const HOLD_DOWN = seconds(5)
/** Records looked at in one go, a millisecond's work, so that nothing else waits for long. */
const AT_A_TIME = 32
/** What others have asked the dead goes another way first, and whoever died with it is noticed. */
const BREATH = milliseconds(100)
/** So long a copy stays that has no place here: its holders may be about to leave, or to come back. */
const STAND_IN = seconds(5)
/** A copy that could not be made is tried again. */
const RETRY = seconds(1)
/** How often one record is compared with its other holders, though nothing seems to be wrong: 1 % of a core. */
const PATROL = milliseconds(100)
/** Nor the same record more often than that: who has few need not compare them all the time. */
const PATROL_ROUND = seconds(5)

interface Sweep {
  /** After deaths: of which no other copy is known. They are gone through first, for those that are to be rescued. */
  readonly lone: Iterator<ResourceId>
  /** Then all, those first that the fewest are known to hold. */
  readonly all: Iterator<ResourceId>
  /** Only peers that were holders before the last deaths are given what they may lack. */
  readonly isHeldDown: boolean
}

/**
 * Moves records and their copies to where they belong. RFC 6940 §10.7.3.
 *
 * Each record is looked at after every change of the ring, and in turn for ever: the responsible peer sends
 * it to holders that have not confirmed it, any other holder to the responsible peer where that may lack
 * it; a peer that is no holder any more lets go of it when all holders have it.
 */
export class Repair {
  readonly #fabric: Fabric
  readonly #requests: Requests
  readonly #records: Records
  readonly #transfers: Transfers
  readonly #newcomers: Newcomers
  readonly #placement: Placement
  #due: Sweep | undefined
  readonly #again = new Set<ResourceId>()
  /** Who is being sent the only other copy. */
  readonly #rescued = new Map<ResourceId, NodeId>()
  #sweepAt = NEVER
  #sweep: Appointment | undefined
  #turn: Appointment | undefined
  #patrolBegan = 0 as Instant
  #patrol: Iterator<ResourceId> | undefined
  #patrolling: Appointment | undefined

  constructor(
    fabric: Fabric,
    requests: Requests,
    records: Records,
    transfers: Transfers,
    newcomers: Newcomers,
    placement: Placement,
  ) {
    this.#fabric = fabric
    this.#requests = requests
    this.#records = records
    this.#transfers = transfers
    this.#newcomers = newcomers
    this.#placement = placement
  }

  /**
   * All records are to be looked at, at once. After a death those that were holders before make sure of one another;
   * who comes in for the dead gets its copies when the hold-down is over, or at once where there is but one holder left.
   */
  shareChanged(cause: "death" | "other"): void {
    this.#patrolling ??= this.#fabric.in(PATROL, () => this.#patrolNext())
    if (cause === "death") this.#beginSweep(this.#due === undefined || this.#due.isHeldDown, BREATH)
    const at = cause === "death" ? after(this.#fabric.now, HOLD_DOWN) : this.#fabric.now
    if (this.#sweepAt <= at) return
    this.#sweepAt = at
    this.#fabric.schedule.cancel(this.#sweep)
    this.#sweep = this.#fabric.schedule.at(at, () => {
      this.#sweepAt = NEVER
      this.#beginSweep(false)
    })
  }

  /** We were given a record that has no place here: to stand in for a holder, or by a peer that knew the ring otherwise. */
  lookLater(resource: ResourceId): void {
    this.#fabric.in(STAND_IN, () => this.look(resource))
  }

  /** That record may lack copies. */
  look(resource: ResourceId): void {
    this.#again.add(resource)
    this.#takeTurn(this.#fabric.now)
  }

  #beginSweep(isHeldDown: boolean, wait = NO_TIME): void {
    const byCopies = this.#records.byCopies()
    const lone = this.#newcomers.dead > 0 ? byCopies[0]! : []
    this.#due = { lone: lone.values(), all: byCopies.flat().values(), isHeldDown }
    this.#fabric.schedule.cancel(this.#turn)
    this.#turn = undefined
    this.#takeTurn(after(this.#fabric.now, wait))
  }

  #takeTurn(at: Instant): void {
    this.#turn ??= this.#fabric.schedule.at(at, () => this.#run())
  }

  #run(): void {
    this.#turn = undefined
    if (!this.#fabric.isPeer) return
    for (let i = 0; i < AT_A_TIME; i++) {
      const lone = this.#due?.lone.next()
      if (lone !== undefined && !lone.done) {
        this.#rescue(lone.value)
        continue
      }
      // When copies have found their holders, the next turn comes from there.
      if (!this.#transfers.hasRoom) return this.#takeTurn(after(this.#fabric.now, milliseconds(5)))
      const next = this.#next()
      if (next === undefined) return
      this.#examine(next.resource, next.isHeldDown)
    }
    this.#takeTurn(this.#fabric.now)
  }

  #next(): { readonly resource: ResourceId; readonly isHeldDown: boolean } | undefined {
    for (const resource of this.#again) {
      this.#again.delete(resource)
      return { resource, isHeldDown: false }
    }
    const next = this.#due?.all.next()
    if (this.#due === undefined || next === undefined || next.done) {
      this.#due = undefined
      return undefined
    }
    return { resource: next.value, isHeldDown: this.#due.isHeldDown }
  }

  /**
   * Nobody else who lives is known to hold it: the next death may be the last of it. One copy is made at once, before
   * all others and before any second one.
   */
  #rescue(resource: ResourceId): void {
    const isLone = this.#records.has(resource) && this.#records.copiesOf(resource) === 1
    if (!isLone || this.#newcomers.oldHolders(resource).some((node) => node !== this.#fabric.self)) return
    const targets = this.owes(resource)
    // Who has only just come may have it from the dead.
    const first = targets.find((node) => !this.#newcomers.isNew(node)) ?? targets[0]
    const underWay = this.#rescued.get(resource)
    if (first === undefined || (underWay !== undefined && targets.includes(underWay))) return
    this.#rescued.set(resource, first)
    this.#transfers.sendScarce(resource, first, (result) => {
      if (this.#rescued.get(resource) !== first) return
      this.#rescued.delete(resource)
      if (result !== "answered") this.#fabric.in(RETRY, () => this.look(resource))
      // While deaths are held down, the second copy waits for the sweep at the end.
      else if (this.#sweepAt === NEVER) this.look(resource)
    })
  }

  #examine(resource: ResourceId, isHeldDown: boolean): void {
    if (!this.#records.has(resource) || this.#rescued.has(resource)) return
    this.#records.doubtOthers(resource, this.#placement.due(resource))
    const targets = this.owes(resource)
    const standing = isHeldDown && targets.length > 0 ? this.#mayHave(resource, targets) : targets
    // Where it has no place with us, the responsible peer knows who of the others has it already.
    const responsible = this.#fabric.topology.responsible(resource)
    const isAsked = targets.includes(responsible) && standing.includes(responsible)
    const isToAsk = isAsked && !this.#placement.isDue(resource)
    for (const node of targets)
      if (standing.includes(node) && (!isToAsk || node === responsible)) this.#send(resource, node)
    if (targets.length === 0 && !this.#placement.isDue(resource)) this.#letGo(resource)
  }

  /** Those who do not wait for the end of the hold-down. Where no other old holder lives, the next death may be ours. */
  #mayHave(resource: ResourceId, targets: readonly NodeId[]): readonly NodeId[] {
    const old = this.#newcomers.oldHolders(resource)
    return old.some((node) => node !== this.#fabric.self) ? old : targets
  }

  /** Peers that ought to have it from us, and are not known to. */
  owes(resource: ResourceId): readonly NodeId[] {
    const { self } = this.#fabric
    const all = this.#placement.due(resource)
    const [responsible] = all
    const isHolder = all.includes(self) && responsible !== self
    const due = isHolder ? all.slice(0, 1) : all.filter((node) => node !== self)
    return due.filter((node) => !this.#records.isConfirmed(resource, node))
  }

  #send(resource: ResourceId, node: NodeId): void {
    const { topology } = this.#fabric
    this.#transfers.send(resource, node, (result) => {
      const isDue = this.#placement.isDue(resource)
      if (result !== "answered" && topology.has(node)) this.#fabric.in(RETRY, () => this.look(resource))
      // Perhaps the last holder has it now, and we may let go of it.
      else if (!isDue) this.look(resource)
      // Who cannot take it now must not keep it from the others.
      if (result !== "answered" && !isDue && topology.responsible(resource) === node)
        for (const other of this.owes(resource)) if (other !== node) this.#send(resource, other)
    })
  }

  #letGo(resource: ResourceId): void {
    const changes = this.#fabric.storage.drop(resource)
    this.#records.forget(resource)
    // Whether or not the disk has forgotten it yet: at worst it is offered to its holders after a restart.
    this.#fabric.persist(changes, () => undefined)
  }

  /** One record after the other, for ever: what has gone wrong unnoticed does not stay so. */
  #patrolNext(): void {
    const { isPeer, now } = this.#fabric
    if (isPeer && this.#due === undefined && !this.#transfers.isBusy) this.#patrolOne()
    const soon = after(now, PATROL)
    const next = this.#patrol === undefined ? Math.max(soon, after(this.#patrolBegan, PATROL_ROUND)) : soon
    this.#patrolling = this.#fabric.schedule.at(next as Instant, () => this.#patrolNext())
  }

  #patrolOne(): void {
    if (this.#patrol === undefined) {
      this.#patrol = this.#records.all()[Symbol.iterator]()
      this.#patrolBegan = this.#fabric.now
    }
    const next = this.#patrol.next()
    if (next.done) {
      this.#patrol = undefined
      return
    }
    const [responsible, ...others] = this.#placement.due(next.value)
    if (responsible !== this.#fabric.self) return this.look(next.value)
    for (const node of others) this.#compare(next.value, node)
  }

  /** What `node` holds may have changed behind our back: a disk that forgot, a message that was lost. */
  #compare(resource: ResourceId, node: NodeId): void {
    compare(this.#fabric, this.#requests, resource, node, (verdict) => {
      this.#fabric.emit(count("overlay_comparisons_total", { verdict }))
      if (verdict === "same") return this.#records.confirm(resource, node)
      if (verdict === "unknown" || !this.#records.has(resource)) return
      this.#records.doubt(resource, node)
      this.look(resource)
    })
  }
}
