import type { Random } from "./random.ts"

/** The text whose characters are these bytes: SIP is scanned so, and written back unharmed. */
export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

/**
 * The characters whose codes are these bytes. Nearly all that comes is ASCII, which the platform's UTF-8
 * decoder reads a hundred times faster than any loop: 0.3 against 29 µs for a SIP message.
 */
export function toLatin1(bytes: Uint8Array): string {
  const text = lenientUtf8.decode(bytes)
  // UTF-8 beyond ASCII makes the text shorter than the bytes, and what is no UTF-8 becomes U+FFFD.
  return text.length === bytes.length && !text.includes("\ufffd") ? text : toLatin1ByByte(bytes)
}

const lenientUtf8 = new TextDecoder("utf-8")

function toLatin1ByByte(bytes: Uint8Array): string {
  let text = ""
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

const utf8Encoder = new TextEncoder()

export const toUtf8 = (text: string): Uint8Array => utf8Encoder.encode(text)

/** The text of UTF-8 bytes, a byte order mark included; undefined where they are not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return undefined
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!
  return difference === 0
}

export function randomBytes(random: Random, count: number): Uint8Array {
  const bytes = new Uint8Array(count)
  for (let i = 0; i < count; i++) bytes[i] = Math.floor(256 * random.next())
  return bytes
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/** Base64url without padding, of the first `length` bytes. RFC 4648 §5. */
export function toBase64Url(bytes: Uint8Array, length: number = bytes.length): string {
  let text = ""
  for (let i = 0; i < length; i += 3) {
    const left = length - i
    const second = left > 1 ? bytes[i + 1]! : 0
    const group = (bytes[i]! << 16) | (second << 8) | (left > 2 ? bytes[i + 2]! : 0)
    text += DIGITS[group >> 18]! + DIGITS[(group >> 12) & 63]!
    if (left > 1) text += DIGITS[(group >> 6) & 63]!
    if (left > 2) text += DIGITS[group & 63]!
  }
  return text
}

const VALUES = new Int8Array(128).fill(-1)
for (const [value, digit] of [...DIGITS].entries()) VALUES[digit.charCodeAt(0)] = value
VALUES[0x2b] = 62
VALUES[0x2f] = 63

/** Bytes of base64 or base64url, padded or not; undefined where a character is neither. */
export function fromBase64(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  const length = fromBase64Into(text, bytes)
  if (length < 0) return undefined
  return length === bytes.length ? bytes : bytes.slice(0, length)
}

/** The same into memory that is there, which has to have room; how many bytes, or -1. */
export function fromBase64Into(text: string, bytes: Uint8Array): number {
  let length = text.length
  while (length > 0 && text.charCodeAt(length - 1) === 0x3d) length--
  if (length % 4 === 1) return -1
  let group = 0
  let at = 0
  for (let i = 0; i < length; i++) {
    const value = VALUES[text.charCodeAt(i)] ?? -1
    if (value < 0) return -1
    group = ((group << 6) | value) & 0xffffff
    if (i % 4 === 1) bytes[at++] = (group >> 4) & 255
    if (i % 4 === 2) bytes[at++] = (group >> 2) & 255
    if (i % 4 === 3) bytes[at++] = group & 255
  }
  return at
}
