import type { NodeId } from "../identity/node-id.ts"
import { NodeId as NodeIdCodec } from "../identity/node-id.ts"
import { fromHex, toHex } from "../kit/hex.ts"
import { type Machine, NOTHING } from "../kit/machine.ts"
import { type Instant, NEVER } from "../kit/time.ts"
import type { Overlay, Ticket, ValueToStore } from "../overlay/interface.ts"
import type { ResourceId } from "../reload/header.ts"
import { ENROLMENT_LOG } from "../storage/kinds.ts"
import { decode, encode, struct, u16 } from "../wire/codec.ts"
import { DecodeError } from "../wire/decode-error.ts"
import type { OverlayAnswer, OverlayQuestion } from "./fabric-stores.ts"
import { Tickets } from "./tickets.ts"
import { extensible, versioned } from "./versioned.ts"

/** A node shows an invite to this one, which serves enrolment. */
export interface InviteUse {
  /** Identifier of the invite. */
  readonly invite: string
  /** How many nodes it may admit. */
  readonly uses: number
  /** SHA-256 of the node's public key, hexadecimal: who comes back with it costs no further use. */
  readonly key: string
  /** The Node-ID that it is to have, unless one was given to that key before. */
  readonly node: NodeId
  /** Seconds for which the use is remembered: until the invite has expired. */
  readonly lifetime: number
}

export type EnrolmentLogInput =
  | { readonly kind: "count-use"; readonly ticket: Ticket; readonly use: InviteUse }
  | OverlayAnswer

export type EnrolmentLogResult =
  /** `node`: the Node-ID of that key, from this use or an earlier one. */
  | { readonly kind: "use-counted"; readonly node: NodeId }
  | { readonly kind: "invite-used-up" }
  /** Another enrolment node counts a last use at the same time; both have withdrawn, or one has: try again, later by chance. */
  | { readonly kind: "use-contested" }
  | { readonly kind: "refused"; readonly code: "unavailable"; readonly cause: string }

export type EnrolmentLogEffect =
  | OverlayQuestion
  | { readonly kind: "use-judged"; readonly ticket: Ticket; readonly result: EnrolmentLogResult }

export interface EnrolmentLogSettings {
  readonly overlay: Pick<Overlay, "resourceId">
}

/** Uses in one record, in the mean. Twice as many still fit into one message. */
const USES_IN_SHARD = 64

const Use = versioned(1, extensible(u16, struct({ node: NodeIdCodec })))

interface Entry {
  readonly key: string
  readonly node: NodeId
}

/** A use being counted; its record may be several. */
interface Job {
  readonly ticket: Ticket
  readonly use: InviteUse
  readonly step: Step
  readonly entries: Entry[]
  waiting: number
}

/** Read; write; read again whether another has written meanwhile; then take it back. */
type Step = "look" | "claim" | "check" | "withdraw"

/** The records that hold the uses of an invite, and that in which a key's use stands. */
export const shardsOf = (uses: number): number => Math.ceil(uses / USES_IN_SHARD)
export const shardName = (invite: string, shard: number): string => `carillon-invite/${invite}/${shard}`
const shardOfKey = (key: string, uses: number): number =>
  Number.parseInt(key.slice(0, 8), 16) % shardsOf(uses)

/**
 * Counts uses of invites in records of the fabric, for all its enrolment nodes.
 *
 * Never one too many: of two that claim a last use at once, the one that reads later sees both, since reads
 * never miss a completed write; and who sees too many withdraws. Both may; then they try again.
 */
export class EnrolmentLog implements Machine<EnrolmentLogInput, EnrolmentLogEffect> {
  readonly deadline: Instant = NEVER
  readonly #settings: EnrolmentLogSettings
  readonly #tickets: Tickets<Job>

  constructor(settings: EnrolmentLogSettings, owner: number) {
    this.#settings = settings
    this.#tickets = new Tickets(owner)
  }

  handle(input: EnrolmentLogInput): readonly EnrolmentLogEffect[] {
    if (input.kind === "count-use") return this.#read(input.ticket, input.use, "look")
    const job = this.#tickets.redeem(input.ticket)
    if (job === undefined || job.waiting === 0) return NOTHING
    const { result } = input
    if (result.kind === "failed") {
      job.waiting = 0
      const cause = `the uses of the invite cannot be counted now: ${result.cause}`
      return [judged(job, { kind: "refused", code: "unavailable", cause })]
    }
    if (result.kind === "found")
      for (const { data } of result.values.get(ENROLMENT_LOG.id) ?? [])
        if (data.value.model === "dictionary" && data.value.exists)
          job.entries.push(readEntry(data.value.key, data.value.value))
    job.waiting--
    return job.waiting > 0 ? NOTHING : this.#next(job)
  }

  expire(): readonly EnrolmentLogEffect[] {
    return NOTHING
  }

  #next(job: Job): readonly EnrolmentLogEffect[] {
    const { ticket, use, step, entries } = job
    switch (step) {
      case "look": {
        const before = entries.find(({ key }) => key === use.key)
        if (before !== undefined) return [judged(job, { kind: "use-counted", node: before.node })]
        if (entries.length >= use.uses) return [judged(job, { kind: "invite-used-up" })]
        return this.#write(ticket, use, "claim")
      }
      case "claim":
        return this.#read(ticket, use, "check")
      case "check":
        if (entries.length > use.uses) return this.#write(ticket, use, "withdraw")
        return [judged(job, { kind: "use-counted", node: use.node })]
      case "withdraw":
        return [judged(job, { kind: "use-contested" })]
    }
  }

  #read(ticket: Ticket, use: InviteUse, step: "look" | "check"): readonly EnrolmentLogEffect[] {
    const shards = Array.from({ length: shardsOf(use.uses) }, (_, shard) => shard)
    const job: Job = { ticket, use, step, entries: [], waiting: shards.length }
    return shards.map((shard) => ({
      kind: "fetch",
      ticket: this.#tickets.issue(job),
      resource: this.#resource(use, shard),
      wanted: [{ kind: ENROLMENT_LOG.id }],
    }))
  }

  #write(ticket: Ticket, use: InviteUse, step: "claim" | "withdraw"): readonly EnrolmentLogEffect[] {
    const job: Job = { ticket, use, step, entries: [], waiting: 1 }
    return [
      {
        kind: "store",
        ticket: this.#tickets.issue(job),
        resource: this.#resource(use, shardOfKey(use.key, use.uses)),
        values: [entryToStore(use, step === "claim")],
      },
    ]
  }

  #resource({ invite }: InviteUse, shard: number): ResourceId {
    return this.#settings.overlay.resourceId(shardName(invite, shard))
  }
}

const judged = ({ ticket }: Job, result: EnrolmentLogResult): EnrolmentLogEffect => ({
  kind: "use-judged",
  ticket,
  result,
})

const entryToStore = ({ key, node, lifetime }: InviteUse, exists: boolean): ValueToStore => ({
  kind: ENROLMENT_LOG.id,
  value: {
    model: "dictionary",
    key: fromHex(key),
    exists,
    value: exists ? encode(Use, { node }) : new Uint8Array(),
  },
  lifetime,
})

/** An entry that cannot be read counts like any other; its node is nobody. */
function readEntry(key: Uint8Array, value: Uint8Array): Entry {
  try {
    return { key: toHex(key), node: decode(Use, value, "Use").node }
  } catch (problem) {
    if (problem instanceof DecodeError) return { key: `unreadable ${toHex(key)}`, node: NOBODY }
    throw problem
  }
}

const NOBODY = "0".repeat(32) as NodeId
