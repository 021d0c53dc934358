import type { HeaderField } from "../sip/message.ts"

/** An answer other than 2xx, and what the log says of it. */
export interface Refusal {
  readonly status: number
  /** Undefined: the standard phrase. */
  readonly reason?: string
  readonly headers: readonly HeaderField[]
  /** One clause for the operator; never sent, unless as a Warning. */
  readonly cause: string
  /** A challenge that every client meets on its way in: counted, not logged. */
  readonly routine?: boolean
}

export const refuse = (
  status: number,
  cause: string,
  headers: readonly HeaderField[] = [],
  reason?: string,
): Refusal => ({ status, cause, headers, ...(reason === undefined ? {} : { reason }) })

/** How long, in seconds, clients are asked to stay away where the fabric cannot answer. */
const RETRY_AFTER = 5

/** What stops us is not the client's fault, and says so. RFC 3261 §20.43: 399 is for people to read. */
export const unavailable = (domain: string, cause: string): Refusal =>
  refuse(503, cause, [
    { name: "Retry-After", value: `${RETRY_AFTER}` },
    { name: "Warning", value: `399 ${domain} "${cause.replaceAll(/["\\]/g, "'")}"` },
  ])

export const unsupported = (options: readonly string[]): Refusal =>
  refuse(420, `requires ${options.join(", ")}`, [{ name: "Unsupported", value: options.join(", ") }])
