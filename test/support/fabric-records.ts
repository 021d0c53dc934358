// The overlay as those who ask it see it, with a Map for all its peers: what is stored is found, at once.

import { FakeCryptography, fakeAuthority } from "../../src/core/identity/fake-cryptography.ts"
import { type NodeId, parseNodeId } from "../../src/core/identity/node-id.ts"
import { toHex } from "../../src/core/kit/hex.ts"
import { Interned } from "../../src/core/kit/interned.ts"
import { type Instant, milliseconds } from "../../src/core/kit/time.ts"
import type { Failure, QueryPath, ValueToStore, VerifiedValue } from "../../src/core/overlay/interface.ts"
import type { ResourceId } from "../../src/core/reload/header.ts"
import { resourceIdOf } from "../../src/core/reload/message.ts"
import { NO_SIGNATURE } from "../../src/core/reload/security.ts"
import type { StoredValue } from "../../src/core/reload/stored-data.ts"
import type { HeldValue } from "../../src/core/storage/held-value.ts"
import type { LivingValues } from "../../src/core/storage/storage.ts"
import type { OverlayAnswer, OverlayQuestion } from "../../src/core/usage/fabric-stores.ts"
import { openSslHashes } from "./hashes.ts"

export const NOW = 1_700_000_000_000 as Instant

/** Node-IDs `…01`, `…02`, `…03`. */
export const NODES = ["01", "02", "03"].map((end) => parseNodeId(end.padStart(32, "0"))) as [
  NodeId,
  NodeId,
  NodeId,
]

export const cryptography = new FakeCryptography(openSslHashes)

const { certificate: signer } = fakeAuthority(cryptography, { overlay: "example.org", seed: 1 }).issue({
  nodeId: NODES[0],
})

export const PATH: QueryPath = { responder: NODES[0], hops: 1, took: milliseconds(3) }

export const NO_ANSWER: Failure = {
  kind: "failed",
  error: "Error_Request_Timeout",
  cause: "no holder answered within 3 s",
}

export const isQuestion = <Effect extends { readonly kind: string }>(
  effect: Effect,
): effect is Extract<Effect, OverlayQuestion> => effect.kind === "fetch" || effect.kind === "store"

export class FabricRecords {
  /** By Resource-ID and Kind, then by key. */
  readonly #records = new Map<string, Map<string, ValueToStore>>()

  resourceId(name: string | Uint8Array): ResourceId {
    return resourceIdOf(openSslHashes, name)
  }

  /** By Kind and Resource-ID: what this node has to answer for. */
  readonly held = new Map<string, readonly HeldValue[]>()

  readonly #values = new Interned<HeldValue>()
  readonly #stamps = new Interned<string>()

  heldHere(resource: ResourceId, kind: number): LivingValues | undefined {
    const values = this.held.get(`${kind} ${resource}`)
    if (values === undefined) return undefined
    const stamp = this.#stamps.numberOf(values.map((each) => this.#values.numberOf(each)).join())
    return { stamp, read: () => values }
  }

  holders(): readonly NodeId[] {
    return NODES
  }

  /** All that was ever stored of a Kind under that name, removals included. */
  valuesOf(name: string, kind: number): readonly ValueToStore[] {
    return [...(this.#records.get(`${this.resourceId(name)} ${kind}`)?.values() ?? [])]
  }

  put(name: string, value: ValueToStore): void {
    this.#put(this.resourceId(name), value)
  }

  answer(question: OverlayQuestion): OverlayAnswer {
    const { ticket, resource } = question
    if (question.kind === "store") {
      for (const value of question.values) this.#put(resource, value)
      return { kind: "stored", ticket, result: { kind: "stored", copies: 3, path: PATH } }
    }
    const values = new Map(
      question.wanted.map(({ kind }) => {
        const record = this.#records.get(`${resource} ${kind}`)
        return [kind, [...(record?.values() ?? [])].map(({ value }) => verified(value))]
      }),
    )
    return { kind: "fetched", ticket, result: { kind: "found", values, path: PATH } }
  }

  #put(resource: ResourceId, value: ValueToStore): void {
    const name = `${resource} ${value.kind}`
    const record = this.#records.get(name) ?? new Map<string, ValueToStore>()
    record.set(value.value.model === "dictionary" ? toHex(value.value.key) : "", value)
    this.#records.set(name, record)
  }
}

/** As if somebody had checked it. */
export const verified = (value: StoredValue): VerifiedValue => ({
  data: { storageTime: NOW, lifetime: 3_600, value, signature: NO_SIGNATURE },
  signer,
})
