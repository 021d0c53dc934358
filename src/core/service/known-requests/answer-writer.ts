import { toLatin1 } from "../../kit/bytes.ts"
import type { Room } from "../../kit/room.ts"
import { HEADER_TABLE } from "../../sip/header-table.ts"
import { FIELD_NUMBER, FIELD_STRIDE, VALUE_END, VALUE_START } from "../../sip/scan.ts"
import type { Flow } from "../../sip/transport.ts"
import { Piece } from "../piece.ts"
import { CALL_ID, CSEQ, FROM, type Skeleton, TO, VIA } from "./skeleton.ts"

/** Answers are parts of such pieces of memory: one for each would cost as much as all the rest of it. */
const SLAB_BYTES = 65_536

/** Beside what the request has, Contact and Path twice: status line, challenges, Date and the like. */
const ROOM = 2_048

/** Of FNV-1a, and how long a tag is that is made with it. */
const FNV_PRIME = 0x01000193
const TAG_LENGTH = 7
const LF = 10

const NOTHING = new Piece("")
const LINE_END = new Piece("\r\n")
const TAG = new Piece(";tag=")
const EQUALS = new Piece("=")
const RECEIVED = new Piece(";received=")
/** By header number: what an answer repeats, with the end of the line before. */
const REPEATED: readonly (Piece | undefined)[] = HEADER_TABLE.map((_, number) =>
  [VIA, FROM, TO, CALL_ID, CSEQ].includes(number)
    ? new Piece(`\r\n${HEADER_TABLE[number]!.name}: `)
    : undefined,
)

/** Writes an answer from the bytes of its request. RFC 3261 §8.2.6, in the way of `makeResponse` and `serializeMessage`. */
export class AnswerWriter {
  /** Lent for the next answer. */
  room: Room | undefined
  /** For answers where nothing is lent, one behind the other. */
  #slab = new Uint8Array(0)
  #slabAt = 0
  /** What is being written to. */
  #memory: Uint8Array = this.#slab
  #buffer: ArrayBufferLike = this.#slab.buffer
  #view: DataView = new DataView(this.#buffer)
  #start = 0
  #at = 0
  #from: DataView = this.#view
  /** Of the latest answer, for `statelessTag`. */
  #viaStart = 0
  #viaEnd = 0

  /** Status line, then what the request's fields say, Via marked (RFC 3581 §4), To with `toTag` as seven letters and digits, or one made of the request. */
  begin(status: Piece, bytes: Uint8Array, skeleton: Skeleton, flow: Flow, toTag: number | undefined): void {
    this.#findRoom(2 * bytes.length + ROOM)
    this.#from = skeleton.scan.view
    const offset = bytes.byteOffset
    this.piece(status)
    const { fields, count } = skeleton.scan
    for (let place = 0; place < count * FIELD_STRIDE; place += FIELD_STRIDE) {
      const number = fields[place + FIELD_NUMBER]!
      const name = number < 0 ? undefined : REPEATED[number]
      if (name === undefined) continue
      this.piece(name)
      const [start, end] = [fields[place + VALUE_START]!, fields[place + VALUE_END]!]
      if (number === VIA) this.#via(offset, start, end, skeleton.rportEnd, flow)
      else this.#copy(offset + start, offset + end)
      if (number === TO) {
        this.piece(TAG)
        this.#tag(toTag ?? this.#statelessTag(bytes, skeleton))
      }
    }
    this.piece(LINE_END)
  }

  /** Leaves out that many bytes, from `at` of `memory` on, which somebody else writes. */
  leave(length: number): { readonly memory: Uint8Array; readonly at: number } {
    const at = this.#at
    this.#at += length
    return { memory: this.#memory, at }
  }

  /** The whole answer, which is the caller's. */
  end(): Uint8Array {
    if (this.#memory === this.#slab) this.#slabAt = this.#at
    return new Uint8Array(this.#buffer, this.#memory.byteOffset + this.#start, this.#at - this.#start)
  }

  /** Four bytes at a time; up to three zeros behind it are written over by what follows. */
  piece({ length, words }: Piece): void {
    const view = this.#view
    let at = this.#at
    for (let word = 0; word < words.length; word++, at += 4) view.setInt32(at, words[word]!, true)
    this.#at += length
  }

  text(text: string): void {
    const memory = this.#memory
    let at = this.#at
    for (let index = 0; index < text.length; index++) memory[at++] = text.charCodeAt(index)
    this.#at = at
  }

  /** A part of some memory, which is copied. */
  bytes(from: Uint8Array, start: number, end: number): void {
    const memory = this.#memory
    let to = this.#at
    for (let at = start; at < end; at++) memory[to++] = from[at]!
    this.#at = to
  }

  /** A count below 2^31. */
  number(value: number): void {
    let size = 1
    for (let rest = value; rest >= 10; rest = (rest / 10) | 0) size++
    const memory = this.#memory
    let rest = value
    for (let at = this.#at + size - 1; at >= this.#at; at--) {
      memory[at] = 48 + (rest % 10)
      rest = (rest / 10) | 0
    }
    this.#at += size
  }

  #findRoom(length: number): void {
    const { room } = this
    if (room !== undefined && room.memory.length - room.at >= length) {
      this.#use(room.memory, room.at)
      return
    }
    if (this.#slab.length - this.#slabAt < length) {
      this.#slab = new Uint8Array(SLAB_BYTES)
      this.#slabAt = 0
    }
    this.#use(this.#slab, this.#slabAt)
  }

  #use(memory: Uint8Array, at: number): void {
    if (memory !== this.#memory) {
      this.#memory = memory
      this.#buffer = memory.buffer
      this.#view = new DataView(this.#buffer, memory.byteOffset)
    }
    this.#start = at
    this.#at = at
  }

  /** Positions in the buffer that the request lies in. */
  #copy(start: number, end: number): void {
    const from = this.#from
    const view = this.#view
    let to = this.#at
    let at = start
    for (; at + 4 <= end; at += 4, to += 4) view.setInt32(to, from.getInt32(at, true), true)
    for (; at < end; at++, to++) view.setUint8(to, from.getUint8(at))
    this.#at = to
  }

  #via(offset: number, start: number, end: number, rportEnd: number, { remote }: Flow): void {
    this.#viaStart = this.#at
    if (rportEnd < 0) this.#copy(offset + start, offset + end)
    else {
      this.#copy(offset + start, offset + rportEnd)
      this.piece(EQUALS)
      this.number(remote.port)
      this.#copy(offset + rportEnd, offset + end)
      this.piece(RECEIVED)
      this.text(remote.host)
    }
    this.#viaEnd = this.#at
  }

  /** The Via as an answer has it. */
  viaText(bytes: Uint8Array, skeleton: Skeleton, flow: Flow): string {
    this.begin(NOTHING, bytes, skeleton, flow, 0)
    return toLatin1(this.#memory.subarray(this.#viaStart, this.#viaEnd))
  }

  /** As `statelessTag` makes it, of the Via and the Call-ID: FNV-1a. */
  #statelessTag(bytes: Uint8Array, { scan }: Skeleton): number {
    const memory = this.#memory
    let hash = 0x811c9dc5
    for (let at = this.#viaStart; at < this.#viaEnd; at++) hash = Math.imul(hash ^ memory[at]!, FNV_PRIME)
    hash = Math.imul(hash ^ LF, FNV_PRIME)
    const place = scan.first(CALL_ID)
    const end = scan.fields[place + VALUE_END]!
    for (let at = scan.fields[place + VALUE_START]!; at < end; at++)
      hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME)
    return hash
  }

  /** A number of 32 bits in seven letters and digits. */
  #tag(value: number): void {
    const memory = this.#memory
    let rest = value >>> 0
    for (let at = this.#at + TAG_LENGTH - 1; at >= this.#at; at--) {
      const digit = rest % 36
      memory[at] = digit < 10 ? 48 + digit : 87 + digit
      rest = (rest / 36) >>> 0
    }
    this.#at += TAG_LENGTH
  }
}
