import { LIMITS } from "../../kit/limits.ts"
import { log } from "../../kit/log.ts"
import { NOTHING } from "../../kit/machine.ts"
import { formatSipDate } from "../../kit/sip-date.ts"
import type { Instant } from "../../kit/time.ts"
import { requireOf } from "../../sip/fields.ts"
import type { HeaderField, SipRequest } from "../../sip/message.ts"
import type { Flow } from "../../sip/transport.ts"
import type { Subscribers } from "../authentication/subscribers.ts"
import type { Call, Desk } from "../desk.ts"
import { Piece } from "../piece.ts"
import type { Questions } from "../questions.ts"
import { refuse, unavailable } from "../refusal.ts"
import type { SipEffect } from "../sip-server-interface.ts"
import type { Binding, BindingEntry, EdgeBindings } from "../stores.ts"
import { type EffectiveBinding, mergeBindings } from "./bindings.ts"
import type { KnownShape } from "./edge-record.ts"
import { EdgeTable, type Overlooked } from "./edge-table.ts"
import type { Known } from "./known.ts"
import { type RegistrarRules, type Registration, readRegistration } from "./register-request.ts"
import { planRegistration, planRemoval } from "./registration.ts"

/** What REGISTER may require of us. RFC 3327, RFC 5626. */
const SUPPORTED = ["path", "outbound"]

/** A binding that nobody can be reached by any more. */
export interface GoneBinding {
  readonly aor: string
  readonly identity: string
  readonly edge: string
  readonly version: number
}

/** A removal is a read and a write that nobody waits for. */
const REMOVALS_AT_ONCE = 16

type Job = (now: Instant) => readonly SipEffect[]

export interface RegistrarSettings extends RegistrarRules {
  readonly node: string
  readonly domain: string
}

/**
 * The registrar of RFC 3261 §10.3 over records that many nodes share: each writes its own entry only,
 * and reads them all. What concerns one address-of-record is done one after the other.
 */
export class Registrar {
  readonly #settings: RegistrarSettings
  readonly #desk: Desk
  readonly #questions: Questions
  readonly #subscribers: Subscribers
  readonly #table: EdgeTable
  /** Bindings to be taken out, which nobody waits for; and how many are being taken out now. */
  readonly #gone: GoneBinding[] = []
  #removing = 0
  /** Jobs that wait, per AOR under way. */
  readonly #queues = new Map<string, Job[]>()

  constructor(settings: RegistrarSettings, desk: Desk, questions: Questions, subscribers: Subscribers) {
    this.#settings = settings
    this.#desk = desk
    this.#questions = questions
    this.#subscribers = subscribers
    this.#table = new EdgeTable(settings.node)
  }

  get deadline(): Instant {
    return this.#table.deadline
  }

  get registrations(): number {
    return this.#table.size
  }

  /** What a REGISTER requires is known before its sender is. RFC 3261 §10.3 step 2. */
  missingOptions(request: SipRequest): readonly string[] {
    return requireOf(request).filter((option) => !SUPPORTED.includes(option.toLowerCase()))
  }

  /** A REGISTER came for this AOR, accepted or not. */
  notice(aor: string, callId: string, cseq: number): void {
    this.#table.notice(aor, callId, cseq)
  }

  /** Carries out a REGISTER whose sender may speak for `aor`. `shape`: what it looks like, where that is worth remembering. */
  register(call: Call, aor: string, now: Instant, shape?: KnownShape): readonly SipEffect[] {
    const registration = readRegistration(call.request, call.flow, aor, this.#settings)
    if ("cause" in registration) return this.#desk.refuse(call, registration, now)
    if (!this.#queues.has(aor) && this.#table.refresh(registration, now)) {
      this.#remember(registration, shape, now)
      return this.#accept(call, registration, this.#table.list(aor, now), now)
    }
    if ((this.#queues.get(aor)?.length ?? 0) >= LIMITS.sip.queuedRegistrations) {
      const cause = `too many registrations of ${aor} are pending`
      return this.#desk.refuse(call, unavailable(this.#settings.domain, cause), now)
    }
    // What this AOR's other phones were promised since the record was read has to stand first.
    const checked = this.#table.isUnchecked(aor) ? this.#check(aor, now) : NOTHING
    const done = this.#enqueue(aor, (later) => this.#start(call, registration, shape, later), now)
    return [...checked, ...done]
  }

  /** The registration that a REGISTER of that shape refreshes, where nothing else is under way for its AOR. */
  recall(a: number, b: number): Known | undefined {
    return this.#table.recall(a, b)
  }

  /** Whether a REGISTER of that shape would be answered from memory. */
  isRefresh(known: Known, cseq: number, now: Instant): boolean {
    // A text of the AOR is worth a tenth of all that a refresh takes.
    const isBusy = this.#queues.size > 0 && this.#queues.has(known.aor)
    return !isBusy && known.isRefresh(cseq, now)
  }

  /** Carries that out. */
  refreshAgain(known: Known, cseq: number, now: Instant): void {
    this.#table.refreshAgain(known, cseq, now)
  }

  /** No REGISTER is known by its looks any more. */
  forgetShapes(): void {
    this.#table.forgetShapes()
  }

  #remember(registration: Registration, shape: KnownShape | undefined, now: Instant): void {
    if (shape !== undefined) this.#table.remember(registration, shape, now)
  }

  /** Of the answer to a REGISTER of that shape, from behind the seconds of its Contact to the time of Date. */
  behindContact(known: Known): Piece {
    if (known.hasPath) return behindContacts(known.path, known.outbound)
    return known.outbound ? OUTBOUND_BEHIND_CONTACT : USUAL_BEHIND_CONTACT
  }

  /**
   * Takes a binding out of the fabric whose flow has failed or whose time is over, if it still stands as it did.
   * A few at a time: thousands may go at once, and must not keep those waiting who come.
   */
  remove(gone: GoneBinding, now: Instant): readonly SipEffect[] {
    if (this.#removing >= REMOVALS_AT_ONCE) {
      if (this.#gone.length < LIMITS.sip.queuedRemovals) this.#gone.push(gone)
      return NOTHING
    }
    if ((this.#queues.get(gone.aor)?.length ?? 0) >= LIMITS.sip.queuedRegistrations) return NOTHING
    this.#removing++
    return this.#enqueue(gone.aor, (later) => this.#startRemoval(gone, later), now)
  }

  /** The fabric knows the user no more: nothing of what is remembered holds. */
  userIsGone(aor: string, now: Instant): readonly SipEffect[] {
    const { node } = this.#settings
    return this.#table
      .forget(aor)
      .flatMap(({ identity, binding }) =>
        this.remove({ aor, identity, edge: node, version: binding.version }, now),
      )
  }

  flowClosed(flow: Flow, now: Instant): void {
    if (flow.connection !== undefined) this.#table.flowClosed(flow.connection, now)
  }

  expire(now: Instant): readonly SipEffect[] {
    const effects: SipEffect[] = []
    for (let due = this.#table.takeDue(now); due !== undefined; due = this.#table.takeDue(now)) {
      if (due.kind === "keep-open") effects.push(keepOpen(due.flow))
      else if (due.kind === "check") effects.push(...this.#check(due.aor, now))
      else {
        const { aor, identity, binding } = due.registration
        const gone = { aor, identity, edge: this.#settings.node, version: binding.version }
        effects.push(...this.remove(gone, now))
      }
    }
    return effects
  }

  #start(
    call: Call,
    registration: Registration,
    shape: KnownShape | undefined,
    now: Instant,
  ): readonly SipEffect[] {
    const { aor, contacts } = registration
    return this.#questions.findBindings(aor, now, (found, later) => {
      if (found.kind === "unavailable") return this.#unavailable(call, aor, found.cause, later)
      const entries = this.#table.enrich(aor, found.entries)
      if (contacts === "all") return this.#change(call, registration, shape, entries, later)
      if (contacts.length === 0) {
        const bindings = this.#table.exact(aor, mergeBindings(entries, later))
        return this.#finish(aor, this.#accept(call, registration, bindings, later), later)
      }
      // The password may have been checked against what was remembered; a removed user binds nothing.
      return this.#subscribers.confirm(aor, later, (user, last) => {
        if (user.kind === "unavailable") return this.#unavailable(call, aor, user.cause, last)
        if (user.kind === "present") return this.#change(call, registration, shape, entries, last)
        return this.#finish(aor, this.#desk.refuse(call, refuse(404, `no such user ${aor}`), last), last)
      })
    })
  }

  #unavailable(call: Call, aor: string, cause: string, now: Instant): readonly SipEffect[] {
    return this.#finish(aor, this.#desk.refuse(call, unavailable(this.#settings.domain, cause), now), now)
  }

  #change(
    call: Call,
    registration: Registration,
    shape: KnownShape | undefined,
    entries: readonly EdgeBindings[],
    now: Instant,
  ): readonly SipEffect[] {
    const { aor } = registration
    const { node } = this.#settings
    const plan = planRegistration(entries, node, registration, now)
    switch (plan.kind) {
      case "out-of-order":
        return this.#finish(aor, this.#desk.refuse(call, refuse(500, "CSeq is not the latest"), now), now)
      case "too-many":
        return this.#finish(aor, this.#desk.refuse(call, refuse(403, "too many bindings"), now), now)
      case "store":
        return this.#questions.storeBindings(aor, plan.entry, now, (stored, later) => {
          if (stored.kind === "unavailable") return this.#unavailable(call, aor, stored.cause, later)
          const written = replaceEntry(entries, node, plan.entry)
          this.#table.commit(aor, written, plan.bound, call.flow, later)
          this.#remember(registration, shape, later)
          const bindings = this.#table.exact(aor, mergeBindings(written, later))
          return this.#finish(aor, this.#accept(call, registration, bindings, later), later)
        })
    }
  }

  #check(aor: string, now: Instant): readonly SipEffect[] {
    return this.#enqueue(aor, (later) => this.#startCheck(aor, later), now)
  }

  /** Reads what refreshes were answered without, and puts right what others have removed meanwhile. */
  #startCheck(aor: string, now: Instant): readonly SipEffect[] {
    return this.#questions.findBindings(aor, now, (found, later) => {
      if (found.kind === "unavailable") {
        this.#table.postponeCheck(aor, later)
        return this.#finish(aor, NOTHING, later)
      }
      const overlooked = this.#table.check(aor, found.entries, later)
      if (overlooked.length === 0) return this.#finish(aor, NOTHING, later)
      return this.#subscribers.find(aor, later, (user, last) => {
        if (user.kind === "present") return this.#restore(aor, found.entries, overlooked, last)
        const logs = user.kind === "absent" ? NOTHING : [notRestored(aor, user.cause)]
        return this.#finish(aor, logs, last)
      })
    })
  }

  /** One after the other, as each changes our entry. */
  #restore(
    aor: string,
    entries: readonly EdgeBindings[],
    [first, ...others]: readonly Overlooked[],
    now: Instant,
  ): readonly SipEffect[] {
    if (first === undefined) return this.#finish(aor, NOTHING, now)
    const { node } = this.#settings
    const plan = planRegistration(entries, node, first.registration, now)
    if (plan.kind !== "store") return this.#restore(aor, entries, others, now)
    return this.#questions.storeBindings(aor, plan.entry, now, (stored, later) => {
      if (stored.kind === "unavailable") return this.#finish(aor, [notRestored(aor, stored.cause)], later)
      const written = replaceEntry(entries, node, plan.entry)
      this.#table.commit(aor, written, plan.bound, first.flow, later)
      return this.#restore(aor, written, others, later)
    })
  }

  #startRemoval(gone: GoneBinding, now: Instant): readonly SipEffect[] {
    const { aor } = gone
    const { node } = this.#settings
    return this.#questions.findBindings(aor, now, (found, later) => {
      if (found.kind === "unavailable") return this.#removed(aor, [notRemoved(gone, found.cause)], later)
      const entry = planRemoval(found.entries, node, gone, later)
      if (entry === undefined) return this.#removed(aor, NOTHING, later)
      return this.#questions.storeBindings(aor, entry, later, (stored, last) => {
        if (stored.kind === "unavailable") return this.#removed(aor, [notRemoved(gone, stored.cause)], last)
        const { identity, edge } = gone
        return this.#removed(aor, [log("debug", "registration.ended", { aor, identity, edge })], last)
      })
    })
  }

  #removed(aor: string, effects: readonly SipEffect[], now: Instant): readonly SipEffect[] {
    this.#removing--
    const all = [...this.#finish(aor, effects, now)]
    while (this.#removing < REMOVALS_AT_ONCE && this.#gone.length > 0)
      all.push(...this.remove(this.#gone.shift()!, now))
    return all
  }

  #enqueue(aor: string, job: Job, now: Instant): readonly SipEffect[] {
    const queue = this.#queues.get(aor)
    if (queue === undefined) {
      this.#queues.set(aor, [])
      return job(now)
    }
    queue.push(job)
    return NOTHING
  }

  /** A job is done; the next of its AOR begins. */
  #finish(aor: string, effects: readonly SipEffect[], now: Instant): readonly SipEffect[] {
    const next = this.#queues.get(aor)?.shift()
    if (next !== undefined) return [...effects, ...next(now)]
    this.#queues.delete(aor)
    return effects
  }

  #accept(
    call: Call,
    { path, outbound }: Registration,
    bindings: readonly EffectiveBinding[],
    now: Instant,
  ): readonly SipEffect[] {
    const headers: HeaderField[] = bindings.map((binding) => contactField(binding, now))
    headers.push(...headersBehindContacts(path, outbound))
    headers.push({ name: "Date", value: formatSipDate(now) })
    return this.#desk.answer(call, 200, headers, now)
  }
}

function headersBehindContacts(path: readonly string[], outbound: boolean): readonly HeaderField[] {
  const paths = path.map((value) => ({ name: "Path", value }))
  const required = outbound ? [{ name: "Require", value: "outbound" }] : []
  return [...paths, ...required, { name: "Supported", value: SUPPORTED.join(", ") }]
}

/** From behind the last Contact to the time of Date. */
const behindContacts = (path: readonly string[], outbound: boolean): Piece => {
  const fields = headersBehindContacts(path, outbound).map(({ name, value }) => `\r\n${name}: ${value}`)
  return new Piece(`${fields.join("")}\r\nDate: `)
}
const USUAL_BEHIND_CONTACT = behindContacts([], false)
const OUTBOUND_BEHIND_CONTACT = behindContacts([], true)

function contactField(binding: EffectiveBinding, now: Instant): HeaderField {
  const left = Math.max(0, Math.ceil((binding.expires - now) / 1_000))
  return { name: "Contact", value: `${contactText(binding)}${left}` }
}

/** All of it but the seconds. Known requests are answered with the same: `Known.writeContact`. */
function contactText({ contact, parameters, q }: Binding): string {
  const preference = q === 1_000 ? "" : `;q=${q / 1_000}`
  return `<${contact}>${parameters}${preference};expires=`
}

function replaceEntry(
  entries: readonly EdgeBindings[],
  edge: string,
  entry: BindingEntry,
): readonly EdgeBindings[] {
  return [...entries.filter((other) => other.edge !== edge), { edge, ...entry }]
}

const EMPTY_LINES = Uint8Array.of(13, 10, 13, 10)

const keepOpen = (flow: Flow): SipEffect => ({
  kind: "send",
  id: "keep-open",
  hop: { kind: "flow", flow },
  bytes: EMPTY_LINES,
})

const notRemoved = ({ aor, identity }: GoneBinding, cause: string): SipEffect =>
  log("warn", "registration.not-removed", { aor, identity, cause })

const notRestored = (aor: string, cause: string): SipEffect =>
  log("warn", "registration.not-restored", { aor, cause })
