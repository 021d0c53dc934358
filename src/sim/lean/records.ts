import { COPIES } from "../../core/overlay/placement.ts"
import { holders, wouldOwn } from "../../core/topology/chord/rules.ts"
import type { Population } from "./population.ts"

/** New copies wait so long after a death, as in `overlay/repair.ts`. */
const HOLD_DOWN = 5_000
/** A copy is sent, written to disk and acknowledged. */
const DISK = 10

/**
 * Records, and who holds them: each is moved as `overlay/repair.ts` moves it, by what the holders know of the ring, while
 * their contents are left out. Whether a holder has confirmed a copy is known here at once.
 */
export class LeanRecords {
  readonly spots: Float64Array
  /** Records all of whose holders died. Whoever registered comes back later and stores it anew. */
  lost = 0
  /** How long records were short of a holder after a crash, in milliseconds. */
  readonly repairs: number[] = []
  readonly #population: Population
  readonly #holders: Set<number>[]
  readonly #heldBy = new Map<number, Set<number>>()
  readonly #shortSince = new Map<number, number>()
  readonly #sweepAt = new Map<number, number>()

  constructor(population: Population, count: number) {
    const { space, random } = population
    this.#population = population
    this.spots = Float64Array.from({ length: count }, () => space.anySpot(random))
    this.#holders = Array.from({ length: count }, () => new Set<number>())
  }

  /** Each is at the three peers that it belongs to. */
  storeAll(): void {
    for (let record = 0; record < this.spots.length; record++) this.#store(record)
  }

  isHeldBy(record: number, rank: number): boolean {
    return this.#holders[record]!.has(rank)
  }

  shareChanged(rank: number, cause: "death" | "other"): void {
    if (!this.#heldBy.has(rank)) return
    const at = this.#population.now + (cause === "death" ? HOLD_DOWN : 0)
    if ((this.#sweepAt.get(rank) ?? Infinity) <= at) return
    this.#sweepAt.set(rank, at)
    this.#population.in(at - this.#population.now, () => {
      if (this.#sweepAt.get(rank) !== at) return
      this.#sweepAt.delete(rank)
      this.#sweep(rank)
    })
  }

  /** The records that will be the joining node's go there. Answers how long that takes. */
  transfer(from: number, joiner: number): number {
    const { state, machine } = this.#population
    state.sit(from)
    const due = [...(this.#heldBy.get(from) ?? [])].filter((record) =>
      wouldOwn(machine.view, joiner, this.spots[record]!),
    )
    for (const record of due) this.#copy(record, from, joiner)
    return due.length === 0 ? 0 : this.#population.roundTrip(from, joiner) + DISK
  }

  /** Whoever comes in for a peer that leaves gets its copies. Answers how long that takes. */
  handOver(rank: number): number {
    const { state, machine } = this.#population
    let longest = 0
    for (const record of this.#heldBy.get(rank) ?? []) {
      state.sit(rank)
      for (const heir of holders(machine.view, this.spots[record]!, COPIES, rank)) {
        if (this.isHeldBy(record, heir)) continue
        this.#copy(record, rank, heir)
        longest = Math.max(longest, this.#population.roundTrip(rank, heir) + DISK)
      }
    }
    return longest
  }

  died(rank: number): void {
    const held = this.#heldBy.get(rank)
    this.#heldBy.delete(rank)
    this.#sweepAt.delete(rank)
    for (const record of held ?? []) {
      const left = this.#holders[record]!
      left.delete(rank)
      if (left.size < COPIES && !this.#shortSince.has(record))
        this.#shortSince.set(record, this.#population.now)
      if (left.size > 0) continue
      this.lost++
      this.#shortSince.delete(record)
      this.#store(record)
    }
  }

  #store(record: number): void {
    for (const rank of this.#population.roster.holders(this.spots[record]!, COPIES)) this.#hold(record, rank)
  }

  #sweep(rank: number): void {
    const { state, machine, roster } = this.#population
    if (!roster.isPeer(rank)) return
    for (const record of [...(this.#heldBy.get(rank) ?? [])]) {
      state.sit(rank)
      const due = holders(machine.view, this.spots[record]!, COPIES)
      const isOther = due[0] !== rank && due.includes(rank)
      const lacking = (isOther ? due.slice(0, 1) : due).filter((each) => !this.isHeldBy(record, each))
      for (const each of lacking) this.#copy(record, rank, each)
      if (lacking.length === 0 && !due.includes(rank)) this.#letGo(record, rank)
    }
  }

  #copy(record: number, from: number, to: number): void {
    const { post, space, roster, latency } = this.#population
    const node = () => space.nodeId(to)
    post.send("store", 2, node, () => ({
      kind: "store-req",
      resource: node() as never,
      replicaNumber: 1,
      kinds: [],
    }))
    this.#population.in(latency.between(from, to) + DISK, () => {
      if (!roster.isUp(to) || this.isHeldBy(record, to)) return
      this.#hold(record, to)
      // Not for us, perhaps: then it goes on.
      this.shareChanged(to, "other")
      this.shareChanged(from, "other")
    })
  }

  #hold(record: number, rank: number): void {
    const all = this.#holders[record]!
    all.add(rank)
    const held = this.#heldBy.get(rank) ?? new Set()
    this.#heldBy.set(rank, held.add(record))
    if (all.size < COPIES) return
    const since = this.#shortSince.get(record)
    if (since !== undefined) this.repairs.push(this.#population.now - since)
    this.#shortSince.delete(record)
  }

  #letGo(record: number, rank: number): void {
    const all = this.#holders[record]!
    if (all.size <= COPIES) return
    all.delete(rank)
    const held = this.#heldBy.get(rank)!
    held.delete(record)
    if (held.size === 0) this.#heldBy.delete(rank)
  }
}
