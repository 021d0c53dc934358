import type { NodeId } from "../identity/node-id.ts"
import type { Address } from "../kit/address.ts"
import { randomBytes } from "../kit/bytes.ts"
import { ChordLeaveData, type LeaveReq, ProbeInformationType } from "../reload/overlay-methods.ts"
import type { FetchReq, StoreReq } from "../reload/stored-data.ts"
import { shareOf } from "../topology/chord/circle.ts"
import { uptime } from "../topology/chord/machine.ts"
import { decode, encode, u32 } from "../wire/codec.ts"
import { DecodeError } from "../wire/decode-error.ts"
import type { Admission } from "./admission.ts"
import type { Answers } from "./answers.ts"
import type { Attaching } from "./attaching.ts"
import { candidatesOf } from "./candidates.ts"
import type { ConfigurationUpdates } from "./configuration-updates.ts"
import type { Copies } from "./copies.ts"
import type { Fabric } from "./fabric.ts"
import type { Received } from "./messenger.ts"
import type { Reads } from "./reads.ts"
import type { Writes } from "./writes.ts"

/** Who answers what. */
export interface Departments {
  readonly fabric: Fabric
  readonly answers: Answers
  readonly attaching: Attaching
  readonly admission: Admission
  readonly configurationUpdates: ConfigurationUpdates
  readonly copies: Copies
  readonly reads: Reads
  readonly writes: Writes
  /** An Update of a peer. */
  updated(request: Received): void
  /** A peer takes its leave, and names those it knew. */
  left(peer: NodeId, named: readonly NodeId[]): void
  /** A node joins: if we take it for a peer, we are wrong. */
  begins(peer: NodeId): void
  /** Send our Update to that node. */
  updateWanted(peer: NodeId): void
}

/** Answers the requests of other nodes, each by its method. RFC 6940 §6.4, §6.5, §7.4. */
export class Methods {
  readonly #to: Departments

  constructor(departments: Departments) {
    this.#to = departments
  }

  requested(request: Received): void {
    if (!this.#to.answers.isNew(request)) return
    const { answers, attaching, admission } = this.#to
    const { body } = request
    switch (body.kind) {
      case "ping-req":
        return this.#ping(request)
      case "attach-req":
        return attaching.requested(request, body)
      case "app-attach-req":
        return this.#appAttach(request, body.application)
      case "join-req":
        return admission.requested(request, body, () => this.#to.begins(body.joiningPeer))
      case "leave-req":
        return this.#leave(request, body)
      case "update-req":
        answers.answer(request, { kind: "update-ans" })
        return this.#to.updated(request)
      case "store-req":
        return this.#store(request, body)
      case "fetch-req":
        return this.#fetch(request, body)
      case "stat-req":
        return this.#stat(request, body)
      case "find-req":
        return this.#find(request)
      case "probe-req":
        return this.#probe(request, body.requested)
      case "config-update-req":
        return this.#to.configurationUpdates.requested(request, body)
      case "route-query-req":
        return this.#routeQuery(request)
      default:
        return answers.refuse(request, "Error_Invalid_Message", `${body.kind} is no method that we serve`)
    }
  }

  #ping(request: Received): void {
    const { random } = this.#to.fabric.settings
    const responseId = randomBytes(random, 8)
    this.#to.answers.answer(request, { kind: "ping-ans", responseId, time: Math.floor(this.#to.fabric.now) })
  }

  #appAttach(request: Received, application: number): void {
    const address: Address | undefined = this.#to.fabric.settings.applications.get(application)
    if (address === undefined)
      return this.#to.answers.refuse(request, "Error_Not_Found", `we serve no application ${application}`)
    const candidates = candidatesOf(address)
    const body = {
      kind: "app-attach-ans",
      ufrag: "",
      password: "",
      application,
      role: "active",
      candidates,
    } as const
    this.#to.answers.answer(request, body)
  }

  #leave(request: Received, { leavingPeer, overlaySpecific }: LeaveReq): void {
    const { answers } = this.#to
    if (leavingPeer !== request.node || leavingPeer !== request.link.node || request.header.via.length > 0)
      return answers.refuse(request, "Error_Forbidden", "a node leaves by itself, over its own link")
    answers.answer(request, { kind: "leave-ans" })
    this.#to.left(leavingPeer, namedIn(overlaySpecific))
  }

  #store(request: Received, body: StoreReq): void {
    const { answers, copies, writes } = this.#to
    if (body.replicaNumber > 0) return copies.received(request, body)
    if (!this.#isOurs(body.resource))
      return answers.refuse(request, "Error_Forbidden", "we are not responsible for that Resource-ID")
    const certificates = request.certificates()
    writes.accept(body, { requestSigner: request.signer, certificates }, (result) => {
      if (result.kind === "refused") return answers.refuse(request, result.error, result.cause, result.info)
      answers.answer(request, { kind: "store-ans", kinds: result.response })
    })
  }

  #fetch(request: Received, body: FetchReq): void {
    const { answers, fabric, reads } = this.#to
    const answer = (outcome: ReturnType<typeof fabric.storage.fetch>) => {
      if (outcome.kind === "refused")
        return answers.refuse(request, outcome.error, outcome.cause, outcome.info)
      const certificates = fabric.storage.certificatesFor(body.resource)
      answers.answer(request, { kind: "fetch-ans", ...outcome.answer }, certificates)
    }
    // Who names us and not the Resource-ID wants what we hold, whoever is responsible: a holder is asked.
    if (request.header.destination[0]?.kind === "node") return answer(fabric.storage.fetch(body, fabric.now))
    reads.hold(body, answer)
  }

  #stat(request: Received, body: FetchReq): void {
    const { answers, fabric } = this.#to
    const outcome = fabric.storage.stat(body, fabric.now)
    if (outcome.kind === "refused") return answers.refuse(request, outcome.error, outcome.cause, outcome.info)
    answers.answer(request, { kind: "stat-ans", ...outcome.answer })
  }

  /** §7.4.4: the nearest Resource-ID, at that one or after it, at which we hold a value of the Kind. */
  #find(request: Received): void {
    const { answers, fabric } = this.#to
    if (request.body.kind !== "find-req") return
    const { resource, kinds } = request.body
    if (new Set(kinds).size < kinds.length)
      return answers.refuse(request, "Error_Invalid_Message", "a Kind stands in the request twice")
    if (!this.#isOurs(resource))
      return answers.refuse(request, "Error_Not_Found", "we are not responsible for that Resource-ID")
    const results = kinds.map((kind) => ({ kind, closest: fabric.nearest(resource, kind) }))
    answers.answer(request, { kind: "find-ans", results })
  }

  #probe(request: Received, requested: readonly number[]): void {
    const { answers, fabric } = this.#to
    const known: Readonly<Record<number, () => number>> = {
      [ProbeInformationType.responsibleSet]: () => this.#partsPerBillion(),
      [ProbeInformationType.numResources]: () => fabric.storage.heldResources,
      [ProbeInformationType.uptime]: () => uptime(fabric.startedAt, fabric.now),
    }
    const information = requested.flatMap((type) => {
      const value = known[type]
      return value ? [{ type, value: encode(u32, value()) }] : []
    })
    answers.answer(request, { kind: "probe-ans", information })
  }

  #partsPerBillion(): number {
    const { isPeer, topology, self } = this.#to.fabric
    return isPeer ? Math.floor(1e9 * shareOf(topology.neighbors().predecessors[0] ?? self, self)) : 0
  }

  #routeQuery(request: Received): void {
    const { answers, fabric } = this.#to
    if (request.body.kind !== "route-query-req") return
    const { destination, sendUpdate } = request.body
    if (destination.kind !== "node" && destination.kind !== "resource")
      return answers.refuse(request, "Error_Not_Found", "that destination means nothing to us")
    const target = destination.kind === "node" ? destination.node : destination.resource
    const nextPeer = target === fabric.self ? fabric.self : (fabric.topology.nextHop(target) ?? fabric.self)
    answers.answer(request, { kind: "route-query-ans", nextPeer })
    if (sendUpdate) this.#to.updateWanted(request.node)
  }

  #isOurs(resource: StoreReq["resource"]): boolean {
    const { isPeer, topology, self } = this.#to.fabric
    return isPeer && topology.responsible(resource) === self
  }
}

/** The peers that a Leave names; none where its data is not CHORD-RELOAD's. §10.9. */
function namedIn(overlaySpecific: Uint8Array): readonly NodeId[] {
  try {
    const data = decode(ChordLeaveData, overlaySpecific, "ChordLeaveData")
    return data.kind === "from-successor" ? data.successors : data.predecessors
  } catch (problem) {
    if (problem instanceof DecodeError) return []
    throw problem
  }
}
