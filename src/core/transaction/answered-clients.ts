import { earliest, type Instant } from "../kit/time.ts"
import type { SipResponse } from "../sip/message.ts"
import type { Flow, Hop } from "../sip/transport.ts"
import type { KeyHash } from "./key-hash.ts"
import type { LayerEffect, Origin } from "./layer-interface.ts"
import { Remains } from "./remains.ts"
import type { SipTimers } from "./timers.ts"

/** What is kept of a client transaction that has its final response. */
export interface AnsweredClient {
  readonly branch: string
  readonly method: string
  readonly hop: Hop
  /** The ACK, where an INVITE was refused. */
  readonly bytes: Uint8Array | undefined
  readonly origin: Origin | undefined
}

/**
 * Client transactions over UDP that have had their final response and wait for more of the same, as their machines would, but as a few bytes
 * each: see `AnsweredServers`.
 */
export class AnsweredClients {
  readonly #hash: KeyHash
  readonly #accepted: Remains
  readonly #refused: Remains
  readonly #completed: Remains

  constructor({ m, d, k }: SipTimers, hash: KeyHash) {
    this.#hash = hash
    this.#accepted = new Remains(m)
    this.#refused = new Remains(d)
    this.#completed = new Remains(k)
  }

  get deadline(): Instant {
    return earliest(this.#accepted.deadline, this.#refused.deadline, this.#completed.deadline)
  }

  expire(now: Instant): void {
    for (const remains of [this.#accepted, this.#refused, this.#completed])
      if (remains.deadline <= now) remains.expire(now)
  }

  /** `state` as its machine says. */
  add(state: "accepted" | "completed", client: AnsweredClient, now: Instant): void {
    const { branch, method, hop, bytes, origin } = client
    const key = method === "INVITE" ? branch : `${method} ${branch}`
    const hash = this.#hash.of(key)
    if (method !== "INVITE") this.#completed.add({ key }, hash, now)
    else if (state === "completed") this.#refused.add({ key, bytes, about: hop }, hash, now)
    else this.#accepted.add({ key, about: origin?.backwards, number: origin?.server ?? 0 }, hash, now)
  }

  /** Whether the response belongs to one of them. */
  receive(branch: string, method: string, response: SipResponse, now: Instant, out: LayerEffect[]): boolean {
    const key = method === "INVITE" ? branch : `${method} ${branch}`
    const hash = this.#hash.of(key)
    if (method !== "INVITE") return this.#completed.find(key, hash, now) !== undefined
    const { status } = response
    const accepted = this.#accepted.find(key, hash, now)
    if (accepted !== undefined) {
      const backwards = this.#accepted.aboutOf(accepted) as Flow | undefined
      const server = this.#accepted.numberOf(accepted)
      const origin = backwards === undefined ? {} : { origin: { server, backwards } }
      if (status >= 200 && status < 300) out.push({ kind: "response", branch, response, ...origin })
      return true
    }
    const refused = this.#refused.find(key, hash, now)
    if (refused === undefined) return false
    const hop = this.#refused.aboutOf(refused) as Hop
    const bytes = this.#refused.bytesOf(refused)
    if (status >= 300) out.push({ kind: "send", id: `client ${branch}`, hop, bytes })
    return true
  }

  /** The ACK of a refusal could not be sent: that is the end of it. RFC 3261 §17.1.4. */
  sendFailed(branch: string, now: Instant): void {
    const refused = this.#refused.find(branch, this.#hash.of(branch), now)
    if (refused !== undefined) this.#refused.drop(refused)
  }
}
