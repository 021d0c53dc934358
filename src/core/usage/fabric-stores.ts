import type { Cryptography } from "../identity/certificate.ts"
import type { NodeId } from "../identity/node-id.ts"
import { equalBytes } from "../kit/bytes.ts"
import { fromHex, toHex } from "../kit/hex.ts"
import { type LogEffect, log } from "../kit/log.ts"
import { type Machine, NOTHING } from "../kit/machine.ts"
import { Remembered } from "../kit/remembered.ts"
import { type Instant, NEVER } from "../kit/time.ts"
import type { Overlay, OverlayEffect, OverlayInput, VerifiedValue } from "../overlay/interface.ts"
import type { StoredData } from "../reload/stored-data.ts"
import type {
  BindingEntry,
  EdgeBindings,
  FoundBindings,
  StoreAnswer,
  StoreRequest,
  Unavailable,
} from "../service/stores.ts"
import { SIP_BINDINGS, SUBSCRIBER } from "../storage/kinds.ts"
import { decode, encode } from "../wire/codec.ts"
import { DecodeError } from "../wire/decode-error.ts"
import { BindingEntryValue } from "./binding-values.ts"
import { OwnRecords } from "./own-records.ts"
import { type FabricKey, type Secrets, unsealSubscriber } from "./subscriber-values.ts"
import { Tickets } from "./tickets.ts"

/** What the overlay tells whoever asked it. */
export type OverlayAnswer = Extract<OverlayEffect, { kind: "fetched" | "stored" }>
/** What is asked of the overlay. */
export type OverlayQuestion = Extract<OverlayInput, { kind: "fetch" | "store" }>

/** What a store was asked for, where the fabric could say. */
type Found<Kind extends StoreAnswer["kind"]> = Extract<StoreAnswer, { kind: Kind }>["result"]

export type FabricStoresInput = StoreRequest | OverlayAnswer
export type FabricStoresEffect = OverlayQuestion | StoreAnswer | LogEffect

export interface FabricStoresSettings {
  readonly self: NodeId
  readonly overlay: Pick<Overlay, "resourceId" | "heldHere">
  readonly cryptography: Cryptography
  readonly fabricKeys: () => readonly FabricKey[]
}

/**
 * How long, in seconds, a removal or a `clearedBefore` is remembered: longer than any binding that
 * it may have to outlive.
 */
export const REMOVAL_LIFETIME = 86_400

/** Subscribers whose secrets are remembered beside the record that says them, of each generation. */
const REMEMBERED = 2_048

/** The stores that SIP services ask for, over the overlay. */
export class FabricStores implements Machine<FabricStoresInput, FabricStoresEffect> {
  readonly deadline: Instant = NEVER
  readonly #settings: FabricStoresSettings
  readonly #tickets: Tickets<StoreRequest>
  /** What sealed records say: the same ones are read again and again, and unsealing is most of what that costs. */
  readonly #unsealed = new Remembered<{ readonly sealed: Uint8Array; readonly secrets: Secrets }>(REMEMBERED)

  readonly #ownBindings: OwnRecords<FoundBindings>
  readonly #ownSubscribers: OwnRecords<Found<"subscriber-found">>

  constructor(settings: FabricStoresSettings, owner: number) {
    this.#settings = settings
    this.#tickets = new Tickets(owner)
    // What cannot be read is told by the general way, which logs it.
    this.#ownBindings = new OwnRecords(settings.overlay, SIP_BINDINGS, (_, values) => {
      const { entries, problems } = readEntries(values)
      return problems.length > 0 ? undefined : { kind: "found", entries }
    })
    this.#ownSubscribers = new OwnRecords(settings.overlay, SUBSCRIBER, (name, values) => {
      const data = values.find(({ value }) => value.exists)
      const secrets = data && this.#unseal(name, data)
      if (secrets === undefined) return { kind: "absent" }
      return typeof secrets === "string" ? undefined : { kind: "present", subscriber: { name, ha1: secrets } }
    })
  }

  /** The bindings of a user, where this node itself is to answer for them. */
  recallBindings(aor: string, now: Instant): FoundBindings | undefined {
    return this.#ownBindings.find(aor, now)
  }

  handle(input: FabricStoresInput, now: Instant): readonly FabricStoresEffect[] {
    switch (input.kind) {
      case "find-subscriber": {
        const { ticket, name } = input
        const result = this.#ownSubscribers.find(name, now)
        if (result !== undefined) return [{ kind: "subscriber-found", ticket, result }]
        return [this.#fetch(input, name, SUBSCRIBER.id)]
      }
      case "find-bindings": {
        const { ticket, aor } = input
        const result = this.#ownBindings.find(aor, now)
        if (result !== undefined) return [{ kind: "bindings-found", ticket, result }]
        return [this.#fetch(input, aor, SIP_BINDINGS.id)]
      }
      case "store-bindings":
        return [this.#store(input, now)]
      case "fetched":
      case "stored":
        return this.#answer(input)
    }
  }

  expire(): readonly FabricStoresEffect[] {
    return NOTHING
  }

  #fetch(request: StoreRequest, name: string, kind: number): OverlayQuestion {
    const resource = this.#settings.overlay.resourceId(name)
    return { kind: "fetch", ticket: this.#tickets.issue(request), resource, wanted: [{ kind }] }
  }

  #store(request: Extract<StoreRequest, { kind: "store-bindings" }>, now: Instant): OverlayQuestion {
    const { self, overlay } = this.#settings
    return {
      kind: "store",
      ticket: this.#tickets.issue(request),
      resource: overlay.resourceId(request.aor),
      values: [bindingsToStore(self, request.entry, now)],
    }
  }

  #answer(input: OverlayAnswer): readonly FabricStoresEffect[] {
    const request = this.#tickets.redeem(input.ticket)
    if (request === undefined) return NOTHING
    const { ticket } = request
    if (input.kind === "stored") {
      const { result } = input
      return [
        {
          kind: "bindings-stored",
          ticket,
          result: result.kind === "stored" ? { kind: "stored" } : unavailable(result.cause),
        },
      ]
    }
    const { result } = input
    if (request.kind === "find-bindings") {
      if (result.kind === "failed")
        return [{ kind: "bindings-found", ticket, result: unavailable(result.cause) }]
      const { entries, problems } = readBindings(result.values.get(SIP_BINDINGS.id) ?? [])
      const logs = problems.map((cause) => log("error", "bindings.unreadable", { aor: request.aor, cause }))
      return [...logs, { kind: "bindings-found", ticket, result: { kind: "found", entries } }]
    }
    if (request.kind === "find-subscriber") {
      if (result.kind === "failed")
        return [{ kind: "subscriber-found", ticket, result: unavailable(result.cause) }]
      return this.#subscriber(ticket, request.name, result.values.get(SUBSCRIBER.id) ?? [])
    }
    return NOTHING
  }

  #subscriber(ticket: number, name: string, values: readonly VerifiedValue[]): readonly FabricStoresEffect[] {
    const value = values.find(({ data }) => data.value.exists)
    if (value === undefined) return [{ kind: "subscriber-found", ticket, result: { kind: "absent" } }]
    const secrets = this.#unseal(name, value.data)
    if (typeof secrets === "string") {
      return [
        log("error", "subscriber.unreadable", { name, cause: secrets }),
        { kind: "subscriber-found", ticket, result: unavailable(secrets) },
      ]
    }
    return [
      {
        kind: "subscriber-found",
        ticket,
        result: { kind: "present", subscriber: { name, ha1: secrets } },
      },
    ]
  }

  #unseal(name: string, data: StoredData): Secrets | string {
    const { cryptography, fabricKeys } = this.#settings
    const sealed = data.value.value
    const known = this.#unsealed.get(name)
    if (known !== undefined && equalBytes(known.sealed, sealed)) return known.secrets
    try {
      const secrets = unsealSubscriber(cryptography, fabricKeys(), name, sealed)
      if (typeof secrets === "string") return secrets
      // A copy: it is a window on the message that brought it.
      this.#unsealed.set(name, { sealed: sealed.slice(), secrets })
      return secrets
    } catch (error) {
      if (error instanceof DecodeError) return error.message
      throw error
    }
  }
}

const unavailable = (cause: string): Unavailable => ({ kind: "unavailable", cause })

/** This node's own entry of an AOR as a value to store; an entry that says nothing is a removal. */
export function bindingsToStore(self: NodeId, entry: BindingEntry, now: Instant) {
  const { bindings, tombstones, clearedBefore } = entry
  const exists = bindings.length > 0 || tombstones.length > 0 || clearedBefore > 0
  const last = Math.max(
    0,
    ...bindings.map(({ expires }) => expires),
    ...tombstones.map(({ expires }) => expires),
  )
  const lasting = exists && clearedBefore === 0
  return {
    kind: SIP_BINDINGS.id,
    value: {
      model: "dictionary",
      key: fromHex(self),
      exists,
      value: exists ? encode(BindingEntryValue, entry) : new Uint8Array(),
    },
    lifetime: lasting ? Math.max(60, Math.ceil((last - now) / 1_000)) : REMOVAL_LIFETIME,
  } as const
}

/** All entries of an AOR's record. One that cannot be read does not hide the others. */
export const readBindings = (values: readonly VerifiedValue[]) => readEntries(values.map(({ data }) => data))

function readEntries(values: readonly StoredData[]): {
  readonly entries: readonly EdgeBindings[]
  readonly problems: readonly string[]
} {
  const entries: EdgeBindings[] = []
  const problems: string[] = []
  for (const data of values) {
    if (data.value.model !== "dictionary" || !data.value.exists) continue
    const edge = toHex(data.value.key)
    try {
      entries.push({ edge, ...decode(BindingEntryValue, data.value.value, "BindingEntry") })
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      problems.push(`entry of ${edge}: ${error.message}`)
    }
  }
  return { entries, problems }
}
