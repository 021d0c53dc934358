/** How much a line of the log matters. */
export type LogLevel = "debug" | "info" | "warn" | "error"

/**
 * One event worth a line, as an effect: the host writes it, the simulator hashes it.
 * `event` is a stable name such as `sip.refused`; `fields` hold what it is about.
 */
export interface LogEffect {
  readonly kind: "log"
  readonly level: LogLevel
  readonly event: string
  readonly fields: Readonly<Record<string, string | number | boolean | undefined>>
}

export const log = (level: LogLevel, event: string, fields: LogEffect["fields"] = {}): LogEffect => ({
  kind: "log",
  level,
  event,
  fields,
})

/** Adds `by` to a counter of `/metrics`. Names are listed in apps/daemon/metrics.ts. */
export interface CountEffect {
  readonly kind: "count"
  readonly counter: string
  readonly labels: Readonly<Record<string, string>>
  readonly by: number
}

export const count = (
  counter: string,
  labels: Readonly<Record<string, string>> = {},
  by = 1,
): CountEffect => ({
  kind: "count",
  counter,
  labels,
  by,
})
