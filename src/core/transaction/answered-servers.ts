import { type CountEffect, type LogEffect, log } from "../kit/log.ts"
import { earliest, type Instant } from "../kit/time.ts"
import type { SipRequest } from "../sip/message.ts"
import type { Flow } from "../sip/transport.ts"
import type { KeyHash } from "./key-hash.ts"
import type { LayerEffect } from "./layer-interface.ts"
import { Remains } from "./remains.ts"
import type { SipTimers } from "./timers.ts"

/** In the states in which a server transaction has nothing more to say of its own: `InviteServer` and `NonInviteServer`. */
export type Lingering = "accepted" | "confirmed" | "completed"

/** What is kept of one. */
export interface AnsweredServer {
  readonly match: string
  /** Where the request came from, and its answers go. */
  readonly flow: Flow
  /** Of the To in the final response to an INVITE. */
  readonly toTag: string | undefined
  /** The final response to any other request. */
  readonly bytes: Uint8Array | undefined
}

const ID = "answered "

/**
 * Server transactions over UDP that have given their final answer and wait for what may be repeated, as their machines would, but as a few bytes
 * each: most of what a busy node holds. test/contract/lingering.test.ts shows that the same comes of both.
 */
export class AnsweredServers {
  readonly #hash: KeyHash
  readonly #remains: Readonly<Record<Lingering, Remains>>

  constructor({ l, i, j }: SipTimers, hash: KeyHash) {
    this.#hash = hash
    this.#remains = { accepted: new Remains(l), confirmed: new Remains(i), completed: new Remains(j) }
  }

  get size(): number {
    const { accepted, confirmed, completed } = this.#remains
    return accepted.size + confirmed.size + completed.size
  }

  get deadline(): Instant {
    const { accepted, confirmed, completed } = this.#remains
    return earliest(accepted.deadline, confirmed.deadline, completed.deadline)
  }

  expire(now: Instant): void {
    for (const remains of Object.values(this.#remains)) if (remains.deadline <= now) remains.expire(now)
  }

  /** An id for the sending of its answer. */
  add(state: Lingering, { match, flow, toTag, bytes }: AnsweredServer, now: Instant): string {
    const left = { key: match, bytes: state === "completed" ? bytes : toTag, about: flow }
    return `${ID}${state} ${this.#remains[state].add(left, this.#hash.of(match), now)}`
  }

  knows(match: string, now: Instant): boolean {
    const { accepted, confirmed, completed } = this.#remains
    const hash = this.#hash.of(match)
    if (!match.startsWith("INVITE ")) return completed.find(match, hash, now) !== undefined
    return accepted.find(match, hash, now) !== undefined || confirmed.find(match, hash, now) !== undefined
  }

  /** A request came again. Only a final response to another than INVITE is said again from here. */
  repeat(match: string, now: Instant, out: LayerEffect[]): void {
    const { completed } = this.#remains
    const entry = completed.find(match, this.#hash.of(match), now)
    if (entry === undefined) return
    const flow = completed.aboutOf(entry) as Flow
    const bytes = completed.bytesOf(entry)
    out.push({ kind: "send", id: `${ID}completed ${entry}`, hop: { kind: "flow", flow }, bytes })
  }

  /** Whether an ACK belongs to an INVITE here. One for a 2xx is its user's to deal with. */
  acknowledge(
    match: string,
    request: SipRequest,
    toTag: string | undefined,
    now: Instant,
    out: LayerEffect[],
  ): boolean {
    const hash = this.#hash.of(match)
    for (const state of ["accepted", "confirmed"] as const) {
      const remains = this.#remains[state]
      const entry = remains.find(match, hash, now)
      if (entry === undefined) continue
      const tag = remains.bytesOf(entry)
      if (tag.length > 0 && String.fromCharCode(...tag) !== toTag) return false
      if (state === "accepted") out.push({ kind: "ack", request, flow: remains.aboutOf(entry) as Flow })
      return true
    }
    return false
  }

  /** Whether the id is one of ours. Its answer could not be sent, and there is no other way. */
  sendFailed(id: string, reason: string, now: Instant): LogEffect | CountEffect | undefined {
    const [, state, number] = id.split(" ")
    const remains = id.startsWith(ID) ? this.#remains[state as Lingering] : undefined
    const entry = Number(number)
    if (remains?.has(entry, now) !== true) return undefined
    const key = remains.keyOf(entry)
    // An INVITE survives it, so that it is not taken for a new one when it comes again.
    if (state === "completed") remains.drop(entry)
    return log("info", "sip.response-lost", { method: key.slice(0, key.indexOf(" ")), reason })
  }
}
