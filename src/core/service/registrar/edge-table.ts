import { isAscii } from "../../kit/packed.ts"
import { RowDeadlines } from "../../kit/row-deadlines.ts"
import { hashOfText, mixed, RowIndex } from "../../kit/row-index.ts"
import { after, before, earliest, type Instant, NEVER, seconds } from "../../kit/time.ts"
import type { Flow } from "../../sip/transport.ts"
import type { EdgeBindings } from "../stores.ts"
import { type EffectiveBinding, identityOf, latestWord, mergeBindings, soleVersionOf } from "./bindings.ts"
import { FLAG, HELD } from "./edge-fields.ts"
import {
  CHECK_EVERY,
  checkAt,
  credentialsSum,
  dueAt,
  type EdgeRecord,
  type EdgeRegistration,
  type Held,
  heldAs,
  isAmong,
  type KnownShape,
  registrationOf,
} from "./edge-record.ts"
import { EdgeRows } from "./edge-rows.ts"
import { Known } from "./known.ts"
import type { Registration } from "./register-request.ts"
import { type Bound, isCovered } from "./registration.ts"

/** How often an empty line keeps a NAT's door open. RFC 5626 §4.4.1: 24 to 29 s. */
const KEEP_OPEN_EVERY = seconds(25)

/** A phone whose connection broke may be back before anybody is told. */
const GRACE = seconds(5)

export type Due =
  | { readonly kind: "ended"; readonly registration: EdgeRegistration }
  | { readonly kind: "keep-open"; readonly flow: Flow }
  /** Refreshes were answered from memory: does the record still say what they rest on? */
  | { readonly kind: "check"; readonly aor: string }

/** A registration that was refreshed after all that the record says against it, and has to stand in it again. */
export interface Overlooked {
  readonly registration: Registration
  readonly flow: Flow
}

const NONE = -1

/**
 * The registrations whose edge is this node. A refresh that changes nothing needs nothing else.
 *
 * There may be a million of them, of which a few are spoken of at a time: at rest each AOR is a row of bytes. Whatever changes more
 * than a refresh of a known shape does makes objects of it, and bytes again.
 */
export class EdgeTable {
  readonly #self: string
  readonly #rows: EdgeRows
  readonly #byAor = new RowIndex()
  /** By the first half of the hash of a REGISTER that refreshes it: rows that hold one registration. */
  readonly #byShape = new RowIndex()
  readonly #byConnection = new Map<number, Set<number>>()
  /** No later than something is due. A refresh leaves that as it is. */
  readonly #deadlines = new RowDeadlines()
  #size = 0

  constructor(self: string) {
    this.#self = self
    this.#rows = new EdgeRows(self)
  }

  get deadline(): Instant {
    return this.#deadlines.next
  }

  get size(): number {
    return this.#size
  }

  /** A REGISTER was seen, though not accepted yet: the next CSeq is used up. A gap stays a gap. */
  notice(aor: string, callId: string, cseq: number): void {
    const row = this.#find(aor)
    if (row === NONE) return
    const record = this.#rows.read(row)
    const noticed = record.held.filter((held) => held.binding.callId === callId && held.seenCseq + 1 === cseq)
    for (const held of noticed) held.seenCseq = cseq
    if (noticed.length > 0) this.#rest(row, record)
  }

  /**
   * Extends what stands already, where the registration changes nothing else; false where it may.
   * A gap in the CSeq means that the phone has been talking to another node since.
   */
  refresh({ aor, callId, cseq, contacts }: Registration, now: Instant): boolean {
    const row = this.#find(aor)
    if (row === NONE || contacts === "all" || contacts.length === 0) return false
    const record = this.#rows.read(row)
    const all: Held[] = []
    for (const requested of contacts) {
      const held = heldAs(record, identityOf(requested.binding))
      const follows = held?.binding.callId === callId && held.cseq < cseq && cseq <= held.seenCseq + 1
      if (held === undefined || !follows || !isCovered(held.binding, requested, now)) return false
      all.push(held)
    }
    for (const [index, held] of all.entries()) {
      const { granted, keptOpen } = contacts[index]!
      if (!held.isUnchecked) {
        record.checkedAt = noLongerAgo(record.checkedAt, now)
        record.isCheckDue = true
      }
      held.cseq = cseq
      held.seenCseq = cseq
      held.expires = after(now, granted)
      held.refreshed = { at: now, granted, keptOpen }
      held.isUnchecked = true
      // It may have looked otherwise.
      held.known = undefined
    }
    this.#rest(row, record)
    return true
  }

  /**
   * The only contact of that registration was accepted, in a REGISTER of that shape. The next one of that shape is known,
   * where nothing else is to be listed in its answer.
   */
  remember({ aor, contacts, outbound }: Registration, shape: KnownShape, now: Instant): void {
    const row = this.#find(aor)
    const requested = contacts === "all" || contacts.length !== 1 ? undefined : contacts[0]!
    if (row === NONE || requested === undefined) return
    const record = this.#rows.read(row)
    const [held, ...others] = record.held
    const { binding } = held!
    const isOnly = others.length === 0 && identityOf(requested.binding) === held!.identity
    // The answer is made of their bytes, and the user found by them.
    const isPlain = isAscii(binding.contact + binding.parameters + aor)
    if (!isOnly || !isPlain || record.soleVersion !== binding.version) return
    if (!isCovered(binding, requested, now)) return
    const { flow, a, b, ha2 } = shape
    const credentials = credentialsSum(shape.credentialsA, shape.credentialsB)
    const known = { shape: { a, b, ha2, credentials }, outbound, answered: undefined }
    record.held = [{ ...held!, flow, known }]
    this.#rest(row, record)
  }

  /** The registration that a REGISTER of that shape refreshes. */
  recall(a: number, b: number): Known | undefined {
    const index = this.#byShape
    for (let slot = index.first(mixed(a)); slot >= 0; slot = index.next(slot)) {
      const row = index.row(slot)
      const place = this.#rows.first(row)
      const { view } = this.#rows.rows
      if (view.getInt32(place + HELD.shapeA) === a && view.getInt32(place + HELD.shapeB) === b)
        return new Known(this.#rows, row)
    }
    return undefined
  }

  /** Does what `refresh` does. */
  refreshAgain({ row }: Known, cseq: number, now: Instant): void {
    const rows = this.#rows
    const place = rows.first(row)
    const { view } = rows.rows
    const flags = view.getUint16(place + HELD.flags)
    const expires = rows.fields.refresh(view, place, now)
    view.setUint32(place + HELD.cseq, cseq)
    view.setUint32(place + HELD.seenCseq, cseq)
    view.setUint16(place + HELD.flags, (flags & ~FLAG.answered) | FLAG.unchecked)
    this.#bringForward(row, expires)
    if ((flags & FLAG.unchecked) === 0) this.#checkLater(row, noLongerAgo(rows.checkedAt(row), now))
  }

  /** No shape is known any more. */
  forgetShapes(): void {
    for (const row of this.#rows.rows.all()) {
      const place = this.#rows.first(row)
      const { view } = this.#rows.rows
      const flags = view.getUint16(place + HELD.flags)
      if ((flags & FLAG.known) === 0) continue
      this.#byShape.delete(mixed(view.getInt32(place + HELD.shapeA)), row)
      view.setUint16(place + HELD.flags, flags & ~FLAG.known)
    }
  }

  /** What the record says, with what only we know: the CSeq of refreshes that were not written. */
  enrich(aor: string, entries: readonly EdgeBindings[]): readonly EdgeBindings[] {
    const record = this.#read(aor)
    if (record === undefined) return entries
    return entries.map((entry) => {
      if (entry.edge !== this.#self) return entry
      const bindings = entry.bindings.map((binding) => {
        const known = heldAs(record, identityOf(binding))
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
    const row = this.#find(aor)
    const before = row === NONE ? [] : this.#rows.read(row).held
    const isCheckDue = row !== NONE && this.#rows.isCheckDue(row)
    const own = entries.find(({ edge }) => edge === this.#self)?.bindings ?? []
    const fresh = bound.map(({ binding, requested }): Held => {
      const keepOpenAt = requested.keptOpen ? after(now, KEEP_OPEN_EVERY) : NEVER
      const { cseq } = binding
      const { granted, keptOpen } = requested
      return {
        ...{ aor, identity: identityOf(binding), binding, flow, keepOpenAt },
        ...{ expires: after(now, granted), cseq, seenCseq: cseq },
        ...{ refreshed: { at: now, granted, keptOpen }, isUnchecked: false, known: undefined },
      }
    })
    const kept = before.filter(
      (held) => isAmong(own, held) && !fresh.some(({ identity }) => identity === held.identity),
    )
    const soleVersion = soleVersionOf(mergeBindings(entries, now), this.#self)
    this.#rest(row, { aor, entries, soleVersion, checkedAt: now, isCheckDue, held: [...kept, ...fresh] })
  }

  /** Whether something was answered from memory since the record was read. */
  isUnchecked(aor: string): boolean {
    return this.#read(aor)?.held.some(({ isUnchecked }) => isUnchecked) === true
  }

  /**
   * The record was read anew. What it does not bear out any more is forgotten; given back is what the
   * phone has refreshed since it was removed, so that our 200 has to be made true.
   */
  check(aor: string, entries: readonly EdgeBindings[], now: Instant): readonly Overlooked[] {
    const row = this.#find(aor)
    if (row === NONE) return []
    const { held: before } = this.#rows.read(row)
    const counting = mergeBindings(entries, now)
    const soleVersion = soleVersionOf(counting, this.#self)
    const standing = counting.filter(({ edge }) => edge === this.#self)
    const overlooked: Overlooked[] = []
    const held: Held[] = []
    for (const each of before) {
      const { isUnchecked, refreshed, flow } = each
      if (isAmong(standing, each)) held.push({ ...each, isUnchecked: false })
      else if (isUnchecked && latestWord(entries, each.identity) <= refreshed.at)
        overlooked.push({ registration: registrationOf(each), flow })
    }
    this.#rest(row, { aor, entries, soleVersion, checkedAt: now, isCheckDue: false, held })
    return overlooked
  }

  /** The record could not be read. */
  postponeCheck(aor: string, now: Instant): void {
    const row = this.#find(aor)
    if (row !== NONE) this.#checkLater(row, now)
  }

  /** Whatever is held of this AOR is not any more. */
  forget(aor: string): readonly EdgeRegistration[] {
    const row = this.#find(aor)
    if (row === NONE) return []
    const record = this.#rows.read(row)
    this.#rest(row, { ...record, held: [] })
    return record.held
  }

  /** All current bindings as last read: ours to the second, others as their record says. */
  list(aor: string, now: Instant): readonly EffectiveBinding[] {
    return this.exact(aor, mergeBindings(this.#read(aor)?.entries ?? [], now))
  }

  /** With the time at which each really ends, where this node knows. */
  exact(aor: string, bindings: readonly EffectiveBinding[]): readonly EffectiveBinding[] {
    const record = this.#read(aor)
    return bindings.map((binding) => {
      const isOurs = record !== undefined && binding.edge === this.#self
      const known = isOurs ? heldAs(record, identityOf(binding)) : undefined
      return known?.binding.version === binding.version ? { ...binding, expires: known.expires } : binding
    })
  }

  /** Its phones get a moment to come back; then they are gone. */
  flowClosed(connection: number, now: Instant): void {
    for (const row of [...(this.#byConnection.get(connection) ?? [])]) {
      const record = this.#rows.read(row)
      for (const held of record.held)
        if (held.flow.connection === connection && held.binding.flow !== undefined)
          held.expires = earliest(held.expires, after(now, GRACE))
      this.#rest(row, record)
    }
    this.#byConnection.delete(connection)
  }

  /** What is due, one by one; undefined where nothing is any more. */
  takeDue(now: Instant): Due | undefined {
    for (;;) {
      const row = this.#deadlines.takeDue(now)
      if (row === undefined) return undefined
      const record = this.#rows.read(row)
      const due = this.#takeDueOf(record, now)
      this.#rest(row, record)
      if (due !== undefined) return due
    }
  }

  #takeDueOf(record: EdgeRecord, now: Instant): Due | undefined {
    if (checkAt(record) <= now) {
      record.isCheckDue = false
      return { kind: "check", aor: record.aor }
    }
    const held = record.held.find(({ expires, keepOpenAt }) => earliest(expires, keepOpenAt) <= now)
    if (held === undefined) return undefined
    if (held.expires > now) {
      held.keepOpenAt = after(now, KEEP_OPEN_EVERY)
      return { kind: "keep-open", flow: held.flow }
    }
    record.held = record.held.filter((each) => each !== held)
    return { kind: "ended", registration: held }
  }

  #find(aor: string): number {
    const index = this.#byAor
    for (let slot = index.first(hashOf(aor)); slot >= 0; slot = index.next(slot))
      if (this.#rows.isOf(index.row(slot), aor)) return index.row(slot)
    return NONE
  }

  #read(aor: string): EdgeRecord | undefined {
    const row = this.#find(aor)
    return row === NONE ? undefined : this.#rows.read(row)
  }

  #checkLater(row: number, checkedAt: Instant): void {
    this.#rows.setCheckDue(row, checkedAt)
    this.#bringForward(row, after(checkedAt, CHECK_EVERY))
  }

  #bringForward(row: number, due: Instant): void {
    if (due < this.#deadlines.of(row)) this.#deadlines.set(row, due)
  }

  /** Lets a record be bytes again; one without registrations is no more. `before`: the row where it was. */
  #rest(before: number, record: EdgeRecord): void {
    const { aor, held } = record
    if (before !== NONE) this.#unlink(before)
    if (held.length === 0) {
      if (before === NONE) return
      this.#byAor.delete(hashOf(aor), before)
      this.#deadlines.delete(before)
      this.#rows.rows.delete(before)
      return
    }
    // Of several registrations none is refreshed by its looks alone.
    if (held.length > 1) for (const each of held) each.known = undefined
    const row = before === NONE ? this.#rows.add(record) : before
    if (before === NONE) this.#byAor.add(hashOf(aor), row)
    else this.#rows.replace(row, record)
    this.#link(row, record)
    this.#deadlines.set(row, dueAt(record))
  }

  #link(row: number, { held }: EdgeRecord): void {
    this.#size += held.length
    for (const { known, flow, binding } of held) {
      if (known !== undefined) this.#byShape.add(mixed(known.shape.a), row)
      if (binding.flow === undefined || flow.connection === undefined) continue
      const rows = this.#byConnection.get(flow.connection)
      if (rows === undefined) this.#byConnection.set(flow.connection, new Set([row]))
      else rows.add(row)
    }
  }

  #unlink(row: number): void {
    const { held } = this.#rows.read(row)
    this.#size -= held.length
    for (const { known, flow } of held) {
      if (known !== undefined) this.#byShape.delete(mixed(known.shape.a), row)
      const rows = flow.connection === undefined ? undefined : this.#byConnection.get(flow.connection)
      rows?.delete(row)
      if (rows?.size === 0) this.#byConnection.delete(flow.connection!)
    }
  }
}

/** What is checked CHECK_EVERY after that is not overdue. */
const noLongerAgo = (checkedAt: Instant, now: Instant): Instant =>
  Math.max(checkedAt, before(now, CHECK_EVERY)) as Instant

const hashOf = (aor: string): number => mixed(hashOfText(aor))
