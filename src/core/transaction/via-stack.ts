import type { Headers } from "../sip/message.ts"
import { splitList } from "../sip/name-address.ts"
import { formatVia, type Via } from "../sip/via.ts"

// The Via values of a message as a stack: one may hold several, or each its own field. RFC 3261 §7.3.1.

/** The topmost Via value as it stands there; undefined where there is none. */
export function topViaText(headers: Headers): string | undefined {
  const value = headers.first("Via")
  return value?.includes(",") ? splitList(value)[0] : value
}

/** Puts another value in the place of the topmost. */
export function withTopVia(headers: Headers, via: Via): Headers {
  const others = headers.vias?.slice(1)
  const replaced = replaceTop(headers, formatVia(via))
  if (others !== undefined) replaced.vias = [via, ...others]
  return replaced
}

/** Takes the topmost value off. */
export const withoutTopVia = (headers: Headers): Headers => replaceTop(headers, undefined)

function replaceTop(headers: Headers, via: string | undefined): Headers {
  const at = headers.indexOf("Via")
  if (at < 0) return headers
  const value = headers.valueAt(at)
  if (!value.includes(",")) return headers.withAt(at, via)
  const others = splitList(value).slice(1)
  const values = via === undefined ? others : [via, ...others]
  return headers.withAt(at, values.length === 0 ? undefined : values.join(", "))
}
