import { sameHost } from "../kit/ip.ts"
import { type LogEffect, log } from "../kit/log.ts"
import { type Machine, NOTHING } from "../kit/machine.ts"
import { after, type Instant, NEVER, seconds } from "../kit/time.ts"
import type { Listener, Transport } from "../sip/transport.ts"
import { SERVICE_NAMES, withoutDot } from "./proxy/resolve-plan.ts"
import type { DnsQuestion, DnsRecord } from "./sip-server-interface.ts"
import type { Ticket } from "./stores.ts"

export interface DomainServicesInput {
  readonly kind: "resolved"
  readonly ticket: Ticket
  readonly records: readonly DnsRecord[] | "failed"
}

export type DomainServicesEffect =
  | { readonly kind: "resolve"; readonly ticket: Ticket; readonly question: DnsQuestion }
  | LogEffect

export interface DomainServicesSettings {
  readonly domain: string
  readonly listeners: readonly Listener[]
  readonly nextTicket: () => Ticket
}

/** SRV records change when an operator changes them, and calls that begin meanwhile have the old names. */
const INTERVAL = seconds(60)
/** What answers no question may do so soon; until then the last answer counts. */
const AFTER_SILENCE = seconds(10)
/** One round of questions; what has not been answered then is not waited for. */
const PATIENCE = seconds(10)

/** One question that is out: about the services of a listener, or about a target of theirs. */
interface Asked {
  readonly listener: Listener
  readonly about: "services" | "target"
}

type Round = { readonly found: Set<Listener>; readonly open: Map<Ticket, Asked>; silent: boolean }

/**
 * Whether the domain's SRV records lead to this node's own ports: then phones find another node by them
 * when this one is dead, and Record-Route may name the domain instead of this machine. RFC 3263 §4.
 */
export class DomainServices implements Machine<DomainServicesInput, DomainServicesEffect> {
  deadline: Instant
  readonly #settings: DomainServicesSettings
  readonly #listeners: readonly Listener[]
  #leading: ReadonlySet<Listener> = new Set()
  #round: Round | undefined

  constructor(settings: DomainServicesSettings) {
    this.#settings = settings
    this.#listeners = settings.listeners.filter(({ transport }) => serviceOf(transport) !== undefined)
    // A number has no records, and a name without a dot is known to one machine only.
    const isName = /[a-z]/i.test(settings.domain) && /^[^:]+\.[^:]+$/.test(settings.domain)
    this.deadline = isName && this.#listeners.length > 0 ? (0 as Instant) : NEVER
  }

  /** Whether who asks the name system for the domain's service of that transport is told of this listener. */
  leadTo(listener: Listener): boolean {
    return this.#leading.has(listener)
  }

  handle({ ticket, records }: DomainServicesInput, now: Instant): readonly DomainServicesEffect[] {
    const round = this.#round
    const asked = round?.open.get(ticket)
    if (round === undefined || asked === undefined) return NOTHING
    round.open.delete(ticket)
    if (records === "failed") round.silent = true
    else if (asked.about === "target") this.#judge(round, asked.listener, records)
    else {
      const questions = this.#askTargets(round, asked.listener, records)
      if (questions.length > 0) return questions
    }
    return round.open.size === 0 ? this.#conclude(round, now) : NOTHING
  }

  expire(now: Instant): readonly DomainServicesEffect[] {
    if (now < this.deadline) return NOTHING
    if (this.#round !== undefined) return this.#conclude({ ...this.#round, silent: true }, now)
    const round: Round = { found: new Set(), open: new Map(), silent: false }
    this.#round = round
    this.deadline = after(now, PATIENCE)
    return this.#listeners.map((listener) => {
      const name = `${serviceOf(listener.transport)}.${this.#settings.domain}`
      return this.#ask(round, { listener, about: "services" }, { type: "SRV", name })
    })
  }

  #askTargets(
    round: Round,
    listener: Listener,
    records: readonly DnsRecord[],
  ): readonly DomainServicesEffect[] {
    const { host, port } = listener.advertised
    const type = host.includes(":") ? "AAAA" : "A"
    const names = records.flatMap((record) =>
      record.type === "SRV" && record.port === port ? [withoutDot(record.target)] : [],
    )
    return [...new Set(names)]
      .filter((name) => name !== "")
      .map((name) => this.#ask(round, { listener, about: "target" }, { type, name }))
  }

  #ask(round: Round, asked: Asked, question: DnsQuestion): DomainServicesEffect {
    const ticket = this.#settings.nextTicket()
    round.open.set(ticket, asked)
    return { kind: "resolve", ticket, question }
  }

  #judge(round: Round, listener: Listener, records: readonly DnsRecord[]): void {
    const { host } = listener.advertised
    const isHere = records.some(
      (record) => (record.type === "A" || record.type === "AAAA") && sameHost(record.address, host),
    )
    if (isHere) round.found.add(listener)
  }

  /** Where a server kept silent, what was known before stays: phones go by what they have learnt as well. */
  #conclude({ found, silent }: Round, now: Instant): readonly DomainServicesEffect[] {
    this.#round = undefined
    this.deadline = after(now, silent ? AFTER_SILENCE : INTERVAL)
    const before = this.#leading
    this.#leading = silent ? before.union(found) : found
    return this.#listeners
      .filter((listener) => before.has(listener) !== this.#leading.has(listener))
      .map((listener) => {
        const { transport } = listener
        const route = this.#leading.has(listener) ? "domain" : "node"
        return log("info", "sip.record-route", { transport, route, domain: this.#settings.domain })
      })
  }
}

const serviceOf = (transport: Transport): string | undefined =>
  transport === "UDP" || transport === "TCP" || transport === "TLS" ? SERVICE_NAMES[transport] : undefined
