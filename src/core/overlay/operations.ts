import { LIMITS } from "../kit/limits.ts"
import { after, type Duration, type Instant, milliseconds, seconds } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import type { MessageBody } from "../reload/message.ts"
import { signValue } from "../reload/signing.ts"
import { type StoreKindData, type StoreReq, storedDataList } from "../reload/stored-data.ts"
import { encode } from "../wire/codec.ts"
import { DecodeError } from "../wire/decode-error.ts"
import { addressOf, candidatesOf } from "./candidates.ts"
import type { Fabric } from "./fabric.ts"
import type { Failure, OverlayEffect, OverlayInput, Ticket, ValueToStore } from "./interface.ts"
import type { Reads } from "./reads.ts"
import type { Reply, Requests, Target } from "./requests.ts"
import { metaDataOf, requestFor, verifiedValues } from "./values.ts"
import type { Writes } from "./writes.ts"

type Input<Kind extends OverlayInput["kind"]> = Extract<OverlayInput, { kind: Kind }>
type Stored = Extract<OverlayEffect, { kind: "stored" }>["result"]

/** Nobody waits longer. */
const GIVEN_UP = seconds(15)
/** How soon a question is put again that the ring, being about to change, could not answer. */
const AGAIN = milliseconds(250)

/** What this node itself wants of the fabric. Every question gets one answer. */
export class Operations {
  readonly #fabric: Fabric
  readonly #requests: Requests
  readonly #reads: Reads
  readonly #writes: Writes
  /**
   * Each write of a record has to be newer than the one before, also within a millisecond, and where the clock has been set back. Times given
   * to records since the clock passed the last of those before; the latest of them; and the latest of those that are forgotten.
   */
  readonly #storageTimes = new Map<ResourceId, number>()
  #latestTime = 0
  #forgottenTime = 0

  constructor(fabric: Fabric, requests: Requests, reads: Reads, writes: Writes) {
    this.#fabric = fabric
    this.#requests = requests
    this.#reads = reads
    this.#writes = writes
  }

  fetch({ ticket, resource, wanted }: Input<"fetch">): void {
    this.#reads.read(requestFor(resource, wanted), (result) => {
      const answer = result.kind === "failed" ? result : this.#verified(resource, result)
      this.#fabric.emit({ kind: "fetched", ticket, result: answer })
    })
  }

  stat({ ticket, resource, wanted }: Input<"stat">): void {
    const { fabric, done } = this.#question("stat-answered", ticket)
    const body = { kind: "stat-req", ...requestFor(resource, wanted) } as const
    this.#untilAnswered({ kind: "resource", resource }, body, (reply) => {
      if (reply.kind === "ours") {
        const outcome = fabric.storage.stat(body, fabric.now)
        if (outcome.kind === "refused") return done(failed(outcome.error, outcome.cause))
        const path = { responder: fabric.self, hops: 0, took: milliseconds(0) }
        return done({ kind: "found", values: metaDataOf(fabric, outcome.answer.kinds), path })
      }
      if (reply.kind !== "answered") return done(failureOf(reply))
      const { body: answer, node } = reply.received
      if (answer.kind !== "stat-ans") return done(unexpected(reply))
      const path = { responder: node, hops: reply.hops, took: reply.took }
      done(decoding(() => ({ kind: "found", values: metaDataOf(fabric, answer.kinds), path })))
    })
  }

  store({ ticket, resource, values }: Input<"store">): void {
    const done = (result: Stored) => this.#fabric.emit({ kind: "stored", ticket, result })
    this.#store(resource, values, this.#storageTime(resource), (result) => {
      const isBehind = result.kind === "failed" && result.error === "Error_Data_Too_Old"
      if (isBehind) this.#storeLater(resource, values, result, done)
      else done(result)
    })
  }

  appAttach({ ticket, node, application }: Input<"app-attach">): void {
    const { fabric, done } = this.#question("app-attached", ticket)
    if (node === fabric.self) {
      const address = fabric.settings.applications.get(application)
      return done(address ? { kind: "found", address } : failed("Error_Not_Found", "we do not serve that"))
    }
    const candidates = candidatesOf(fabric.settings.advertised)
    const body = {
      kind: "app-attach-req",
      ufrag: "",
      password: "",
      application,
      role: "passive",
      candidates,
    } as const
    this.#untilAnswered({ kind: "node", node }, body, (reply) => {
      if (reply.kind !== "answered") return done(failureOf(reply))
      const { body: answer } = reply.received
      const address = answer.kind === "app-attach-ans" ? addressOf(answer.candidates) : undefined
      done(address ? { kind: "found", address } : unexpected(reply))
    })
  }

  ping({ ticket, node }: Input<"ping">): void {
    const { fabric, done } = this.#question("pinged", ticket)
    if (node === fabric.self)
      return done({ kind: "alive", roundTrip: milliseconds(0), clock: Math.floor(fabric.now) })
    const body = { kind: "ping-req", padding: new Uint8Array() } as const
    this.#requests.ask({
      to: { kind: "node", node },
      body,
      done: (reply) => {
        if (reply.kind !== "answered") return done(failureOf(reply))
        const { body: answer } = reply.received
        if (answer.kind !== "ping-ans") return done(unexpected(reply))
        done({ kind: "alive", roundTrip: reply.took, clock: answer.time })
      },
    })
  }

  #verified(
    resource: ResourceId,
    { answers, path }: Extract<Parameters<Parameters<Reads["read"]>[1]>[0], { kind: "found" }>,
  ) {
    return decoding(() => ({
      kind: "found" as const,
      values: verifiedValues(this.#fabric, resource, answers),
      path,
    }))
  }

  #store(
    resource: ResourceId,
    values: readonly ValueToStore[],
    storageTime: number,
    done: (result: Stored) => void,
  ): void {
    const { fabric, askedAt } = { fabric: this.#fabric, askedAt: this.#fabric.now }
    const request = this.#signed(resource, values, storageTime)
    this.#untilAnswered({ kind: "resource", resource }, { kind: "store-req", ...request }, (reply) => {
      if (reply.kind === "ours") return this.#storeHere(request, askedAt, done)
      if (reply.kind !== "answered") return done(failureOf(reply))
      const { body: answer, node } = reply.received
      if (answer.kind !== "store-ans") return done(unexpected(reply))
      const copies = 1 + Math.min(...answer.kinds.map(({ replicas }) => replicas.length))
      const took = (fabric.now - askedAt) as Duration
      done({ kind: "stored", copies, path: { responder: node, hops: reply.hops, took } })
    })
  }

  #storeHere(request: StoreReq, askedAt: Instant, done: (result: Stored) => void): void {
    const { certificate } = this.#fabric.identity
    const certificates = new Map([[certificate.fingerprint, certificate]])
    const context = { requestSigner: certificate, certificates, signedHere: true }
    this.#writes.accept(request, context, (result) => {
      if (result.kind === "refused") return done(failed(result.error, result.cause))
      const took = (this.#fabric.now - askedAt) as Duration
      const path = { responder: this.#fabric.self, hops: 0, took }
      done({ kind: "stored", copies: result.holders.length, path })
    })
  }

  /** What is there bears a later time than our clock: a clock of another node is ahead. Ours must still win. */
  #storeLater(
    resource: ResourceId,
    values: readonly ValueToStore[],
    refused: Failure,
    done: (result: Stored) => void,
  ): void {
    const kinds = [...new Set(values.map(({ kind }) => kind))]
    this.#reads.read(
      requestFor(
        resource,
        kinds.map((kind) => ({ kind })),
      ),
      (result) => {
        const found = result.kind === "found" ? this.#verified(resource, result) : result
        if (found.kind === "failed") return done(refused)
        const times = [...found.values.values()].flat().map(({ data }) => data.storageTime)
        this.#store(
          resource,
          values,
          Math.max(this.#storageTime(resource), ...times.map((time) => time + 1)),
          done,
        )
      },
    )
  }

  #signed(resource: ResourceId, values: readonly ValueToStore[], storageTime: number): StoreReq {
    const { valueSigner } = this.#fabric
    const byKind = Map.groupBy(values, ({ kind }) => kind)
    const kinds = Array.from(byKind, ([kind, group]): StoreKindData => {
      const { model } = group[0]!.value
      const signed = group.map(({ value, lifetime }) =>
        signValue(valueSigner, { resource, kind, storageTime, lifetime, value }),
      )
      return { kind, generation: 0, values: encode(storedDataList(model), signed) }
    })
    return { resource, replicaNumber: 0, kinds }
  }

  #storageTime(resource: ResourceId): number {
    const now = Math.floor(this.#fabric.now)
    if (now > this.#latestTime || this.#storageTimes.size >= LIMITS.reload.pendingRequests) {
      this.#forgottenTime = this.#latestTime
      this.#storageTimes.clear()
    }
    const time = Math.max(now, 1 + (this.#storageTimes.get(resource) ?? this.#forgottenTime))
    this.#storageTimes.set(resource, time)
    this.#latestTime = Math.max(this.#latestTime, time)
    return time
  }

  /** Asks again while the ring is about to change, and an answer can be hoped for. */
  #untilAnswered(to: Target, body: MessageBody, done: (reply: Reply) => void): void {
    const until = after(this.#fabric.now, GIVEN_UP)
    const ask = (): void => {
      const patience = Math.max(1, until - this.#fabric.now) as Duration
      this.#requests.ask({
        to,
        body,
        patience,
        done: (reply) => {
          const isPassing =
            reply.kind === "lost" ||
            (reply.kind === "refused" && to.kind === "resource" && reply.error === "Error_Not_Found")
          if (!isPassing || after(this.#fabric.now, AGAIN) >= until) return done(reply)
          this.#fabric.in(AGAIN, ask)
        },
      })
    }
    ask()
  }

  #question<Kind extends "stat-answered" | "app-attached" | "pinged">(kind: Kind, ticket: Ticket) {
    type Effect = Extract<OverlayEffect, { kind: Kind }>
    const fabric = this.#fabric
    const done = (result: Effect["result"]) => fabric.emit({ kind, ticket, result } as Effect)
    return { fabric, done }
  }
}

const failed = (error: Failure["error"], cause: string): Failure => ({ kind: "failed", error, cause })

function failureOf(reply: Exclude<Reply, { kind: "answered" }>): Failure {
  if (reply.kind === "refused") return failed(reply.error, reply.cause)
  return failed("Error_Request_Timeout", reply.kind === "lost" ? reply.cause : "there is nobody else to ask")
}

const unexpected = ({ received }: Extract<Reply, { kind: "answered" }>): Failure =>
  failed("Error_Invalid_Message", `${received.node} answers with ${received.body.kind}, which does not fit`)

/** What came in may still be nonsense. */
function decoding<T>(read: () => T): T | Failure {
  try {
    return read()
  } catch (problem) {
    if (problem instanceof DecodeError) return failed("Error_Invalid_Message", problem.message)
    throw problem
  }
}
