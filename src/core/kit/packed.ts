import { toUtf8 } from "./bytes.ts"

/** Texts up to this many characters are made in one step. */
const PART = 256
const FIRST_BYTES = 512
const MOST_COUNT = 2 ** 31 - 1

/** Writes numbers and texts one behind the other, for rows of memory: not for the wire, nor for the disk. */
export class Packer {
  #bytes = new Uint8Array(FIRST_BYTES)
  #view = new DataView(this.#bytes.buffer)
  /** Where the next one goes. */
  at = 0

  /** From anew, behind so many bytes of zeros, which may be written at their places. */
  begin(ahead: number): DataView {
    this.at = 0
    this.#makeRoom(ahead)
    this.#bytes.fill(0, 0, ahead)
    this.at = ahead
    return this.#view
  }

  /** All of it, until something else is written. */
  end(): Uint8Array {
    return this.#bytes.subarray(0, this.at)
  }

  byte(value: number): void {
    this.#makeRoom(1)
    this.#bytes[this.at++] = value
  }

  /** A whole number from 0 to 2^31 - 1, small ones in few bytes. */
  count(value: number): void {
    let rest = value
    for (; rest >= 0x80; rest >>>= 7) this.byte((rest & 0x7f) | 0x80)
    this.byte(rest)
  }

  /** The same up to 2^53 - 1. */
  number(value: number): void {
    let rest = value
    for (; rest > MOST_COUNT; rest = Math.floor(rest / 0x80)) this.byte((rest & 0x7f) | 0x80)
    this.count(rest)
  }

  text(text: string): void {
    if (!isAscii(text)) return this.#bytesOf(toUtf8(text))
    this.count(text.length)
    this.#makeRoom(text.length)
    for (let index = 0; index < text.length; index++) this.#bytes[this.at++] = text.charCodeAt(index)
  }

  #bytesOf(bytes: Uint8Array): void {
    this.count(bytes.length)
    this.#makeRoom(bytes.length)
    this.#bytes.set(bytes, this.at)
    this.at += bytes.length
  }

  #makeRoom(length: number): void {
    if (this.at + length <= this.#bytes.length) return
    const bytes = new Uint8Array(2 * (this.at + length))
    bytes.set(this.#bytes)
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer)
  }
}

/** Reads what a Packer has written, in the same order. */
export class Unpacker {
  #bytes: Uint8Array = new Uint8Array(0)
  at = 0

  begin(bytes: Uint8Array, at: number): void {
    this.#bytes = bytes
    this.at = at
  }

  byte(): number {
    return this.#bytes[this.at++]!
  }

  count(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }

  number(): number {
    let value = 0
    for (let unit = 1; ; unit *= 0x80) {
      const byte = this.byte()
      value += (byte & 0x7f) * unit
      if (byte < 0x80) return value
    }
  }

  /** Passes over a text. */
  skip(): void {
    const length = this.count()
    this.at += length
  }

  text(): string {
    const length = this.count()
    const start = this.at
    this.at += length
    return textOf(this.#bytes, start, this.at)
  }
}

export function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7e) return false
  return true
}

/** Bytes of UTF-8 as a text of its own. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > PART) return lenientUtf8.decode(bytes.subarray(start, end))
  const codes = new Array<number>(end - start)
  let all = 0
  for (let at = start; at < end; at++) {
    all |= bytes[at]!
    codes[at - start] = bytes[at]!
  }
  return all < 0x80
    ? String.fromCharCode.apply(undefined, codes)
    : lenientUtf8.decode(bytes.subarray(start, end))
}

const lenientUtf8 = new TextDecoder("utf-8", { ignoreBOM: true })
