import type { Certificate, Cryptography } from "../identity/certificate.ts"
import { LIMITS } from "../kit/limits.ts"
import { earliest, type Instant } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import { verifyValue } from "../reload/signing.ts"
import {
  KindId,
  StoreAns,
  type StoredData,
  type StoreKindData,
  type StoreReq,
  storedDataList,
} from "../reload/stored-data.ts"
import { decodeViews, encode, list, u8 } from "../wire/codec.ts"
import { DecodeError } from "../wire/decode-error.ts"
import { forbids } from "./access.ts"
import { type HeldValue, holdValue, isSameValue, supersedes } from "./held-value.ts"
import type { KindDefinition } from "./kind.ts"
import { type KindRecord, livingValues, valueIn } from "./kind-record.ts"
import type { KindRegistry } from "./kinds.ts"
import { refusal, type StorageRefusal } from "./outcome.ts"

// RFC 6940 §7.4.1.1: every check of a Store, before anything is changed.

export interface StoreContext {
  /** Whose signature the message bears; one Node-ID, and trusted. */
  readonly requestSigner: Certificate
  /** By fingerprint: those that came with the message, and others at hand. */
  readonly certificates: ReadonlyMap<string, Certificate>
  /**
   * `responsible`: somebody writes, and we are the responsible peer.
   * `replica`: a copy from a peer that may send one, which is the overlay's to judge. What is older
   * than ours is passed over, and the generation counter is taken over.
   * `merge`: a copy that the responsible peer gets, from another ring or a former holder. Like
   * `replica`, but the result is a state that nobody has seen yet, so the counter moves on.
   */
  readonly mode: "responsible" | "replica" | "merge"
  readonly now: Instant
  /** We signed the values ourselves a moment ago: saves the verification, and nothing else. */
  readonly signedHere?: boolean
}

/** What Storage knows, as far as the checks need it. */
export interface StoreView {
  readonly kinds: KindRegistry
  readonly cryptography: Cryptography
  readonly judge: (certificate: Certificate, now: Instant) => string | undefined
  readonly record: (resource: ResourceId, kind: KindId) => KindRecord | undefined
}

/** What a request comes to for one Kind, once it has passed all checks. */
export interface KindPlan {
  readonly definition: KindDefinition
  /** The counter of the request. */
  readonly generation: number
  /** Replace what is in their slots. */
  readonly placed: ReadonlyMap<string, HeldValue>
  /** Slots of the request, whether they change or not. */
  readonly slots: ReadonlySet<string>
}

/** The plan for each Kind, or the first refusal: a request is stored whole or not at all. */
export function planStore(
  view: StoreView,
  request: StoreReq,
  context: StoreContext,
): readonly KindPlan[] | StorageRefusal {
  const unknown = request.kinds.filter(({ kind }) => view.kinds.get(kind) === undefined)
  if (unknown.length > 0) return unknownKinds(unknown.map(({ kind }) => kind))
  if (new Set(request.kinds.map(({ kind }) => kind)).size < request.kinds.length)
    return refusal("Error_Invalid_Message", "a Kind stands in the request twice")
  const plans: KindPlan[] = []
  for (const data of request.kinds) {
    const plan = new KindPlanner(view, request, context, data).plan()
    if ("error" in plan) return plan
    plans.push(plan)
  }
  return plans
}

/** The info lists all Kinds that are unknown. §7.4.1.2. */
export function unknownKinds(kinds: readonly KindId[]): StorageRefusal {
  const names = kinds.map((kind) => `0x${kind.toString(16)}`).join(", ")
  const named = kinds.slice(0, 63) // What the list can hold.
  return refusal("Error_Unknown_Kind", `unknown Kind ${names}`, encode(list(u8, KindId), named))
}

/** An index that means "behind the last". §7.4.1.1. */
const APPEND = 0xffff_ffff
/** Leaves room to count on: a counter that cannot be increased would end a record. */
const GREATEST_GENERATION = 2 ** 52

class KindPlanner {
  readonly #view: StoreView
  readonly #request: StoreReq
  readonly #context: StoreContext
  readonly #data: StoreKindData
  readonly #definition: KindDefinition
  readonly #record: KindRecord | undefined
  readonly #placed = new Map<string, HeldValue>()
  readonly #slots = new Set<string>()

  constructor(view: StoreView, request: StoreReq, context: StoreContext, data: StoreKindData) {
    this.#view = view
    this.#request = request
    this.#context = context
    this.#data = data
    this.#definition = view.kinds.get(data.kind)!
    this.#record = view.record(request.resource, data.kind)
  }

  plan(): KindPlan | StorageRefusal {
    const values = this.#read()
    if ("error" in values) return values
    const accepted: { readonly data: StoredData; readonly signer: string }[] = []
    for (const data of values) {
      const signer = this.#permitted(data)
      if (typeof signer === "object") return signer
      if (signer !== undefined) accepted.push({ data, signer })
    }
    const problem = this.#counterProblem() ?? this.#placeAll(accepted) ?? this.#amountProblem()
    if (problem) return problem
    const { generation } = this.#data
    return { definition: this.#definition, generation, placed: this.#placed, slots: this.#slots }
  }

  #read(): readonly StoredData[] | StorageRefusal {
    try {
      return decodeViews(storedDataList(this.#definition.model), this.#data.values, this.#definition.name)
    } catch (problem) {
      if (problem instanceof DecodeError) return refusal("Error_Invalid_Message", problem.message)
      throw problem
    }
  }

  /** The fingerprint of the value's signer; undefined for a copy that nobody needs any more. */
  #permitted(data: StoredData): string | StorageRefusal | undefined {
    const { requestSigner, certificates, mode, now, signedHere } = this.#context
    const { resource } = this.#request
    const { hash, signature } = data.signature.algorithm
    const unsigned = hash === 0 && signature === 0
    if (unsigned) return refusal("Error_Forbidden", "a value comes without signature")
    const signer = signedHere
      ? requestSigner
      : verifyValue(this.#view.cryptography, { resource, kind: this.#data.kind, data, certificates })
    if ("refused" in signer) return refusal("Error_Forbidden", signer.refused)
    // Copies outlive the certificate, since it is the readers who have to notice. §7.1.
    const at = mode === "responsible" ? now : earliest(now, signer.notAfter)
    const distrust = signedHere ? undefined : this.#view.judge(signer, at)
    if (distrust !== undefined && mode !== "responsible") return undefined
    if (distrust !== undefined) return refusal("Error_Forbidden", distrust)
    const attempt = { definition: this.#definition, resource, value: data.value }
    const forbidden =
      forbids(this.#view.cryptography, { ...attempt, signer }) ??
      (mode === "responsible" && signer !== requestSigner
        ? forbids(this.#view.cryptography, { ...attempt, signer: requestSigner })
        : undefined)
    return forbidden === undefined ? signer.fingerprint : refusal("Error_Forbidden", forbidden)
  }

  #counterProblem(): StorageRefusal | undefined {
    const { generation } = this.#data
    const current = this.#record?.generation ?? 0
    if (this.#context.mode !== "responsible")
      return generation > 0 && generation <= GREATEST_GENERATION
        ? undefined
        : refusal("Error_Invalid_Message", `a copy has the generation counter ${generation}`)
    if (generation === 0 || generation === current) return undefined
    return refusal(
      "Error_Generation_Counter_Too_Low",
      `the generation counter is ${current}, not ${generation}`,
      this.#currentCounters(),
    )
  }

  /** A StoreAns with the right counters and no replicas. §7.4.1.2. */
  #currentCounters(): Uint8Array {
    const kinds = this.#request.kinds.map(({ kind }) => ({
      kind,
      generation: this.#view.record(this.#request.resource, kind)?.generation ?? 0,
      replicas: [],
    }))
    return encode(StoreAns, { kinds })
  }

  #placeAll(
    values: readonly { readonly data: StoredData; readonly signer: string }[],
  ): StorageRefusal | undefined {
    for (const { data, signer } of values) {
      const problem = this.#shapeProblem(data) ?? this.#place(data, signer)
      if (problem) return problem
    }
    return undefined
  }

  #shapeProblem({ value }: StoredData): StorageRefusal | undefined {
    const { name, maxSize } = this.#definition
    if (!value.exists && value.value.length > 0)
      return refusal("Error_Invalid_Message", "a value that does not exist has bytes")
    if (value.value.length > maxSize)
      return refusal(
        "Error_Data_Too_Large",
        `${value.value.length} bytes are too many for ${name}: ${maxSize}`,
      )
    return undefined
  }

  #place(data: StoredData, signer: string): StorageRefusal | undefined {
    const { mode, now } = this.#context
    const held = holdValue({ ...data, value: this.#indexed(data.value) }, signer, now)
    const present = this.#placed.get(held.slot) ?? valueIn(this.#record, held.slot, now)
    this.#slots.add(held.slot)
    if (present && isSameValue(held, present)) return undefined
    if (mode !== "responsible") {
      if (held.expiresAt > now && (!present || supersedes(held, present))) this.#placed.set(held.slot, held)
      return undefined
    }
    if (present && held.storageTime <= present.storageTime)
      return refusal(
        "Error_Data_Too_Old",
        `stored at ${held.storageTime}, and ours at ${present.storageTime}`,
      )
    this.#placed.set(held.slot, held)
    return undefined
  }

  #indexed(value: StoredData["value"]): StoredData["value"] {
    if (value.model !== "array" || value.index !== APPEND) return value
    const taken = livingValues(this.#record, this.#context.now).map(({ slot }) => Number(slot))
    return { ...value, index: Math.max(-1, ...taken, ...[...this.#placed.keys()].map(Number)) + 1 }
  }

  /** Copies may come to more than a record may hold, when two rings meet; but not to any number. */
  #amountProblem(): StorageRefusal | undefined {
    const { name, maxCount, model } = this.#definition
    const beyond = model === "array" && [...this.#placed.keys()].some((index) => Number(index) >= maxCount)
    const most = this.#placed.size + (this.#record?.size ?? 0)
    if (!beyond && most <= maxCount) return undefined // Counting would take time in a long record.
    const result = new Map(livingValues(this.#record, this.#context.now).map((held) => [held.slot, held]))
    for (const [slot, held] of this.#placed) result.set(slot, held)
    const existing = [...result.values()].filter(({ exists }) => exists).length
    const tooMany = this.#context.mode === "responsible" && existing > maxCount
    if (tooMany || beyond || result.size > maxCount + LIMITS.reload.removalsInRecord)
      return refusal("Error_Data_Too_Large", `a record holds ${maxCount} values of ${name} at most`)
    return undefined
  }
}
