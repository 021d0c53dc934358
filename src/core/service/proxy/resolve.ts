import { Deadlines } from "../../kit/deadlines.ts"
import { FormatError } from "../../kit/errors.ts"
import { LIMITS } from "../../kit/limits.ts"
import { type Machine, NOTHING } from "../../kit/machine.ts"
import type { Random } from "../../kit/random.ts"
import { after, type Instant, seconds } from "../../kit/time.ts"
import type { Hop } from "../../sip/transport.ts"
import { parseSipUri, type SipUri } from "../../sip/uri.ts"
import type { DnsQuestion, DnsRecord } from "../sip-server-interface.ts"
import type { Ticket } from "../stores.ts"
import { type Families, locate, type Wish } from "./resolve-plan.ts"

export type ResolverInput =
  /** `key` is the asker's own; `secure` asks for TLS whatever the URI says. */
  | { readonly kind: "find"; readonly key: number; readonly uri: string; readonly secure: boolean }
  | { readonly kind: "resolved"; readonly ticket: Ticket; readonly records: readonly DnsRecord[] | "failed" }

export type ResolverEffect =
  | { readonly kind: "resolve"; readonly ticket: Ticket; readonly question: DnsQuestion }
  /** Where the URI leads, in the order in which to try; empty where it leads nowhere. */
  | { readonly kind: "found"; readonly key: number; readonly hops: readonly Hop[] }

export interface ResolverSettings {
  readonly families: Families
  readonly random: Random
  readonly nextTicket: () => Ticket
}

interface Lookup {
  readonly key: number
  readonly wish: Wish
  /** What this look-up has learnt, so that nothing that expires meanwhile is asked twice. */
  readonly known: Map<string, readonly DnsRecord[]>
}

interface Asked {
  readonly name: string
  readonly ticket: Ticket
  readonly lookups: Set<Lookup>
}

/** How long an answer is remembered: short, since the host's own cache knows the real lifetimes. */
const REMEMBERED = seconds(30)
/** The same for "no such records" and for silence. */
const ABSENCE_REMEMBERED = seconds(5)
const PATIENCE = seconds(5)

/** Locates SIP servers. RFC 3263. */
export class Resolver implements Machine<ResolverInput, ResolverEffect> {
  readonly #settings: ResolverSettings
  readonly #answers = new Map<string, { readonly records: readonly DnsRecord[]; readonly until: Instant }>()
  readonly #asked = new Map<string, Asked>()
  readonly #tickets = new Map<Ticket, Asked>()
  readonly #deadlines = new Deadlines<Asked>()
  #lookups = 0

  constructor(settings: ResolverSettings) {
    this.#settings = settings
  }

  get deadline(): Instant {
    return this.#deadlines.next
  }

  handle(input: ResolverInput, now: Instant): readonly ResolverEffect[] {
    const out: ResolverEffect[] = []
    if (input.kind === "find") this.#find(input.key, input.uri, input.secure, now, out)
    else {
      const asked = this.#tickets.get(input.ticket)
      if (asked) this.#learn(asked, input.records === "failed" ? NOTHING : input.records, now, out)
    }
    return out
  }

  /** A question that nobody answers has no records. */
  expire(now: Instant): readonly ResolverEffect[] {
    const out: ResolverEffect[] = []
    for (let asked = this.#deadlines.takeDue(now); asked; asked = this.#deadlines.takeDue(now)) {
      this.#learn(asked, NOTHING, now, out)
    }
    return out
  }

  #find(key: number, text: string, secure: boolean, now: Instant, out: ResolverEffect[]): void {
    const uri = readUri(text)
    if (uri === undefined || this.#lookups >= LIMITS.sip.lookups) out.push({ kind: "found", key, hops: [] })
    else {
      this.#lookups++
      this.#advance({ key, wish: { uri, secure }, known: new Map() }, now, out)
    }
  }

  #advance(lookup: Lookup, now: Instant, out: ResolverEffect[]): void {
    const { families, random } = this.#settings
    const known = (question: DnsQuestion) => this.#recall(lookup, nameOf(question), now)
    const located = locate(lookup.wish, families, known, random)
    if (located.kind === "located") {
      this.#lookups--
      out.push({ kind: "found", key: lookup.key, hops: located.hops })
      return
    }
    for (const question of located.questions) this.#ask(question, lookup, now, out)
  }

  #recall(lookup: Lookup, name: string, now: Instant): readonly DnsRecord[] | undefined {
    const learnt = lookup.known.get(name)
    if (learnt) return learnt
    const answer = this.#answers.get(name)
    if (answer === undefined) return undefined
    if (answer.until > now) {
      lookup.known.set(name, answer.records)
      return answer.records
    }
    this.#answers.delete(name)
    return undefined
  }

  #ask(question: DnsQuestion, lookup: Lookup, now: Instant, out: ResolverEffect[]): void {
    const name = nameOf(question)
    const under = this.#asked.get(name)
    if (under) {
      under.lookups.add(lookup)
      return
    }
    const ticket = this.#settings.nextTicket()
    const asked: Asked = { name, ticket, lookups: new Set([lookup]) }
    this.#asked.set(name, asked)
    this.#tickets.set(ticket, asked)
    this.#deadlines.set(asked, after(now, PATIENCE))
    out.push({ kind: "resolve", ticket, question })
  }

  #learn(asked: Asked, records: readonly DnsRecord[], now: Instant, out: ResolverEffect[]): void {
    const { name, ticket, lookups } = asked
    this.#asked.delete(name)
    this.#tickets.delete(ticket)
    this.#deadlines.delete(asked)
    if (this.#answers.size >= LIMITS.sip.dnsAnswers) this.#answers.delete(this.#answers.keys().next().value!)
    const until = after(now, records.length > 0 ? REMEMBERED : ABSENCE_REMEMBERED)
    this.#answers.set(name, { records, until })
    for (const lookup of lookups) {
      lookup.known.set(name, records)
      // It may still wait for other answers: then this finds them asked, and changes nothing.
      this.#advance(lookup, now, out)
    }
  }
}

const nameOf = ({ type, name }: DnsQuestion) => `${type} ${name}`

function readUri(text: string): SipUri | undefined {
  try {
    return parseSipUri(text)
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}
