import { type FakeAuthority, FakeCryptography, fakeAuthority } from "../core/identity/fake-cryptography.ts"
import { type NodeId, parseNodeId } from "../core/identity/node-id.ts"
import { randomBytes } from "../core/kit/bytes.ts"
import type { Hashes } from "../core/kit/crypto.ts"
import { toHex } from "../core/kit/hex.ts"
import { SeededRandom } from "../core/kit/random.ts"
import { after, type Duration, type Instant, NEVER } from "../core/kit/time.ts"
import { Agenda } from "./agenda.ts"
import { type Climate, Weather } from "./conditions.ts"
import { EventLog } from "./event-log.ts"
import { Network } from "./network.ts"

/** The invented world begins on 1 January 2030, so that times look like times. */
const BEGINNING = 1_893_456_000_000 as Instant

export interface SceneConditions extends Climate {
  /** The overlay's name, and the SIP domain. */
  readonly domain: string
  /** Whether a hash of all that happens is kept. Default: it is. */
  readonly isHashed?: boolean
}

/** What all invented worlds have, whoever lives there: one seed, a clock, a network, an authority and a log. */
export abstract class Scene {
  readonly log: EventLog
  readonly domain: string
  readonly agenda = new Agenda()
  /** May be changed at any time. */
  readonly weather: Weather
  readonly network: Network
  readonly cryptography: FakeCryptography
  readonly authority: FakeAuthority
  readonly #random: SeededRandom
  #numbered = 0
  #now = BEGINNING
  #happened = 0

  /** `hashes`: the platform's; hashing need not be invented. `watch` is shown every line of the event log. */
  constructor(
    seed: number,
    { domain, isHashed, ...climate }: SceneConditions,
    hashes: Hashes,
    watch?: (line: string) => void,
  ) {
    this.domain = domain
    this.#random = new SeededRandom(seed)
    this.log = new EventLog(hashes, watch, isHashed)
    this.cryptography = new FakeCryptography(hashes)
    this.authority = fakeAuthority(this.cryptography, { overlay: domain, seed })
    this.weather = new Weather(this.chance(), climate)
    this.network = new Network(this.agenda, this.weather, () => this.#now)
  }

  get now(): Instant {
    return this.#now
  }

  /** How many events there have been. */
  get happened(): number {
    return this.#happened
  }

  /** 1, 2, 3 …: for names of calls and the like. */
  nextNumber(): number {
    return ++this.#numbered
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new Error("there is nothing to pick from")
    return from[this.below(from.length)]!
  }

  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number {
    return Math.floor(limit * this.#random.next())
  }

  /** The same things in any order. */
  shuffle<T>(things: readonly T[]): readonly T[] {
    const rest = [...things]
    return things.map(() => rest.splice(this.below(rest.length), 1)[0]!)
  }

  /** Something that happens while time passes. */
  plan(wait: Duration, run: () => void): void {
    this.agenda.plan(after(this.#now, wait), run)
  }

  /** From now on nothing passes between these parts; `network.heal()` ends it. */
  part(...sides: readonly (readonly { readonly host: string }[])[]): void {
    this.network.cut(sides.map((side) => side.map(({ host }) => host)))
  }

  /** Lets time pass. */
  run(span: Duration): void {
    this.runUntil(() => false, span)
  }

  /** Lets time pass until the condition holds; says whether it did within `span`. */
  runUntil(condition: () => boolean, span: Duration): boolean {
    const end = after(this.#now, span)
    while (!condition()) {
      if (this.agenda.next > end || this.agenda.next === NEVER) {
        this.#now = end
        return condition()
      }
      this.#now = this.agenda.next
      this.#happened++
      this.agenda.runNext()
    }
    return true
  }

  protected newNodeId(): NodeId {
    return parseNodeId(toHex(randomBytes(this.#random, 16)))
  }

  /** Luck of its own, for somebody who lives here. */
  protected chance(): SeededRandom {
    return new SeededRandom(this.#random.next() * 2 ** 32)
  }
}
