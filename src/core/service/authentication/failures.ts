import { type Cidr, isWithin, parseCidr } from "../../kit/ip.ts"
import { LIMITS } from "../../kit/limits.ts"
import { after, type Instant, minutes } from "../../kit/time.ts"

const WINDOW = minutes(1)

interface Count {
  failures: number
  readonly until: Instant
}

/** Counts wrong passwords per source address, so that nobody can guess at leisure. */
export class Failures {
  readonly #trusted: readonly Cidr[]
  readonly #counts = new Map<string, Count>()

  /** `trusted`: CIDR blocks whose sources are not counted. */
  constructor(trusted: readonly string[]) {
    this.#trusted = trusted.flatMap((text) => parseCidr(text) ?? [])
  }

  isBarred(source: string, now: Instant): boolean {
    const count = this.#counts.get(source)
    return count !== undefined && count.until > now && count.failures >= LIMITS.sip.failuresPerSource
  }

  add(source: string, now: Instant): void {
    if (this.#trusted.some((block) => isWithin(source, block))) return
    const count = this.#counts.get(source)
    if (count !== undefined && count.until > now) {
      count.failures++
      return
    }
    // Windows are equally long, so the first of the Map, in the order of insertion, ends first.
    this.#counts.delete(source)
    for (const [oldest, { until }] of this.#counts) {
      if (until > now && this.#counts.size < LIMITS.sip.failingSources) break
      this.#counts.delete(oldest)
    }
    this.#counts.set(source, { failures: 1, until: after(now, WINDOW) })
  }
}
