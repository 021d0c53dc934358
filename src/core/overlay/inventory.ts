import { after, type Instant, seconds } from "../kit/time.ts"
import type { Fabric } from "./fabric.ts"
import type { Holdings } from "./interface.ts"
import { COPIES, type Placement } from "./placement.ts"
import type { Records } from "./records.ts"
import type { Repair } from "./repair.ts"

/** So long after a death other peers may still lack copies that we cannot see: the hold-down, and as long again. */
const UNCERTAIN = seconds(10)

/** Of so many records a count is not made anew for each who asks: it takes a microsecond or more for each. */
const MANY = 2_000
const GOOD_FOR = seconds(1)

/** What this peer holds, and how safe it is. */
export class Inventory {
  readonly #fabric: Fabric
  readonly #records: Records
  readonly #repair: Repair
  readonly #placement: Placement
  #recentDeaths = 0
  #last: { readonly at: Instant; readonly count: Holdings } | undefined

  constructor(fabric: Fabric, records: Records, repair: Repair, placement: Placement) {
    this.#fabric = fabric
    this.#records = records
    this.#repair = repair
    this.#placement = placement
  }

  /** A peer is gone that has not handed over what it held. */
  peerDied(): void {
    this.#recentDeaths++
    this.#fabric.in(UNCERTAIN, () => this.#recentDeaths--)
  }

  /** Of few records as it is now; of many it may be a second old, since all of them are looked at. */
  count(): Holdings {
    const { now } = this.#fabric
    const { size } = this.#records
    const isGood = this.#last !== undefined && size > MANY && now < after(this.#last.at, GOOD_FOR)
    if (!isGood) this.#last = { at: now, count: this.#countAll() }
    return this.#last!.count
  }

  #countAll(): Holdings {
    const { self, isPeer } = this.#fabric
    // Records that others are responsible for have lost a copy with each peer that died of late, at worst.
    let fewest = Math.max(1, COPIES - this.#recentDeaths)
    let [held, due, extra, short, repairing] = [0, 0, 0, 0, 0]
    for (const resource of this.#records.all()) {
      held++
      if (!isPeer) continue
      const holders = this.#placement.holders(resource)
      if (holders.includes(self)) due++
      else if (this.#placement.isDue(resource)) {
        due++
        extra++
      }
      if (this.#repair.owes(resource).length > 0) repairing++
      if (holders[0] !== self || !this.#records.isShort(resource)) continue
      short++
      fewest = Math.min(fewest, this.#records.copiesOf(resource))
    }
    return { held, due, extra, short, repairing, fewest }
  }
}
