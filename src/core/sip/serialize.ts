import type { Headers, SipMessage } from "./message.ts"

const CR = 13
const LF = 10

/**
 * The bytes of a message. Content-Length is what the body's length is, whatever the headers say, and comes
 * last where they have none. Line breaks within a value become spaces: nobody writes a header through ours.
 */
export function serializeMessage(message: SipMessage): Uint8Array {
  const first =
    message.kind === "request"
      ? `${message.method} ${message.uri} SIP/2.0`
      : `SIP/2.0 ${message.status} ${message.reason}`
  const { fields } = withLength(message.headers, message.body.length)
  let length = first.length + 4 + message.body.length
  for (const { name, value } of fields) length += name.length + value.length + 4
  const bytes = new Uint8Array(length)
  let at = writeLine(bytes, 0, first)
  for (const { name, value } of fields)
    at = writeLine(bytes, write(bytes, write(bytes, at, name), ": "), value)
  at = writeLine(bytes, at, "")
  bytes.set(message.body, at)
  return bytes
}

function withLength(headers: Headers, length: number): Headers {
  const known = headers.first("Content-Length")
  return known === `${length}` ? headers : headers.with("Content-Length", `${length}`)
}

function writeLine(bytes: Uint8Array, at: number, text: string): number {
  const end = write(bytes, at, text)
  bytes[end] = CR
  bytes[end + 1] = LF
  return end + 2
}

function write(bytes: Uint8Array, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    bytes[at + index] = code === CR || code === LF ? 32 : code > 255 ? 63 : code
  }
  return at + text.length
}
