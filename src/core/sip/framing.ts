import { LIMITS } from "../kit/limits.ts"

export type StreamUnit =
  /** One message with its body, as `parseMessage` takes it. */
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  /** CRLF CRLF between messages: to be answered by a CRLF. RFC 5626 §3.5.1. */
  | { readonly kind: "ping" }
  /** Where the next message would begin cannot be known: the connection must be closed. */
  | { readonly kind: "broken"; readonly reason: string }

const CR = 13
const LF = 10
const SMALLEST = 1_024

/** Cuts what a connection brings into messages. RFC 3261 §18.3. Holds at most one message of the largest size. */
export class StreamFramer {
  #buffer = new Uint8Array()
  #length = 0
  /** How far the head has been searched for its end. */
  #searched = 0
  /** Length of the whole message, once its head is in. */
  #wanted: number | undefined
  #broken = false

  /** What these bytes complete, in order. Nothing more ever comes after `broken`. */
  push(bytes: Uint8Array): readonly StreamUnit[] {
    const units: StreamUnit[] = []
    let rest = bytes
    // No more is taken in at a time than the largest message, so that a flood cannot make the buffer grow.
    while (!this.#broken && rest.length > 0) {
      const room = LIMITS.sip.messageBytes - this.#length
      this.#take(rest.subarray(0, room))
      rest = rest.subarray(room)
      this.#cut(units)
    }
    return units
  }

  #take(bytes: Uint8Array): void {
    const length = this.#length + bytes.length
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#buffer.length, SMALLEST))
      larger.set(this.#buffer.subarray(0, this.#length))
      this.#buffer = larger
    }
    this.#buffer.set(bytes, this.#length)
    this.#length = length
  }

  #cut(units: StreamUnit[]): void {
    let start = 0
    for (;;) {
      if (this.#wanted === undefined) {
        start = this.#skipEmptyLines(start, units)
        const fault = this.#findLength(start)
        if (fault !== undefined) {
          this.#break(units, fault)
          return
        }
      }
      if (this.#wanted === undefined || this.#length - start < this.#wanted) break
      units.push({ kind: "message", bytes: this.#buffer.slice(start, start + this.#wanted) })
      start += this.#wanted
      this.#wanted = undefined
      this.#searched = start
    }
    this.#drop(start)
    if (this.#length >= LIMITS.sip.messageBytes) this.#break(units, "message too large")
  }

  #break(units: StreamUnit[], reason: string): void {
    units.push({ kind: "broken", reason })
    this.#broken = true
    this.#buffer = new Uint8Array()
    this.#length = 0
  }

  /** Forgets what has been cut off. */
  #drop(count: number): void {
    if (count === 0) return
    this.#buffer.copyWithin(0, count, this.#length)
    this.#length -= count
    this.#searched = Math.max(0, this.#searched - count)
    // An idle connection holds no buffer.
    if (this.#length === 0) this.#buffer = new Uint8Array()
  }

  /** Past pings, and past the single CRLFs that answer ours. Half a pair waits for its other half. */
  #skipEmptyLines(start: number, units: StreamUnit[]): number {
    const buffer = this.#buffer
    let at = start
    while (this.#length - at >= 2 && buffer[at] === CR && buffer[at + 1] === LF) {
      const left = this.#length - at
      if (left === 2 || (left === 3 && buffer[at + 2] === CR)) break
      const pair = left >= 4 && buffer[at + 2] === CR && buffer[at + 3] === LF
      if (pair) units.push({ kind: "ping" })
      at += pair ? 4 : 2
    }
    this.#searched = Math.max(this.#searched, at)
    return at
  }

  /** Sets `#wanted` where the head is whole. Returns what is wrong with it. */
  #findLength(start: number): string | undefined {
    const end = this.#headEnd()
    if (end === undefined) return undefined
    const length = contentLength(this.#buffer.subarray(start, end))
    if (typeof length === "string") return length
    if (end - start + length > LIMITS.sip.messageBytes) return "message too large"
    this.#wanted = end - start + length
    return undefined
  }

  /** Behind the empty line. */
  #headEnd(): number | undefined {
    const buffer = this.#buffer
    for (;;) {
      const at = buffer.indexOf(LF, this.#searched)
      if (at < 0 || at >= this.#length) {
        this.#searched = this.#length
        return undefined
      }
      if (at + 2 >= this.#length) return undefined
      if (buffer[at + 1] === CR && buffer[at + 2] === LF && buffer[at - 1] === CR) return at + 3
      this.#searched = at + 1
    }
  }
}

const NAMES = ["content-length", "l"]

/** The one Content-Length of a head, or what is wrong: over a stream it must be there. RFC 3261 §20.14. */
function contentLength(head: Uint8Array): number | string {
  let length: number | undefined
  for (let line = 0; line < head.length; ) {
    const end = head.indexOf(LF, line) + 1
    if (NAMES.some((name) => isNamed(head, line, name))) {
      if (length !== undefined) return "several Content-Length"
      length = digitsBehindColon(head, line)
      if (length === undefined) return "Content-Length is malformed"
    }
    line = end
  }
  return length ?? "no Content-Length"
}

/** Whether the line begins with that name and a colon, in any case of letters. */
function isNamed(head: Uint8Array, line: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const byte = head[line + i]!
    const lower = byte >= 65 && byte <= 90 ? byte + 32 : byte
    if (lower !== name.charCodeAt(i)) return false
  }
  let at = line + name.length
  while (isSpace(head[at])) at++
  return head[at] === 0x3a
}

function digitsBehindColon(head: Uint8Array, line: number): number | undefined {
  let at = skipSpace(head, head.indexOf(0x3a, line) + 1)
  const first = at
  let length = 0
  for (; head[at]! >= 48 && head[at]! <= 57 && length < 1e9; at++) length = 10 * length + head[at]! - 48
  const hasDigits = at > first
  at = skipSpace(head, at)
  return hasDigits && head[at] === CR && head[at + 1] === LF ? length : undefined
}

const isSpace = (byte: number | undefined) => byte === 32 || byte === 9

/** Past spaces, tabs and folds. */
function skipSpace(head: Uint8Array, start: number): number {
  let at = start
  for (;;) {
    if (isSpace(head[at])) at++
    else if (head[at] === CR && head[at + 1] === LF && isSpace(head[at + 2])) at += 3
    else return at
  }
}
