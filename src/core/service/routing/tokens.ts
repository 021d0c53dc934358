import type { Address } from "../../kit/address.ts"
import { concat, fromBase64Into, randomBytes, toBase64Url, toUtf8 } from "../../kit/bytes.ts"
import type { Hashes } from "../../kit/crypto.ts"
import { fromHex, toHex } from "../../kit/hex.ts"
import { Hmac } from "../../kit/hmac.ts"
import { formatIp, ipBytes } from "../../kit/ip.ts"
import type { Random } from "../../kit/random.ts"
import type { Flow } from "../../sip/transport.ts"

/** What a token says that the next request has to do. `edge`: the first 12 digits of a Node-ID. */
export type Token =
  /** Go by the next Route, or the Request-URI. */
  | { readonly kind: "out" }
  /** Over this connection of the edge; `life` tells one run of that node from the next. */
  | { readonly kind: "stream"; readonly edge: string; readonly life: string; readonly connection: number }
  | { readonly kind: "datagram"; readonly edge: string; readonly local: Address; readonly remote: Address }

/** `unbound`: good in any dialog. */
export interface ReadToken {
  readonly token: Token
  readonly unbound: boolean
}

export type FlowToken = Exclude<Token, { kind: "out" }>

const OUT = 0
const STREAM = 1
const DATAGRAM_4 = 2
const DATAGRAM_6 = 3
const OUTWARD = Uint8Array.of(OUT)
/** Added to the kind where the token is good in one dialog only. */
const BOUND = 0x80

/** Of a thousand nodes two begin alike once in half a billion fabrics. */
const EDGE_BYTES = 6
const LIFE_BYTES = 3
const MAC_BYTES = 8
const LABEL = toUtf8("carillon token 1")

/** How many digits of the Node-ID a token carries. */
export const EDGE_DIGITS = 2 * EDGE_BYTES

/**
 * Makes and reads the tokens of Record-Route, Route and bindings.
 *
 *     kind (1) | edge (6), flow (7, 12 or 36), absent in `out` | HMAC-SHA256 (8)     as base64url
 *
 * A token in Record-Route is bound to its Call-ID: it authenticates the path of that dialog and opens
 * no other. One in a binding is bound to nothing, and is honoured from nodes of the fabric only.
 */
export class Tokens {
  readonly #hmac: Hmac
  readonly #edge: Uint8Array
  readonly #life: Uint8Array
  /** Of the token that is being made or read. */
  readonly #bytes = new Uint8Array(MOST_BYTES)
  #latestOut: { readonly callId: string; readonly text: string } | undefined

  constructor(
    settings: { readonly hashes: Hashes; readonly fabricKey: Uint8Array; readonly node: string },
    random: Random,
  ) {
    this.#hmac = new Hmac(settings.hashes, settings.fabricKey)
    this.#edge = fromHex(settings.node).subarray(0, EDGE_BYTES)
    this.#life = randomBytes(random, LIFE_BYTES)
  }

  out(callId: string): string {
    // Both sides of a request may ask.
    if (this.#latestOut?.callId !== callId) this.#latestOut = { callId, text: this.#sign(OUTWARD, callId) }
    return this.#latestOut.text
  }

  /** A token for a flow of this node. Undefined where its addresses are no plain IP literals. */
  flow(flow: Flow, callId: string | undefined): string | undefined {
    const payload = this.#describe(flow)
    return payload && this.#sign(payload, callId)
  }

  /** The token for the same flow, for one dialog. */
  bind(token: FlowToken, callId: string): string {
    return this.#sign(encode(token), callId)
  }

  /** Undefined for what is forged, foreign, or of another dialog. */
  read(text: string, callId: string): ReadToken | undefined {
    const bytes = this.#bytes
    const isLong = text.length >= MIN_TEXT && text.length <= MAX_TEXT
    const length = (isLong ? fromBase64Into(text, bytes) : 0) - MAC_BYTES
    if (length <= 0) return undefined
    const unbound = (bytes[0]! & BOUND) === 0
    const mac = this.#mac(bytes, length, unbound ? "" : callId)
    if (mac[0] !== word(bytes, length) || mac[1] !== word(bytes, length + 4)) return undefined
    if ((bytes[0]! & ~BOUND) === OUT) return unbound ? READ_OUT_UNBOUND : READ_OUT
    const token = decode(bytes.subarray(0, length))
    return token && { token, unbound }
  }

  /** Whether this run of this node made it, so that a connection's number means what it meant. */
  isOfThisLife(token: Extract<Token, { kind: "stream" }>): boolean {
    return token.edge === toHex(this.#edge) && token.life === toHex(this.#life)
  }

  #describe(flow: Flow): Uint8Array | undefined {
    if (flow.connection !== undefined)
      return concat(Uint8Array.of(STREAM), this.#edge, this.#life, number32(flow.connection))
    const [local, remote] = [endpoint(flow.local), endpoint(flow.remote)]
    if (local === undefined || local.length !== remote?.length) return undefined
    return concat(Uint8Array.of(local.length === 6 ? DATAGRAM_4 : DATAGRAM_6), this.#edge, local, remote)
  }

  #sign(payload: Uint8Array, callId: string | undefined): string {
    const { length } = payload
    const signed = this.#bytes
    signed.set(payload)
    if (callId !== undefined) signed[0]! |= BOUND
    const mac = this.#mac(signed, length, callId ?? "")
    for (let at = 0; at < MAC_BYTES; at++) signed[length + at] = mac[at >> 2]! >>> (24 - 8 * (at & 3))
    return toBase64Url(signed, length + MAC_BYTES)
  }

  /** The words of the HMAC of which a token carries two. The payload is the first `length` bytes. */
  #mac(bytes: Uint8Array, length: number, callId: string): Int32Array {
    const message = this.#hmac.scratch
    const start = LABEL.length + length
    if (start + callId.length <= MAC_ROOM && isAsciiInto(callId, message, start)) {
      message.set(LABEL)
      for (let at = 0; at < length; at++) message[LABEL.length + at] = bytes[at]!
      return this.#hmac.wordsOf(start + callId.length)
    }
    const mac = this.#hmac.of(LABEL, bytes.subarray(0, length), toUtf8(callId))
    return Int32Array.of(word(mac, 0), word(mac, 4))
  }
}

/** Writes the text there; false where it is more than ASCII. A dozen letters are written before the platform's encoder has begun. */
function isAsciiInto(text: string, bytes: Uint8Array, start: number): boolean {
  let all = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    all |= code
    bytes[start + at] = code
  }
  return all < 128
}

/** What the HMAC's own memory has room for beside the padding. */
const MAC_ROOM = 192

const word = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!

/** The shortest is that of `out`: a byte. */
const MIN_TEXT = Math.ceil((8 * (1 + MAC_BYTES)) / 6)

/** The longest is that of an IPv6 datagram flow. */
const MOST_BYTES = 1 + EDGE_BYTES + 36 + MAC_BYTES
const MAX_TEXT = Math.ceil((8 * MOST_BYTES) / 6)

const READ_OUT: ReadToken = { token: { kind: "out" }, unbound: false }
const READ_OUT_UNBOUND: ReadToken = { token: { kind: "out" }, unbound: true }

function encode(token: FlowToken): Uint8Array {
  const edge = fromHex(token.edge)
  if (token.kind === "stream")
    return concat(Uint8Array.of(STREAM), edge, fromHex(token.life), number32(token.connection))
  const [local, remote] = [endpoint(token.local)!, endpoint(token.remote)!]
  return concat(Uint8Array.of(local.length === 6 ? DATAGRAM_4 : DATAGRAM_6), edge, local, remote)
}

function decode(payload: Uint8Array): FlowToken | undefined {
  const edge = toHex(payload.subarray(1, 1 + EDGE_BYTES))
  const rest = payload.subarray(1 + EDGE_BYTES)
  switch (payload[0]! & ~BOUND) {
    case STREAM: {
      const [a, b, c, d] = rest.subarray(LIFE_BYTES)
      const connection = a! * 0x1000000 + ((b! << 16) | (c! << 8) | d!)
      return { kind: "stream", edge, life: toHex(rest.subarray(0, LIFE_BYTES)), connection }
    }
    case DATAGRAM_4:
    case DATAGRAM_6: {
      const half = rest.length / 2
      return {
        kind: "datagram",
        edge,
        local: address(rest.subarray(0, half)),
        remote: address(rest.subarray(half)),
      }
    }
    default:
      return undefined
  }
}

const number32 = (value: number) =>
  Uint8Array.of((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)

function endpoint({ host, port }: Address): Uint8Array | undefined {
  const ip = ipBytes(host)
  return ip && concat(ip, Uint8Array.of(port >> 8, port & 255))
}

const address = (bytes: Uint8Array): Address => ({
  host: formatIp(bytes.subarray(0, -2)),
  port: (bytes.at(-2)! << 8) | bytes.at(-1)!,
})
