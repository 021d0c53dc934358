import type { NodeId } from "../identity/node-id.ts"
import { concat } from "../kit/bytes.ts"
import { after, type Instant, milliseconds, NO_TIME, seconds } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import {
  type FetchAns,
  type FetchReq,
  type KindId,
  storedData,
  storedDataList,
} from "../reload/stored-data.ts"
import { type FetchOutcome, refusal } from "../storage/outcome.ts"
import type { LivingValues } from "../storage/storage.ts"
import { toNumber, toPoint } from "../topology/chord/circle.ts"
import { gapsOfExcursion } from "../topology/chord/detours.ts"
import { decodeViews, encode } from "../wire/codec.ts"
import { DecodeError } from "../wire/decode-error.ts"
import type { Fabric } from "./fabric.ts"
import type { Failure, QueryPath } from "./interface.ts"
import type { LinkPool } from "./link-pool.ts"
import type { Received } from "./messenger.ts"
import type { Newcomers } from "./newcomers.ts"
import { COPIES } from "./placement.ts"
import type { Records } from "./records.ts"
import type { Repair } from "./repair.ts"
import type { Reply, Requests } from "./requests.ts"
import type { Appointment } from "./schedule.ts"

/** A peer whose share has changed asks the former holders for so long before it says that there is no more. */
const UNSURE = seconds(10)
/** What they are given to answer. */
const SECOND_OPINION = milliseconds(1_000)
/** An unanswered read is put to another holder. */
const HEDGE = milliseconds(250)
/**
 * Where answers are slow because everybody has too much to do, more questions make them slower. So of ten reads one is put to
 * others, and so many more in one go; all of them where the link has been silent so long that the peer is dead, or as good as that.
 */
const READS_FOR_HEDGE = 10
const HEDGES_AT_ONCE = 50
const SILENT = seconds(1)
/** In a wide ring, where an answer has more hops to come and the holders are not known: how soon, and how often. */
const WIDE_HEDGE = seconds(1)
const WIDE_HEDGES_APART = milliseconds(500)
const WIDE_PATIENCE = seconds(3)
/** Too few of those who may have it have answered. Whoever asks, asks again. */
const UNKNOWN = refusal("Error_Not_Found", "the record is not here, and its other holders do not answer")
/** Nobody waits longer for a read. */
const GIVEN_UP = seconds(15)

/** An answer to a Fetch, and with which certificates its values are to be verified. */
export interface FetchResult {
  readonly kind: "found"
  /** Of one holder; or of several, to be merged. */
  readonly answers: readonly {
    readonly answer: FetchAns
    /** Of another node: then its values are to be verified. Ours are. */
    readonly received: Received | undefined
  }[]
  readonly path: QueryPath
}

type Done = (result: FetchResult | Failure) => void

interface Read {
  readonly request: FetchReq
  readonly askedAt: Instant
  readonly done: Done
  isDone: boolean
  /** When it is put to other holders. */
  hedge: Appointment | undefined
  /** Other holders that are asked, and what they said. */
  hedges: number
  readonly hedged: Set<NodeId>
  readonly opinions: { readonly answer: FetchAns; readonly received: Received | undefined }[]
  /** How often it was put, and how often to a place further on: each time another way is taken. */
  attempts: number
  excursions: number
}

/** Reads of records: our own, and those that others put to us. RFC 6940 §7.4.2. */
export class Reads {
  readonly #fabric: Fabric
  readonly #links: LinkPool
  readonly #requests: Requests
  readonly #records: Records
  readonly #repair: Repair
  readonly #newcomers: Newcomers
  /** Since and until when the ring has been changing. */
  #unsureFrom = 0 as Instant
  #unsureUntil = 0 as Instant
  /** How many reads may be put to others before their peer is as good as dead. */
  #spare = HEDGES_AT_ONCE

  constructor(
    fabric: Fabric,
    links: LinkPool,
    requests: Requests,
    records: Records,
    repair: Repair,
    newcomers: Newcomers,
  ) {
    this.#fabric = fabric
    this.#links = links
    this.#requests = requests
    this.#records = records
    this.#repair = repair
    this.#newcomers = newcomers
  }

  shareChanged(): void {
    const { now } = this.#fabric
    if (now >= this.#unsureUntil) this.#unsureFrom = now
    this.#unsureUntil = after(now, UNSURE)
  }

  /**
   * What we hold, for a request that is for us. As the responsible peer we ask around before we say "none", and say
   * so only where two others have nothing either: who does not answer may have it.
   */
  hold(request: FetchReq, done: (outcome: FetchOutcome) => void): void {
    const { storage, isPeer, topology, self, now } = this.#fabric
    const answer = () => done(storage.fetch(request, this.#fabric.now))
    const others = topology.holders(request.resource, COPIES + 1).filter((node) => node !== self)
    const isUnsure = isPeer && now < this.#unsureUntil && others.length > 0
    if (this.#isWhole(request.resource)) return answer()
    // All who held it have just gone, or we have been cut off from them: what do we know?
    if (this.#newcomers.oldHolders(request.resource).length === 0) return done(UNKNOWN)
    if (!isUnsure) return answer()
    if (topology.responsible(request.resource) !== self) return answer()
    let left = others.length
    let nones = 0
    const conclude = () => (nones >= Math.min(others.length, COPIES - 1) ? answer() : done(UNKNOWN))
    for (const node of others)
      this.#requests.ask({
        to: { kind: "node", node },
        body: { kind: "fetch-req", ...request },
        patience: SECOND_OPINION,
        done: (reply) => {
          const isFound = this.#adopt(request.resource, reply)
          if (left <= 0) return
          if (isFound) {
            left = 0
            return answer()
          }
          if (reply.kind === "answered") nones++
          if (--left === 0) conclude()
        },
      })
  }

  /**
   * Whether we hold all there is of a record, as far as it can be known. What has begun to come since the ring began
   * to change may be a part: one value that was written, or the Kind that was asked for.
   */
  #isWhole(resource: ResourceId): boolean {
    const since = this.#records.heldSince(resource)
    return since !== undefined && (since < this.#unsureFrom || this.#fabric.now >= after(since, UNSURE))
  }

  /** What a read of ours would be answered with at once, since nobody else has to be asked; undefined where somebody has. */
  heldHere(resource: ResourceId, kind: KindId, now: Instant): LivingValues | undefined {
    const { isPeer, topology, self, storage } = this.#fabric
    if (!isPeer || topology.responsible(resource) !== self || !this.#isWhole(resource)) return undefined
    return storage.living(resource, kind, now)
  }

  /** Reads for ourselves. */
  read(request: FetchReq, done: Done): void {
    const read: Read = {
      request,
      askedAt: this.#fabric.now,
      done,
      isDone: false,
      hedge: undefined,
      hedges: 0,
      hedged: new Set(),
      opinions: [],
      attempts: 0,
      excursions: 0,
    }
    this.#attempt(read)
    if (!read.isDone) this.#fabric.in(WIDE_HEDGE, () => this.#askFurther(read))
  }

  #attempt(read: Read): void {
    const { isPeer, topology, self } = this.#fabric
    if (read.isDone) return
    if (isPeer && topology.responsible(read.request.resource) === self)
      return this.hold(read.request, (outcome) => {
        if (outcome === UNKNOWN) return this.#tryAgain(read, UNKNOWN.cause)
        if (outcome.kind === "refused")
          return this.#finish(read, { kind: "failed", error: outcome.error, cause: outcome.cause })
        const path = { responder: self, hops: 0, took: this.#took(read) }
        const answers = [{ answer: outcome.answer, received: undefined }]
        this.#finish(read, { kind: "found", answers, path })
      })
    const { resource } = read.request
    this.#hedgeLater(read)
    this.#requests.ask({
      to: { kind: "resource", resource, tried: read.attempts++ },
      body: { kind: "fetch-req", ...read.request },
      done: (reply) => {
        this.#fabric.schedule.cancel(read.hedge)
        this.#replied(read, reply)
      },
    })
  }

  #replied(read: Read, reply: Reply): void {
    if (read.isDone) return
    switch (reply.kind) {
      case "answered": {
        const { body, node } = reply.received
        if (body.kind !== "fetch-ans")
          return this.#tryAgain(read, `${node} answers a Fetch with ${body.kind}`)
        const path = { responder: node, hops: reply.hops, took: this.#took(read) }
        const answers = [{ answer: body, received: reply.received }]
        return this.#finish(read, { kind: "found", answers, path })
      }
      case "refused":
        if (reply.error === "Error_Not_Found" || reply.error === "Error_TTL_Exceeded")
          return this.#tryAgain(read, reply.cause)
        return this.#finish(read, { kind: "failed", error: reply.error, cause: reply.cause })
      case "ours":
        return this.#attempt(read)
      case "lost":
        return this.#tryAgain(read, reply.cause)
    }
  }

  /** The ring is about to change: in a moment another peer is responsible. */
  #tryAgain(read: Read, cause: string): void {
    if (this.#fabric.now >= after(read.askedAt, GIVEN_UP))
      return this.#finish(read, { kind: "failed", error: "Error_Request_Timeout", cause })
    this.#fabric.in(HEDGE, () => this.#attempt(read))
  }

  #hedgeLater(read: Read): void {
    this.#fabric.schedule.cancel(read.hedge)
    read.hedge = this.#fabric.in(HEDGE, () => this.#hedge(read))
  }

  /**
   * Puts the question to the other holders as well. One of them may lack the last write, never two: so their
   * answers count together, or beside that of a holder that is us. Asked are those that are holders now and were
   * before the ring last changed: who has only just come may not have been given the record yet, and who was a
   * holder has let go of it; two of either would agree on "none".
   */
  #hedge(read: Read): void {
    const { topology, storage, self, now } = this.#fabric
    const { resource } = read.request
    if (read.isDone || !topology.knowsHolders(resource, COPIES)) return
    const [, ...copies] = topology.holders(resource, COPIES)
    const old = this.#newcomers.oldHolders(resource)
    const others = copies.filter((node) => old.includes(node) && !read.hedged.has(node))
    const isToWait =
      others.length > 0 && !this.#takeSpare() && !this.#isSilent(topology.responsible(resource))
    if (isToWait) return this.#hedgeLater(read)
    for (const node of others) {
      read.hedged.add(node)
      if (node === self) {
        const outcome = storage.fetch(read.request, now)
        if (outcome.kind === "found") read.opinions.push({ answer: outcome.answer, received: undefined })
        continue
      }
      read.hedges++
      this.#requests.ask({
        to: { kind: "node", node },
        body: { kind: "fetch-req", ...read.request },
        patience: SECOND_OPINION,
        done: (reply) => {
          read.hedges--
          if (reply.kind === "answered" && reply.received.body.kind === "fetch-ans")
            read.opinions.push({ answer: reply.received.body, received: reply.received })
          this.#weigh(read)
        },
      })
    }
    this.#weigh(read)
  }

  /** It has let a question wait, and nothing else has come from it in the meantime. */
  #isSilent(node: NodeId): boolean {
    const link = this.#links.to(node)
    if (link === undefined) return true
    const { now } = this.#fabric
    return after(link.framing.waitingSince, SILENT) <= now && after(link.heard, SILENT) <= now
  }

  #takeSpare(): boolean {
    if (this.#spare < 1) return false
    this.#spare--
    return true
  }

  /**
   * The same where the holders are not known, in a wide ring: the question goes to a place a little further on. Whoever is
   * responsible there is one of the holders, perhaps, and the way there passes over other peers in the end. That it has nothing
   * means nothing; what two say counts as above.
   */
  #askFurther(read: Read): void {
    const { topology, now } = this.#fabric
    if (read.isDone || now >= after(read.askedAt, GIVEN_UP)) return
    this.#fabric.in(WIDE_HEDGES_APART, () => this.#askFurther(read))
    if (topology.knowsHolders(read.request.resource, COPIES)) return
    const known = read.opinions[0]?.received?.node
    const count = read.excursions++
    // One holder has answered: behind it stands another, perhaps; or it is the last, and others stand before it.
    const resource =
      known !== undefined && count % 2 === 0
        ? toPoint(toNumber(known) + 1n)
        : topology.beyond(read.request.resource, gapsOfExcursion(count))
    this.#requests.ask({
      to: { kind: "resource", resource, tried: read.excursions },
      body: { kind: "fetch-req", ...read.request },
      patience: WIDE_PATIENCE,
      done: (reply) => {
        if (read.isDone || reply.kind !== "answered" || reply.received.body.kind !== "fetch-ans") return
        const { received } = reply
        const isKnown = read.opinions.some((opinion) => opinion.received?.node === received.node)
        if (isKnown || this.#signed(reply.received.body).length === 0) return
        read.opinions.push({ answer: reply.received.body, received })
        this.#weigh(read)
      },
    })
  }

  #weigh(read: Read): void {
    if (read.isDone || read.hedges > 0 || read.opinions.length < COPIES - 1) return
    const responder = read.opinions.find(({ received }) => received)?.received?.node ?? this.#fabric.self
    const path = { responder, hops: 1, took: this.#took(read) }
    this.#finish(read, { kind: "found", answers: read.opinions, path })
  }

  #finish(read: Read, result: FetchResult | Failure): void {
    if (read.isDone) return
    read.isDone = true
    this.#spare = Math.min(HEDGES_AT_ONCE, this.#spare + 1 / READS_FOR_HEDGE)
    read.done(result)
  }

  /** Takes over what a former holder has of a record that has become ours. */
  #adopt(resource: ResourceId, reply: Reply): boolean {
    if (reply.kind !== "answered" || reply.received.body.kind !== "fetch-ans") return false
    const { received } = reply
    const { storage, now } = this.#fabric
    const kinds = received.body.kind === "fetch-ans" ? this.#signed(received.body) : []
    if (kinds.length === 0) return false
    const outcome = storage.store(
      { resource, replicaNumber: 1, kinds },
      { requestSigner: received.signer, certificates: received.certificates(), mode: "replica", now },
    )
    if (outcome.kind === "refused" || outcome.changes.length === 0) return outcome.kind === "accepted"
    this.#records.changed(resource)
    this.#repair.look(resource)
    this.#fabric.persist(outcome.changes, () => undefined)
    return true
  }

  /** The values of an answer without those that only say that there is none. */
  #signed(answer: FetchAns): FetchAns["kinds"] {
    try {
      return answer.kinds
        .map((data) => {
          const model = this.#fabric.kinds.get(data.kind)?.model
          if (model === undefined) return { ...data, values: new Uint8Array() }
          const values = decodeViews(storedDataList(model), data.values, "values").filter(
            ({ signature }) => signature.identity.kind !== "none",
          )
          return { ...data, values: concat(...values.map((each) => encode(storedData(model), each))) }
        })
        .filter(({ values, generation }) => values.length > 0 && generation > 0)
    } catch (problem) {
      if (problem instanceof DecodeError) return []
      throw problem
    }
  }

  #took(read: Read) {
    return (NO_TIME + this.#fabric.now - read.askedAt) as typeof NO_TIME
  }
}
