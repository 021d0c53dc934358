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
  const others = headers.readings.vias?.slice(1)
  const replaced = replaceTop(headers, formatVia(via))
  if (others !== undefined) replaced.readings.vias = [via, ...others]
  return replaced
}

/** Takes the topmost value off. */
export const withoutTopVia = (headers: Headers): Headers => replaceTop(headers, undefined)

function replaceTop(headers: Headers, via: string | undefined): Headers {
  const at = headers.fields.findIndex(({ name }) => name === "Via")
  if (at < 0) return headers
  const { value } = headers.fields[at]!
  const others = value.includes(",") ? splitList(value).slice(1) : []
  const values = via === undefined ? others : [via, ...others]
  const fields = [...headers.fields]
  if (values.length === 0) fields.splice(at, 1)
  else fields[at] = { name: "Via", value: values.join(", ") }
  return headers.derive(fields, "vias")
}
