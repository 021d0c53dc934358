import type { Instant } from "./time.ts"

const DAY = 86_400_000
const DAYS_OF_400_YEARS = 146_097

const SHAPE = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)$/i

/** A UTC time as RFC 3339 §5.6 writes it, in Unix milliseconds; undefined for what is none. */
export function parseTime(text: string): Instant | undefined {
  const parts = SHAPE.exec(text)
  if (parts === null) return undefined
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number)
  const fraction = Math.floor(Number(`0.${parts[7] ?? 0}`) * 1_000)
  if (hour! > 23 || minute! > 59 || second! > 60) return undefined
  const days = daysFromCivil(year!, month!, day!)
  const time = days * DAY + ((hour! * 60 + minute!) * 60 + second!) * 1_000 + fraction
  // Whatever does not come back as it went in was no day: 30 February, month 13.
  return formatTime((days * DAY) as Instant).startsWith(text.slice(0, 10)) ? (time as Instant) : undefined
}

/** `2026-11-22T10:30:00Z`; fractions of a second are cut off. */
export function formatTime(instant: Instant): string {
  const { year, month, day } = civilFromDays(Math.floor(instant / DAY))
  const seconds = Math.floor((instant - Math.floor(instant / DAY) * DAY) / 1_000)
  const clock = [seconds / 3_600, (seconds / 60) % 60, seconds % 60].map(pad).join(":")
  return `${String(year).padStart(4, "0")}-${pad(month)}-${pad(day)}T${clock}Z`
}

const pad = (number: number): string => String(Math.floor(number)).padStart(2, "0")

// The Gregorian calendar repeats every 400 years; a year that begins in March ends with its leap day.

function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * DAYS_OF_400_YEARS + dayOfEra - DAYS_TO_1970
}

/** From 1 March of the year 0 to 1 January 1970. */
const DAYS_TO_1970 = 719_468

function civilFromDays(days: number): {
  readonly year: number
  readonly month: number
  readonly day: number
} {
  const shifted = days + DAYS_TO_1970
  const era = Math.floor(shifted / DAYS_OF_400_YEARS)
  const dayOfEra = shifted - era * DAYS_OF_400_YEARS
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const month = ((shiftedMonth + 2) % 12) + 1
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
  }
}
