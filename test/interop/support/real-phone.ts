import type { Address } from "../../../src/core/kit/address.ts"
import { toLatin1 } from "../../../src/core/kit/bytes.ts"
import { type Instant, milliseconds } from "../../../src/core/kit/time.ts"
import { openSslCryptography, secureRandom } from "../../../src/host/crypto/cryptography.ts"
import { UserAgent, type UserAgentEffect, type UserAgentSettings } from "../../../src/sim/user-agent.ts"
import { openUdp, type PhoneWire, streamWire } from "./phone-wire.ts"
import { whenOver } from "./programs.ts"

type Event = Exclude<UserAgentEffect, { kind: "send" }>

export type RealPhoneSettings = Pick<UserAgentSettings, "user" | "password" | "domain" | "proxy"> &
  Partial<Pick<UserAgentSettings, "answers" | "instance">> & {
    readonly transport?: "UDP" | "TCP" | "TLS"
    /** PEM of the root that a TLS proxy must show. */
    readonly ca?: string
  }

const REFUSED = "SIP/2.0 503"

const now = () => (performance.timeOrigin + performance.now()) as Instant
const hashes = openSslCryptography()
const random = secureRandom()

const open = new Set<RealPhone>()
whenOver(() => {
  for (const phone of open) phone.close()
})

/** The user agent of the invented world on real sockets. */
export class RealPhone {
  readonly events: Event[] = []
  readonly agent: UserAgent
  readonly #wire: PhoneWire
  readonly #waiting = new Set<(event: Event) => void>()
  /** What the last refusal said in Retry-After, in seconds. RFC 3261 §20.33. */
  retryAfter: number | undefined
  #timer: NodeJS.Timeout | undefined
  #calls = 0
  /** Called when the connection to the proxy is gone. */
  onClosed: () => void = () => {}

  static async open(host: string, settings: RealPhoneSettings): Promise<RealPhone> {
    const { transport = "UDP", ca = "", domain } = settings
    let phone: RealPhone | undefined
    const heard = {
      received: (flow: Parameters<RealPhone["hear"]>[0], bytes: Uint8Array) => phone?.hear(flow, bytes),
      failed: (id: string, reason: string) => phone?.fail(id, reason),
      closed: () => phone?.onClosed(),
    }
    const tls = transport === "TLS" ? { ca, serverName: domain } : undefined
    const proxy = () => phone?.agent.settings.proxy ?? settings.proxy
    const wire = transport === "UDP" ? await openUdp(host, heard) : streamWire(host, proxy, tls, heard)
    phone = new RealPhone(wire, settings)
    open.add(phone)
    return phone
  }

  private constructor(wire: PhoneWire, settings: RealPhoneSettings) {
    this.#wire = wire
    this.agent = new UserAgent({
      transport: "UDP",
      address: wire.address,
      hashes,
      random,
      answers: { kind: "accept", after: milliseconds(0) },
      ...settings,
    })
  }

  get address(): Address {
    return this.#wire.address
  }

  hear(
    flow: Extract<Parameters<UserAgent["handle"]>[0], { kind: "received" }>["flow"],
    bytes: Uint8Array,
  ): void {
    if (toLatin1(bytes.subarray(0, REFUSED.length)) === REFUSED)
      this.retryAfter = retryAfterOf(toLatin1(bytes))
    this.#perform(this.agent.handle({ kind: "received", flow, bytes }, now()))
  }

  fail(id: string, reason: string): void {
    this.#perform(this.agent.handle({ kind: "send-failed", id, reason }, now()))
  }

  /** Registers and gives the answer's status and the contacts it lists. `proxy`: another node than before. */
  async register(seconds = 3_600, everything = false, proxy?: Address) {
    if (proxy !== undefined) Object.assign(this.agent.settings, { proxy })
    return this.#ask("registered", () => this.agent.handle({ kind: "register", seconds, everything }, now()))
  }

  /** Calls, and gives the final status; an answered call stands until `hangUp`. */
  async call(target: string, proxy?: Address): Promise<{ readonly call: string; readonly status: number }> {
    if (proxy !== undefined) Object.assign(this.agent.settings, { proxy })
    const call = `call-${this.address.host}-${this.address.port}-${++this.#calls}`
    const answered = await this.#ask(
      "call-answered",
      () => this.agent.handle({ kind: "call", call, target }, now()),
      (event) => event.call === call,
    )
    return { call, status: answered.status }
  }

  /** An INVITE within a call that stands. RFC 3261 §14. */
  async reInvite(call: string): Promise<number> {
    const answered = await this.#ask(
      "re-invited",
      () => this.agent.handle({ kind: "re-invite", call }, now()),
      (event) => event.call === call,
    )
    return answered.status
  }

  async hangUp(call: string): Promise<number> {
    const ended = await this.#ask(
      "call-ended",
      () => this.agent.handle({ kind: "hang-up", call }, now()),
      (event) => event.call === call,
    )
    return ended.status
  }

  /** Drops its connection; the next message opens another, to wherever its proxy is now. */
  reconnect(): void {
    this.#wire.drop()
  }

  close(): void {
    if (!open.delete(this)) return
    clearTimeout(this.#timer)
    this.#wire.close()
  }

  #ask<Kind extends Event["kind"]>(
    kind: Kind,
    begin: () => readonly UserAgentEffect[],
    matches: (event: Extract<Event, { kind: Kind }>) => boolean = () => true,
  ) {
    return new Promise<Extract<Event, { kind: Kind }>>((resolve, reject) => {
      const give = (event: Event) => {
        if (event.kind !== kind || !matches(event as Extract<Event, { kind: Kind }>)) return
        clearTimeout(patience)
        this.#waiting.delete(give)
        resolve(event as Extract<Event, { kind: Kind }>)
      }
      const patience = setTimeout(
        () => reject(new Error(`${this.agent.settings.user} waited for ${kind} in vain`)),
        40_000,
      )
      this.#waiting.add(give)
      this.#perform(begin())
    })
  }

  #perform(effects: readonly UserAgentEffect[]): void {
    for (const effect of effects) {
      if (effect.kind !== "send") {
        this.events.push(effect)
        for (const give of [...this.#waiting]) give(effect)
        continue
      }
      this.#wire.send(effect.id, effect.hop, effect.bytes)
    }
    clearTimeout(this.#timer)
    const due = this.agent.deadline
    if (due === Number.POSITIVE_INFINITY) return
    this.#timer = setTimeout(() => this.#perform(this.agent.expire(now())), Math.max(1, due - now()))
  }
}

function retryAfterOf(message: string): number | undefined {
  const [, seconds] = message.match(/^Retry-After: *(\d+)/im) ?? []
  return seconds === undefined ? undefined : Number(seconds)
}
