import { checksum } from "../../kit/checksum.ts"
import { Deadlines } from "../../kit/deadlines.ts"
import { Few } from "../../kit/few.ts"
import { ownText } from "../../kit/own-text.ts"
import { after, earliest, type Instant, NEVER, seconds } from "../../kit/time.ts"
import type { Flow } from "../../sip/transport.ts"
import type { Binding, EdgeBindings } from "../stores.ts"
import { type EffectiveBinding, identityOf, latestWord, mergeBindings, soleVersionOf } from "./bindings.ts"
import { type Known, KnownRegistrations, type KnownShape } from "./known-registrations.ts"
import type { Registration, RequestedContact } from "./register-request.ts"
import { type Bound, isCovered } from "./registration.ts"

/** How often an empty line keeps a NAT's door open. RFC 5626 §4.4.1: 24 to 29 s. */
const KEEP_OPEN_EVERY = seconds(25)

/** A phone whose connection broke may be back before anybody is told. */
const GRACE = seconds(5)

/**
 * Other nodes may remove what a refresh rests on: the record is read again within this time of a
 * refresh, and no more often.
 */
const CHECK_EVERY = seconds(30)

/** A binding whose phone came to this node: what the record does not know of it. */
export interface EdgeRegistration {
  readonly aor: string
  readonly identity: string
  readonly binding: Binding
  /** When the phone's registration ends; the record promises more. */
  readonly expires: Instant
}

export type Due =
  | { readonly kind: "ended"; readonly registration: EdgeRegistration }
  | { readonly kind: "keep-open"; readonly flow: Flow }
  /** Refreshes were answered from memory: does the record still say what they rest on? */
  | { readonly kind: "check"; readonly aor: string }

export interface Held extends EdgeRegistration {
  expires: Instant
  /** When it is looked at next: no later than something is due. A refresh leaves that as it is. */
  dueAt: Instant
  /** That of the latest accepted REGISTER, and of the latest seen, challenged ones included. */
  cseq: number
  seenCseq: number
  readonly flow: Flow
  keepOpenAt: Instant
  /** The latest refresh, where it was answered from memory and the record has not been read since. */
  unchecked: { readonly requested: RequestedContact; readonly at: Instant } | undefined
  readonly record: Record
  /** The REGISTER that refreshes it, where what that looks like is known. */
  known: Known | undefined
}

interface Record {
  readonly aor: string
  /** As last read, our own entry as last written. */
  entries: readonly EdgeBindings[]
  /**
   * The version of our binding where that one is all that counts: then a 200 lists it alone, as long as the entries stay
   * as they are. 0 where it is not.
   */
  soleVersion: number
  checkedAt: Instant
  readonly held: Few<string, Held>
}

/** A registration that was refreshed after all that the record says against it, and has to stand in it again. */
export interface Overlooked {
  readonly registration: Registration
  readonly flow: Flow
}

/** The registrations whose edge is this node. A refresh that changes nothing needs nothing else. */
export class EdgeTable {
  readonly #self: string
  readonly #records = new Map<string, Record>()
  readonly #byConnection = new Map<number, Set<Held>>()
  readonly #deadlines = new Deadlines<Held>()
  readonly #checks = new Deadlines<Record>()
  readonly #known = new KnownRegistrations()

  constructor(self: string) {
    this.#self = self
  }

  get deadline(): Instant {
    return earliest(this.#deadlines.next, this.#checks.next)
  }

  get size(): number {
    return this.#deadlines.size
  }

  /** A REGISTER was seen, though not accepted yet: the next CSeq is used up. A gap stays a gap. */
  notice(aor: string, callId: string, cseq: number): void {
    for (const held of this.#records.get(aor)?.held.values() ?? [])
      if (held.binding.callId === callId && held.seenCseq + 1 === cseq) held.seenCseq = cseq
  }

  /**
   * Extends what stands already, where the registration changes nothing else; false where it may.
   * A gap in the CSeq means that the phone has been talking to another node since.
   */
  refresh({ aor, callId, cseq, contacts }: Registration, now: Instant): boolean {
    const record = this.#records.get(aor)
    if (record === undefined || contacts === "all" || contacts.length === 0) return false
    const all: Held[] = []
    for (const requested of contacts) {
      const held = record.held.get(identityOf(requested.binding))
      const follows = held?.binding.callId === callId && held.cseq < cseq && cseq <= held.seenCseq + 1
      if (held === undefined || !follows || !isCovered(held.binding, requested, now)) return false
      all.push(held)
    }
    for (const [index, held] of all.entries()) this.#extend(held, contacts[index]!, cseq, now)
    return true
  }

  /**
   * The only contact of that registration was accepted, in a REGISTER of that shape. The next one of that shape is known,
   * where nothing else is to be listed in its answer.
   */
  remember(
    { aor, contacts }: Registration,
    shape: KnownShape,
    answer: Pick<Known, "behindContact"> & { readonly contactOf: (binding: Binding) => string },
    now: Instant,
  ): void {
    const requested = contacts === "all" || contacts.length !== 1 ? undefined : contacts[0]!
    const held = requested && this.#records.get(aor)?.held.get(identityOf(requested.binding))
    if (
      held === undefined ||
      held.record.soleVersion !== held.binding.version ||
      !isCovered(held.binding, requested!, now)
    )
      return
    if (held.known !== undefined) this.#known.delete(held.known)
    const { behindContact, contactOf } = answer
    const toTag = checksum(`${shape.a} ${shape.b}`)
    const answered = { cseq: -1, nonceCount: 0, branch: 0, response: 0, at: now }
    // The same texts that are kept anyway: those of this REGISTER would keep all of it.
    const same = { ...requested!, binding: held.binding }
    held.known = {
      shape,
      held,
      aor,
      callId: held.binding.callId,
      requested: same,
      contact: ownText(contactOf(held.binding)),
      behindContact,
      toTag,
      answered,
    }
    this.#known.add(held.known)
  }

  /** The registration that a REGISTER of that shape refreshes. */
  recall(a: number, b: number): Known | undefined {
    return this.#known.recall(a, b)
  }

  /** Whether `refresh` would extend it by a REGISTER of its shape. */
  isRefresh({ held, requested }: Known, cseq: number, now: Instant): boolean {
    const follows = held.cseq < cseq && cseq <= held.seenCseq + 1
    return (
      follows &&
      held.record.soleVersion === held.binding.version &&
      held.binding.expires >= now + requested.granted
    )
  }

  /** Does what `refresh` does. */
  refreshAgain({ held, requested }: Known, cseq: number, now: Instant): void {
    this.#extend(held, requested, cseq, now)
  }

  /** No shape is known any more. */
  forgetShapes(): void {
    for (const { held } of this.#known.all()) held.known = undefined
    this.#known.clear()
  }

  #extend(held: Held, requested: RequestedContact, cseq: number, now: Instant): void {
    const { record } = held
    if (held.unchecked === undefined)
      this.#checks.set(record, Math.max(now, after(record.checkedAt, CHECK_EVERY)) as Instant)
    held.cseq = cseq
    held.seenCseq = cseq
    held.expires = after(now, requested.granted)
    held.unchecked = { requested, at: now }
    this.#schedule(held)
  }

  /** What the record says, with what only we know: the CSeq of refreshes that were not written. */
  enrich(aor: string, entries: readonly EdgeBindings[]): readonly EdgeBindings[] {
    const held = this.#records.get(aor)?.held
    if (held === undefined) return entries
    return entries.map((entry) => {
      if (entry.edge !== this.#self) return entry
      const bindings = entry.bindings.map((binding) => {
        const known = held.get(identityOf(binding))
        const isSame = known?.binding.version === binding.version
        return isSame && known.cseq > binding.cseq ? { ...binding, cseq: known.cseq } : binding
      })
      return { ...entry, bindings }
    })
  }

  /** The record was written: `entries` is all of it, `bound` what this REGISTER added to our own. */
  commit(
    aor: string,
    entries: readonly EdgeBindings[],
    bound: readonly Bound[],
    flow: Flow,
    now: Instant,
  ): void {
    const record = this.#records.get(aor) ?? {
      aor,
      entries,
      soleVersion: 0,
      checkedAt: now,
      held: new Few<string, Held>(),
    }
    record.entries = entries
    record.soleVersion = soleVersionOf(mergeBindings(entries, now), this.#self)
    record.checkedAt = now
    this.#records.set(aor, record)
    const own = new Set(
      (entries.find(({ edge }) => edge === this.#self)?.bindings ?? []).map(({ version }) => version),
    )
    for (const held of record.held.values()) if (!own.has(held.binding.version)) this.#drop(record, held)
    for (const { binding, requested } of bound) {
      const identity = identityOf(binding)
      const old = record.held.get(identity)
      if (old) this.#drop(record, old)
      const expires = after(now, requested.granted)
      const keepOpenAt = requested.keptOpen ? after(now, KEEP_OPEN_EVERY) : NEVER
      const { cseq } = binding
      const held: Held = {
        aor,
        identity,
        binding,
        expires,
        dueAt: NEVER,
        cseq,
        seenCseq: cseq,
        flow,
        keepOpenAt,
        unchecked: undefined,
        record,
        known: undefined,
      }
      record.held.set(identity, held)
      if (binding.flow !== undefined && flow.connection !== undefined) this.#index(flow.connection).add(held)
      this.#schedule(held)
    }
    this.#tidy(record)
  }

  /** Whether something was answered from memory since the record was read. */
  isUnchecked(aor: string): boolean {
    for (const { unchecked } of this.#records.get(aor)?.held.values() ?? []) if (unchecked) return true
    return false
  }

  /**
   * The record was read anew. What it does not bear out any more is forgotten; given back is what the
   * phone has refreshed since it was removed, so that our 200 has to be made true.
   */
  check(aor: string, entries: readonly EdgeBindings[], now: Instant): readonly Overlooked[] {
    const record = this.#records.get(aor)
    if (record === undefined) return []
    this.#checks.delete(record)
    record.entries = entries
    record.checkedAt = now
    const counting = mergeBindings(entries, now)
    record.soleVersion = soleVersionOf(counting, this.#self)
    const standing = counting.filter(({ edge }) => edge === this.#self)
    const overlooked: Overlooked[] = []
    for (const held of record.held.values()) {
      const { unchecked, binding, flow } = held
      held.unchecked = undefined
      if (standing.some(({ version }) => version === binding.version)) continue
      this.#drop(record, held)
      if (unchecked && latestWord(entries, held.identity) <= unchecked.at)
        overlooked.push({ registration: registrationOf(held, unchecked.requested), flow })
    }
    this.#tidy(record)
    return overlooked
  }

  /** The record could not be read. */
  postponeCheck(aor: string, now: Instant): void {
    const record = this.#records.get(aor)
    if (record) this.#checks.set(record, after(now, CHECK_EVERY))
  }

  /** Whatever is held of this AOR is not any more. */
  forget(aor: string): readonly EdgeRegistration[] {
    const record = this.#records.get(aor)
    if (record === undefined) return []
    const all = record.held.values()
    for (const held of all) this.#drop(record, held)
    this.#tidy(record)
    return all
  }

  /** All current bindings as last read: ours to the second, others as their record says. */
  list(aor: string, now: Instant): readonly EffectiveBinding[] {
    return this.exact(aor, mergeBindings(this.#records.get(aor)?.entries ?? [], now))
  }

  /** With the time at which each really ends, where this node knows. */
  exact(aor: string, bindings: readonly EffectiveBinding[]): readonly EffectiveBinding[] {
    const held = this.#records.get(aor)?.held
    return bindings.map((binding) => {
      const known = binding.edge === this.#self ? held?.get(identityOf(binding)) : undefined
      return known?.binding.version === binding.version ? { ...binding, expires: known.expires } : binding
    })
  }

  /** Its phones get a moment to come back; then they are gone. */
  flowClosed(connection: number, now: Instant): void {
    for (const held of this.#byConnection.get(connection) ?? []) {
      held.expires = earliest(held.expires, after(now, GRACE))
      this.#schedule(held)
    }
    this.#byConnection.delete(connection)
  }

  /** What is due, one by one; undefined where nothing is any more. */
  takeDue(now: Instant): Due | undefined {
    const unchecked = this.#checks.takeDue(now)
    if (unchecked !== undefined) return { kind: "check", aor: unchecked.aor }
    const held = this.#takeDueHeld(now)
    if (held === undefined) return undefined
    if (held.expires > now) {
      held.keepOpenAt = after(now, KEEP_OPEN_EVERY)
      this.#schedule(held)
      return { kind: "keep-open", flow: held.flow }
    }
    const record = this.#records.get(held.aor)
    if (record) {
      this.#drop(record, held)
      this.#tidy(record)
    }
    return { kind: "ended", registration: held }
  }

  /** Of those whose time has come to be looked at, the next one of which something is due; refreshed ones wait anew. */
  #takeDueHeld(now: Instant): Held | undefined {
    for (;;) {
      const held = this.#deadlines.takeDue(now)
      if (held === undefined) return undefined
      held.dueAt = NEVER
      if (earliest(held.expires, held.keepOpenAt) <= now) return held
      this.#schedule(held)
    }
  }

  #tidy(record: Record): void {
    if (record.held.size > 0) return
    this.#checks.delete(record)
    this.#records.delete(record.aor)
  }

  /** Not for what only comes later than it was to: it is looked at in between, which costs less than a heap at each refresh. */
  #schedule(held: Held): void {
    const due = earliest(held.expires, held.keepOpenAt)
    if (due >= held.dueAt && held.dueAt !== NEVER) return
    held.dueAt = due
    this.#deadlines.set(held, due)
  }

  #drop(record: Record, held: Held): void {
    record.held.delete(held.identity)
    this.#deadlines.delete(held)
    if (held.known !== undefined) this.#known.delete(held.known)
    held.known = undefined
    const { connection } = held.flow
    const siblings = connection === undefined ? undefined : this.#byConnection.get(connection)
    siblings?.delete(held)
    if (siblings?.size === 0 && connection !== undefined) this.#byConnection.delete(connection)
  }

  #index(connection: number): Set<Held> {
    const known = this.#byConnection.get(connection)
    if (known) return known
    const fresh = new Set<Held>()
    this.#byConnection.set(connection, fresh)
    return fresh
  }
}

function registrationOf({ aor, binding, cseq }: Held, requested: RequestedContact): Registration {
  const renewed = { ...requested, binding: { ...requested.binding, cseq } }
  const { callId, path } = binding
  return { aor, callId, cseq, path, contacts: [renewed], outbound: false }
}
