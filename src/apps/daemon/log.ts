import { type DestinationStream, pino } from "pino"
import type { LogEffect, LogLevel } from "../../core/kit/log.ts"

export type Log = (event: LogEffect) => void

export interface LogSettings {
  readonly format: "plain" | "json"
  readonly level: LogLevel
}

const SEVERITY: Readonly<Record<LogLevel, number>> = { debug: 20, info: 30, warn: 40, error: 50 }

/** One line an event: JSON for collectors, or `time level event key=value …` for people. */
export function createLog(settings: LogSettings, destination: DestinationStream = standardError()): Log {
  return settings.format === "json"
    ? jsonLog(settings.level, destination)
    : plainLog(settings.level, destination)
}

/** Written at once: a line that explains a crash must not sit in a buffer. */
const standardError = () => pino.destination({ dest: 2, sync: true })

function jsonLog(level: LogLevel, destination: DestinationStream): Log {
  const logger = pino(
    {
      level,
      base: null,
      messageKey: "event",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
  return ({ level, event, fields }) => logger[level](fields, event)
}

function plainLog(level: LogLevel, destination: DestinationStream): Log {
  return (entry) => {
    if (SEVERITY[entry.level] < SEVERITY[level]) return
    destination.write(`${plainLine(entry, new Date())}\n`)
  }
}

/** `2026-11-22T10:00:00.000Z info  sip.refused status=403 cause="wrong password"`. */
export function plainLine({ level, event, fields }: LogEffect, at: Date): string {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined)
  const pairs = given.map(([key, value]) => ` ${key}=${plainValue(value)}`)
  return `${at.toISOString()} ${level.padEnd(5)} ${event}${pairs.join("")}`
}

/** Values from the wire stay on their line: what is not one plain word is quoted, controls escaped. */
function plainValue(value: string | number | boolean | undefined): string {
  const text = String(value)
  return /^[^\s"=\p{C}]+$/u.test(text) ? text : escapeControls(JSON.stringify(text))
}

/** JSON leaves C1 controls and the like alone; a terminal may not. */
const escapeControls = (text: string): string =>
  text.replaceAll(/\p{C}/gu, (control) => `\\u${control.codePointAt(0)!.toString(16).padStart(4, "0")}`)
