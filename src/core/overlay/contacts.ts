import type { NodeId } from "../identity/node-id.ts"
import { type Address, formatAddress } from "../kit/address.ts"
import { LIMITS } from "../kit/limits.ts"
import { after, type Duration, type Instant, milliseconds, minutes, NEVER, seconds } from "../kit/time.ts"
import type { Fabric } from "./fabric.ts"
import type { LinkPool } from "./link-pool.ts"
import type { Appointment } from "./schedule.ts"

/** An address at which a node of the overlay is, was, or should be. */
interface Contact {
  readonly address: Address
  /** Named by the operator: never given up. */
  readonly bootstrap: boolean
  /** Who answered there last. */
  node: NodeId | undefined
  failures: number
  /** Since when nobody has answered. */
  missingSince: Instant
  tryAt: Instant
}

const FIRST_WAIT = milliseconds(250)
/** While a partition or a restart may end any moment; afterwards the longer one. */
const LONGEST_WAIT_AT_FIRST = seconds(2)
const AT_FIRST = minutes(1)
const LONGEST_WAIT = seconds(4)
/** Former peers are tried less and less, and given up at last. */
const PATIENT_FOR = minutes(10)
const LONGEST_WAIT_OF_FORMER = seconds(30)
const GIVEN_UP_AFTER = minutes(24 * 60)
/** A link that nobody needed shows that the rings are one: whether they still are is asked so often. */
const LET_GO_FOR = minutes(10)
/** The larger Node-ID lets the other one try first. */
const COURTESY = milliseconds(400)
/** One failure in so many is worth a warning. */
const LOGGED = 16

/**
 * Where to look for other nodes: the bootstrap list, and peers that were lost. All are tried for as long as
 * there is no link to them, so that rings which were parted meet again. RFC 6940 §10.7.4.4.
 */
export class Contacts {
  readonly #fabric: Fabric
  readonly #links: LinkPool
  readonly #contacts = new Map<string, Contact>()
  #appointment: Appointment | undefined
  #plannedAt = NEVER
  #isStopped = false

  constructor(fabric: Fabric, links: LinkPool) {
    this.#fabric = fabric
    this.#links = links
  }

  addBootstrap(addresses: readonly Address[]): void {
    for (const address of addresses) this.#add(address, undefined, true, this.#fabric.now)
    this.#dialDue()
  }

  /** Through these we once joined: for the time being there are links enough. */
  addRemembered(addresses: readonly Address[]): void {
    for (const address of addresses) this.#add(address, undefined, true, after(this.#fabric.now, LET_GO_FOR))
    this.#plan()
  }

  /** The link to a peer is gone, and not by its own will. */
  lost(node: NodeId): void {
    const address = this.#links.addressOf(node)
    if (address === undefined) return
    const wait = (FIRST_WAIT + (this.#fabric.self > node ? COURTESY : 0)) as Duration
    this.#add(address, node, false, after(this.#fabric.now, wait))
    this.#plan()
  }

  /** The link to that node was let go, since neither needs it: there is no hurry to see it again. */
  letGo(node: NodeId): void {
    for (const contact of this.#contacts.values())
      if (contact.node === node) contact.tryAt = after(this.#fabric.now, LET_GO_FOR)
  }

  /** It has taken its leave: nobody is to look for it. */
  forget(node: NodeId): void {
    for (const [key, contact] of this.#contacts)
      if (contact.node === node && !contact.bootstrap) this.#contacts.delete(key)
  }

  dialed(address: Address, result: NodeId | { readonly failed: string }): void {
    const key = formatAddress(address)
    const contact = this.#contacts.get(key)
    if (contact === undefined) return
    if (typeof result === "string") {
      contact.node = result
      contact.failures = 0
      if (result === this.#fabric.self) this.#contacts.delete(key)
      return
    }
    if (contact.failures === 0) contact.missingSince = this.#fabric.now
    contact.failures++
    const level = contact.failures % LOGGED === 1 ? "warn" : "debug"
    const { failures } = contact
    this.#fabric.log(level, "overlay.unreachable", { address: key, failures, reason: result.failed })
    this.#retryOrGiveUp(key, contact)
    this.#plan()
  }

  /** Nobody is looked for any more. */
  stop(): void {
    this.#isStopped = true
    this.#contacts.clear()
    this.#fabric.schedule.cancel(this.#appointment)
  }

  /** There is nobody to look for: whatever addresses we were given were our own. */
  get isEmpty(): boolean {
    return this.#contacts.size === 0
  }

  /** Every address has been tried, and there is none with an answer. */
  get areAllSilent(): boolean {
    return this.#contacts.values().every(({ failures }) => failures > 0)
  }

  #add(address: Address, node: NodeId | undefined, bootstrap: boolean, tryAt: Instant): void {
    const key = formatAddress(address)
    const known = this.#contacts.get(key)
    if (this.#isStopped || (known === undefined && this.#contacts.size >= LIMITS.reload.contacts)) return
    this.#contacts.set(key, {
      address,
      bootstrap: bootstrap || known?.bootstrap === true,
      node: node ?? known?.node,
      failures: 0,
      missingSince: this.#fabric.now,
      tryAt,
    })
  }

  #retryOrGiveUp(key: string, contact: Contact): void {
    const { now } = this.#fabric
    const missing = now - contact.missingSince
    if (!contact.bootstrap && missing > GIVEN_UP_AFTER) {
      this.#contacts.delete(key)
      return
    }
    const patient = contact.bootstrap || missing < PATIENT_FOR
    const longest =
      missing < AT_FIRST ? LONGEST_WAIT_AT_FIRST : patient ? LONGEST_WAIT : LONGEST_WAIT_OF_FORMER
    const wait = Math.min(longest, FIRST_WAIT * 2 ** Math.min(contact.failures - 1, 10))
    contact.tryAt = after(now, (wait * (0.8 + 0.4 * this.#fabric.settings.random.next())) as Duration)
  }

  #dialDue(): void {
    this.#appointment = undefined
    this.#plannedAt = NEVER
    const { now } = this.#fabric
    for (const contact of this.#contacts.values()) {
      const { address, node } = contact
      if (contact.tryAt > now) continue
      // Looked at again in a while: a link may go down that nobody told us of.
      contact.tryAt = after(now, LONGEST_WAIT)
      if (node !== undefined && this.#links.to(node)) continue
      this.#links.dial(address, undefined)
    }
    this.#plan()
  }

  #plan(): void {
    let next = NEVER
    for (const { tryAt } of this.#contacts.values()) if (tryAt < next) next = tryAt
    if (next >= this.#plannedAt) return
    this.#fabric.schedule.cancel(this.#appointment)
    this.#plannedAt = next
    this.#appointment = this.#fabric.schedule.at(next, () => this.#dialDue())
  }
}
