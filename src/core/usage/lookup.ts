import { type Machine, NOTHING } from "../kit/machine.ts"
import { type Instant, NEVER } from "../kit/time.ts"
import type { Overlay, Ticket } from "../overlay/interface.ts"
import { COPIES } from "../overlay/placement.ts"
import { type EffectiveBinding, mergeBindings } from "../service/registrar/bindings.ts"
import { SIP_BINDINGS, SUBSCRIBER } from "../storage/kinds.ts"
import { type OverlayAnswer, type OverlayQuestion, readBindings } from "./fabric-stores.ts"
import { Tickets } from "./tickets.ts"
import { resourceNameOf } from "./user-names.ts"

export type LookupInput =
  | { readonly kind: "look-up"; readonly ticket: Ticket; readonly aor: string; readonly domain: string }
  | OverlayAnswer

export interface FoundBinding {
  readonly contact: string
  readonly edge: string
  readonly transport: string
  readonly source: string
  readonly expires: number
  readonly q: number
  /** How a call would reach it now. */
  readonly reachedBy: "contact" | "path" | "flow"
  readonly edgeAlive: boolean
}

export type LookupResult =
  | {
      readonly kind: "found"
      readonly aor: string
      readonly user: boolean
      readonly bindings: readonly FoundBinding[]
      readonly resource: string
      readonly responsible: string
      readonly copies: readonly string[]
      readonly steps: readonly {
        readonly what: string
        readonly responder: string
        readonly hops: number
        readonly milliseconds: number
      }[]
    }
  | { readonly kind: "refused"; readonly code: "bad-name" | "unavailable"; readonly cause: string }

export type LookupEffect =
  | OverlayQuestion
  | { readonly kind: "looked-up"; readonly ticket: Ticket; readonly result: LookupResult }

export interface LookupSettings {
  readonly overlay: Pick<Overlay, "resourceId" | "holders">
  isAlive(node: string): boolean
}

/** Where a user can be reached, and how the fabric found out: `carillon lookup`. */
export class Lookup implements Machine<LookupInput, LookupEffect> {
  readonly deadline: Instant = NEVER
  readonly #settings: LookupSettings
  readonly #tickets: Tickets<{ readonly ticket: Ticket; readonly aor: string }>

  constructor(settings: LookupSettings, owner: number) {
    this.#settings = settings
    this.#tickets = new Tickets(owner)
  }

  handle(input: LookupInput, now: Instant): readonly LookupEffect[] {
    if (input.kind === "look-up") return this.#ask(input)
    const pending = this.#tickets.redeem(input.ticket)
    if (pending === undefined || input.kind !== "fetched") return NOTHING
    const { ticket, aor } = pending
    return [{ kind: "looked-up", ticket, result: this.#tell(aor, input, now) }]
  }

  expire(): readonly LookupEffect[] {
    return NOTHING
  }

  #ask({ ticket, aor, domain }: Extract<LookupInput, { kind: "look-up" }>): readonly LookupEffect[] {
    const read = resourceNameOf(domain, aor.replace(/^sips?:/i, ""))
    if (typeof read === "string") {
      return [{ kind: "looked-up", ticket, result: { kind: "refused", code: "bad-name", cause: read } }]
    }
    return [
      {
        kind: "fetch",
        ticket: this.#tickets.issue({ ticket, aor: read.name }),
        resource: this.#settings.overlay.resourceId(read.name),
        wanted: [{ kind: SUBSCRIBER.id }, { kind: SIP_BINDINGS.id }],
      },
    ]
  }

  #tell(aor: string, { result }: Extract<OverlayAnswer, { kind: "fetched" }>, now: Instant): LookupResult {
    if (result.kind === "failed") return { kind: "refused", code: "unavailable", cause: result.cause }
    const { overlay } = this.#settings
    const resource = overlay.resourceId(aor)
    const [responsible, ...copies] = overlay.holders(resource).slice(0, COPIES)
    const { entries } = readBindings(result.values.get(SIP_BINDINGS.id) ?? [])
    const { responder, hops, took } = result.path
    return {
      kind: "found",
      aor,
      user: (result.values.get(SUBSCRIBER.id) ?? []).some(({ data }) => data.value.exists),
      bindings: mergeBindings(entries, now).map((binding) => this.#describe(binding)),
      resource,
      responsible: responsible ?? responder,
      copies,
      steps: [{ what: "fetch", responder, hops, milliseconds: took }],
    }
  }

  #describe(binding: EffectiveBinding): FoundBinding {
    const { contact, edge, transport, source, expires, q, path, flow } = binding
    const reachedBy = path.length > 0 ? "path" : flow === undefined ? "contact" : "flow"
    return {
      contact,
      edge,
      transport,
      source,
      expires,
      q,
      reachedBy,
      edgeAlive: this.#settings.isAlive(edge),
    }
  }
}
