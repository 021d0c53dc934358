import { formatTime } from "./rfc3339.ts"
import type { Instant } from "./time.ts"

const DAY = 86_400_000
const WEEKDAYS = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

/** `Sun, 22 Nov 2026 10:30:00 GMT`, as the Date header wants it. RFC 3261 §20.17. */
export function formatSipDate(instant: Instant): string {
  const text = formatTime(instant)
  const weekday = WEEKDAYS[Math.floor(instant / DAY) % 7]!
  const month = MONTHS[Number(text.slice(5, 7)) - 1]!
  return `${weekday}, ${text.slice(8, 10)} ${month} ${text.slice(0, 4)} ${text.slice(11, 19)} GMT`
}
