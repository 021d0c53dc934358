import { toLatin1 } from "../kit/bytes.ts"
import { isIn, PARAMETER_VALUE, TOKEN } from "../sip/characters.ts"
import { Headers, NO_BODY, type SipResponse } from "../sip/message.ts"
import { FIELD_NUMBER, FIELD_STRIDE, MessageScan, NAME_START, VALUE_END, VALUE_START } from "../sip/scan.ts"
import { headerNumber } from "../sip/scan-names.ts"
import { isWrittenOurWay } from "../sip/scan-spelling.ts"
import { copyWithout } from "../sip/serialize.ts"

/** A request that was sent on and waits for its answer. */
export interface Awaiting {
  readonly method: string
  /** As it was sent; undefined where that is kept no longer. */
  readonly bytes: Uint8Array | undefined
  /** Where in those bytes stands what a response repeats, where that is known. */
  readonly repeated: Repeated | undefined
}

/**
 * Where in a request that was sent stand the values that its responses repeat, of `REPEATED` in that order: of each the beginning and the end, counted
 * back from the end of the message. It has one Via beside ours, which is its first field.
 */
export type Repeated = readonly number[]

const VIA = headerNumber("Via")
const FROM = headerNumber("From")
const TO = headerNumber("To")
const CALL_ID = headerNumber("Call-ID")
const CSEQ = headerNumber("CSeq")

/** What a response repeats of its request. RFC 3261 §8.2.6. */
export const REPEATED: readonly number[] = [VIA, FROM, TO, CALL_ID, CSEQ]
const NEEDED = [FROM, TO, CALL_ID, CSEQ]
/** Of the places of a request: two numbers each. */
const [VIA_PLACE, FROM_PLACE, TO_PLACE, CALL_ID_PLACE, CSEQ_PLACE] = [0, 2, 4, 6, 8] as const
const FURTHER_PLACE = 10

/** Longer ones are rare. */
const MOST_BYTES = 4_096
const MOST_LETTERS = 256

const LF = 10
/** Of "Via: ". */
const VIA_NAME = 5
const SPACE = 32
const SEMICOLON = 59
const EQUALS = 61
const BRACKET = 62

const BRANCH = bytesOf(";branch=")
const RPORT = bytesOf(";rport")
const RECEIVED = bytesOf(";received=")
const TAG = bytesOf(";tag=")
const NO_HEADERS = new Headers([])

/**
 * Recognizes responses that go on as they came but for their top Via: provisional ones other than 100, and 2xx, to a
 * request that was sent on from here, whose fields they repeat as it had them. All that a server reads of such a response
 * has been read when that request came, and they are written as we would write them. Whatever is not so is left to
 * `parseMessage`; test/contract/relayed.test.ts shows that the same comes of both.
 */
export class OnwardReader {
  readonly #scan = new MessageScan()
  readonly #request = new MessageScan()
  /** Of the request: where its values begin and end, as in `Repeated`, but counted from the beginning; behind them further Vias. */
  readonly #places: number[] = []
  /** So many of these numbers count: to empty an array, and let it grow again, takes as long as to compare two fields. */
  #filled = 0
  /** Where our own Via begins in it. */
  #ownVia = 0
  #branch = ""

  /** `awaiting`: the request whose top Via has that branch, where one waits for its answer. */
  read(bytes: Uint8Array, awaiting: (branch: string) => Awaiting | undefined): SipResponse | undefined {
    const scan = this.#scan
    if (bytes[0] !== 0x53 || bytes[7] !== SPACE || bytes.length > MOST_BYTES || !scan.read(bytes))
      return undefined
    const { status } = scan
    if (scan.kind !== "response" || status <= 100 || status >= 300 || !this.#hasMandatory()) return undefined
    const via = scan.first(VIA)
    if (!this.#readVia(bytes, scan.fields[via + VALUE_START]!, scan.fields[via + VALUE_END]!))
      return undefined
    const branch = this.#branch
    const sent = awaiting(branch)
    if (sent?.bytes === undefined || !this.#findPlaces(sent.bytes, sent.repeated)) return undefined
    const tag = this.#tagStart(bytes, sent.bytes)
    if (tag < 0 || !this.#repeats(bytes, sent.bytes) || !isWrittenOurWay(scan, bytes)) return undefined
    const [start, end] = [scan.fields[via + NAME_START]!, scan.fields[via + VALUE_END]! + 2]
    const toTag = status < 200 ? undefined : textOf(bytes, tag, scan.fields[scan.first(TO) + VALUE_END]!)
    const onward = {
      branch,
      method: sent.method,
      toTag,
      bytes: copyWithout(bytes, start, end, scan.bodyEnd),
    }
    return { kind: "response", status, reason: "", headers: NO_HEADERS, body: NO_BODY, onward }
  }

  #hasMandatory(): boolean {
    const scan = this.#scan
    if (scan.countOf(VIA) < 2) return false
    for (const number of NEEDED) if (scan.first(number) < 0) return false
    return true
  }

  #findPlaces(request: Uint8Array, repeated: Repeated | undefined): boolean {
    if (repeated === undefined) return this.#scanPlaces(request)
    const places = this.#places
    for (let at = 0; at < repeated.length; at++) places[at] = request.length - repeated[at]!
    this.#filled = repeated.length
    this.#ownVia = request.indexOf(LF) + 1 + VIA_NAME
    return true
  }

  #scanPlaces(request: Uint8Array): boolean {
    const [scan, places] = [this.#request, this.#places]
    if (!scan.read(request) || scan.countOf(VIA) < 2) return false
    const { fields } = scan
    this.#ownVia = fields[scan.first(VIA) + VALUE_START]!
    let filled = VIA_PLACE + 2
    for (const number of NEEDED) {
      places[filled++] = fields[scan.first(number) + VALUE_START]!
      places[filled++] = fields[scan.first(number) + VALUE_END]!
    }
    let place = scan.first(VIA)
    for (let below = 1; below < scan.countOf(VIA); below++) {
      do place += FIELD_STRIDE
      while (fields[place + FIELD_NUMBER] !== VIA)
      const at = below === 1 ? VIA_PLACE : filled
      if (below > 1) filled += 2
      places[at] = fields[place + VALUE_START]!
      places[at + 1] = fields[place + VALUE_END]!
    }
    this.#filled = filled
    return true
  }

  /** The parameters of our own Via: its branch, and what the next hop may have added to them. RFC 3581 §4. */
  #readVia(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start
    while (at < end && bytes[at] !== SEMICOLON) at++
    this.#branch = ""
    while (at < end) {
      const isBranch = startsWith(bytes, at, BRANCH)
      if (isBranch && this.#branch !== "") return false
      let value = at
      if (isBranch) value += BRANCH.length
      else if (startsWith(bytes, at, RECEIVED)) value += RECEIVED.length
      else if (startsWith(bytes, at, RPORT)) {
        value += RPORT.length
        if (value === end || bytes[value] === SEMICOLON) {
          at = value
          continue
        }
        if (bytes[value] !== EQUALS) return false
        value++
      } else return false
      at = value
      while (at < end && isIn(bytes[at]!, PARAMETER_VALUE)) at++
      if (at === value || (at < end && bytes[at] !== SEMICOLON)) return false
      if (isBranch) this.#branch = textOf(bytes, value, at)
    }
    return this.#branch !== ""
  }

  /** Where the tag of To begins, which is that of the request with a tag, or has one more; -1 where it is neither. */
  #tagStart(bytes: Uint8Array, request: Uint8Array): number {
    const scan = this.#scan
    const to = scan.first(TO)
    const [start, end] = [scan.fields[to + VALUE_START]!, scan.fields[to + VALUE_END]!]
    let tag = end
    while (tag > start && isIn(bytes[tag - 1]!, TOKEN)) tag--
    const mark = tag - TAG.length
    if (tag === end || mark <= start || !startsWith(bytes, mark, TAG) || bytes[mark - 1] !== BRACKET)
      return -1
    const [from, until] = [this.#places[TO_PLACE]!, this.#places[TO_PLACE + 1]!]
    const isSame = isAlike(bytes, start, end, request, from, until)
    const isTagged = request[until - 1] === BRACKET && isAlike(bytes, start, mark, request, from, until)
    return isSame || isTagged ? tag : -1
  }

  /** From, Call-ID and CSeq, and all Vias below the top one. */
  #repeats(bytes: Uint8Array, request: Uint8Array): boolean {
    const scan = this.#scan
    const isAlike =
      this.#isAlikeAt(bytes, scan.first(FROM), request, FROM_PLACE) &&
      this.#isAlikeAt(bytes, scan.first(CALL_ID), request, CALL_ID_PLACE) &&
      this.#isAlikeAt(bytes, scan.first(CSEQ), request, CSEQ_PLACE)
    if (!isAlike || !this.#isBeginningAlike(bytes, scan.first(VIA), request)) return false
    const below = scan.countOf(VIA) - 1
    if (below !== 1 + (this.#filled - FURTHER_PLACE) / 2) return false
    let place = scan.first(VIA)
    for (let count = 0; count < below; count++) {
      do place += FIELD_STRIDE
      while (scan.fields[place + FIELD_NUMBER] !== VIA)
      const its = count === 0 ? VIA_PLACE : FURTHER_PLACE + 2 * (count - 1)
      if (!this.#isAlikeAt(bytes, place, request, its)) return false
    }
    return true
  }

  #isAlikeAt(bytes: Uint8Array, mine: number, request: Uint8Array, its: number): boolean {
    const { fields } = this.#scan
    const places = this.#places
    return isAlike(
      bytes,
      fields[mine + VALUE_START]!,
      fields[mine + VALUE_END]!,
      request,
      places[its]!,
      places[its + 1]!,
    )
  }

  /** Our own Via, up to its parameters. */
  #isBeginningAlike(bytes: Uint8Array, mine: number, request: Uint8Array): boolean {
    let at = this.#scan.fields[mine + VALUE_START]!
    let there = this.#ownVia
    for (; bytes[at] !== SEMICOLON; at++, there++) if (bytes[at] !== request[there]) return false
    return request[there] === SEMICOLON
  }
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0))
}

/** Short and of ASCII alone. In one piece: it is looked up in maps. */
function textOf(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > MOST_LETTERS) return toLatin1(bytes.subarray(start, end))
  const codes = new Array<number>(end - start)
  for (let at = start; at < end; at++) codes[at - start] = bytes[at]!
  return String.fromCharCode.apply(undefined, codes)
}

function startsWith(bytes: Uint8Array, start: number, text: Uint8Array): boolean {
  for (let at = 0; at < text.length; at++) if (bytes[start + at] !== text[at]) return false
  return true
}

function isAlike(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false
  for (let at = aStart, there = bStart; at < aEnd; at++, there++) if (a[at] !== b[there]) return false
  return true
}
