/** What a generator is asked to do. */
export type WorkloadName =
  /** REGISTER that changes nothing, no credentials. */
  | "register-plain"
  /** The same with credentials for a nonce that was given before, as phones refresh. */
  | "register-refresh"
  /** REGISTER, 401, REGISTER with the answer, 200. */
  | "register-digest"
  /** REGISTER with another Contact each time. */
  | "register-change"
  | "options"
  /** INVITE with credentials, 180, 200, ACK, BYE, 200, relayed to a second phone. */
  | "calls"

export interface Order {
  readonly workload: WorkloadName
  readonly server: { readonly host: string; readonly port: number }
  readonly domain: string
  readonly users: number
  /** Requests, or calls, that wait for an answer at a time. */
  readonly outstanding: number
  /** Begun per second; undefined: as soon as one is done. */
  readonly rate: number | undefined
  /** Each user once, then nothing more. */
  readonly once: boolean
  /** Whether the server asks for passwords: then nobody may pass without. */
  readonly digest: boolean
}

/** Counted since the start, but for latencies: since the last one. */
export interface Count {
  readonly done: number
  /** Messages received, retransmissions not counted. */
  readonly answers: number
  readonly retransmissions: number
  /** Answers that were not what had to come; the first few in words. */
  readonly wrong: number
  readonly complaints: readonly string[]
  readonly challenges: number
  /** Wrong passwords that were tried on purpose, and how many of them were refused. */
  readonly probes: number
  readonly probesRefused: number
  readonly isFinished: boolean
  /** In milliseconds. */
  readonly p50: number
  readonly p99: number
  /** Began later than the rate asked for, since all phones were busy. */
  readonly late: number
}

export type ToGenerator =
  | { readonly kind: "begin"; readonly order: Order }
  | { readonly kind: "count" }
  | { readonly kind: "end" }
