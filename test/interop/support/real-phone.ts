import { createSocket, type Socket } from "node:dgram"
import type { Address } from "../../../src/core/kit/address.ts"
import { type Instant, milliseconds } from "../../../src/core/kit/time.ts"
import { openSslCryptography, secureRandom } from "../../../src/host/cryptography.ts"
import { UserAgent, type UserAgentEffect, type UserAgentSettings } from "../../../src/sim/user-agent.ts"

type Event = Exclude<UserAgentEffect, { kind: "send" }>

const now = () => (performance.timeOrigin + performance.now()) as Instant

/** The user agent of the invented world on a real UDP socket. */
export class RealPhone {
  readonly events: Event[] = []
  readonly agent: UserAgent
  readonly address: Address
  readonly #socket: Socket
  #timer: NodeJS.Timeout | undefined
  #calls = 0
  readonly #waiting = new Set<(event: Event) => void>()

  static open(
    host: string,
    settings: Pick<UserAgentSettings, "user" | "password" | "domain" | "proxy"> &
      Partial<Pick<UserAgentSettings, "answers">>,
  ): Promise<RealPhone> {
    return new Promise((resolve, reject) => {
      const socket = createSocket("udp4")
      socket.once("error", reject)
      socket.bind(0, host, () => {
        const { address, port } = socket.address()
        resolve(new RealPhone(socket, { host: address, port }, settings))
      })
    })
  }

  private constructor(
    socket: Socket,
    address: Address,
    settings: Pick<UserAgentSettings, "user" | "password" | "domain" | "proxy"> &
      Partial<Pick<UserAgentSettings, "answers">>,
  ) {
    this.#socket = socket
    this.address = address
    this.agent = new UserAgent({
      transport: "UDP",
      address,
      hashes: openSslCryptography(),
      random: secureRandom(),
      answers: { kind: "accept", after: milliseconds(0) },
      ...settings,
    })
    socket.on("message", (bytes, { address: host, port }) => {
      const flow = {
        transport: "UDP",
        local: address,
        remote: { host, port },
        connection: undefined,
        node: undefined,
      } as const
      if (bytes.length > 4) this.#perform(this.agent.handle({ kind: "received", flow, bytes }, now()))
    })
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
    const answered = await this.#ask("call-answered", () =>
      this.agent.handle({ kind: "call", call, target }, now()),
    )
    return { call, status: answered.status }
  }

  async hangUp(call: string): Promise<number> {
    return (await this.#ask("call-ended", () => this.agent.handle({ kind: "hang-up", call }, now()))).status
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#socket.close()
  }

  #ask<Kind extends Event["kind"]>(kind: Kind, begin: () => readonly UserAgentEffect[]) {
    return new Promise<Extract<Event, { kind: Kind }>>((resolve, reject) => {
      const give = (event: Event) => {
        if (event.kind !== kind) return
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
      const { hop, bytes } = effect
      const to =
        hop.kind === "flow"
          ? hop.flow.remote
          : hop.kind === "address"
            ? hop.address
            : this.agent.settings.proxy
      this.#socket.send(bytes, to.port, to.host)
    }
    clearTimeout(this.#timer)
    const due = this.agent.deadline
    if (due === Number.POSITIVE_INFINITY) return
    this.#timer = setTimeout(() => this.#perform(this.agent.expire(now())), Math.max(1, due - now()))
  }
}
