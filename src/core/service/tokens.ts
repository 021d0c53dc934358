import type { Address } from "../kit/address.ts"
import { concat, equalBytes, fromBase64, randomBytes, toBase64Url, toUtf8 } from "../kit/bytes.ts"
import type { Hashes } from "../kit/crypto.ts"
import { fromHex, toHex } from "../kit/hex.ts"
import { Hmac } from "../kit/hmac.ts"
import { formatIp, ipBytes } from "../kit/ip.ts"
import type { Random } from "../kit/random.ts"
import type { Flow } from "../sip/transport.ts"

/** What a token says that the next request has to do. `edge`: the first 12 digits of a Node-ID. */
export type Token =
  /** Go by the next Route, or the Request-URI. */
  | { readonly kind: "out" }
  /** Over this connection of the edge; `life` tells one run of that node from the next. */
  | { readonly kind: "stream"; readonly edge: string; readonly life: string; readonly connection: number }
  | { readonly kind: "datagram"; readonly edge: string; readonly local: Address; readonly remote: Address }

export type FlowToken = Exclude<Token, { kind: "out" }>

const OUT = 0
const STREAM = 1
const DATAGRAM_4 = 2
const DATAGRAM_6 = 3
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

  constructor(
    settings: { readonly hashes: Hashes; readonly fabricKey: Uint8Array; readonly node: string },
    random: Random,
  ) {
    this.#hmac = new Hmac(settings.hashes, settings.fabricKey)
    this.#edge = fromHex(settings.node).subarray(0, EDGE_BYTES)
    this.#life = randomBytes(random, LIFE_BYTES)
  }

  out(callId: string): string {
    return this.#sign(Uint8Array.of(OUT), callId)
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

  /** Undefined for what is forged, foreign, or of another dialog. `unbound`: good in any dialog. */
  read(text: string, callId: string): { readonly token: Token; readonly unbound: boolean } | undefined {
    const bytes = text.length <= MAX_TEXT ? fromBase64(text) : undefined
    if (bytes === undefined || bytes.length <= MAC_BYTES) return undefined
    const payload = bytes.subarray(0, -MAC_BYTES)
    const unbound = (payload[0]! & BOUND) === 0
    const mac = this.#mac(payload, unbound ? "" : callId)
    if (!equalBytes(mac, bytes.subarray(-MAC_BYTES))) return undefined
    const token = decode(payload)
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
    const marked = Uint8Array.from(payload)
    if (callId !== undefined) marked[0]! |= BOUND
    return toBase64Url(concat(marked, this.#mac(marked, callId ?? "")))
  }

  #mac(payload: Uint8Array, callId: string): Uint8Array {
    return this.#hmac.of(LABEL, payload, toUtf8(callId)).subarray(0, MAC_BYTES)
  }
}

/** The longest is that of an IPv6 datagram flow. */
const MAX_TEXT = Math.ceil((8 * (1 + EDGE_BYTES + 36 + MAC_BYTES)) / 6)

function encode(token: FlowToken): Uint8Array {
  const edge = fromHex(token.edge)
  if (token.kind === "stream")
    return concat(Uint8Array.of(STREAM), edge, fromHex(token.life), number32(token.connection))
  const [local, remote] = [endpoint(token.local)!, endpoint(token.remote)!]
  return concat(Uint8Array.of(local.length === 6 ? DATAGRAM_4 : DATAGRAM_6), edge, local, remote)
}

function decode(payload: Uint8Array): Token | undefined {
  const edge = toHex(payload.subarray(1, 1 + EDGE_BYTES))
  const rest = payload.subarray(1 + EDGE_BYTES)
  switch (payload[0]! & ~BOUND) {
    case OUT:
      return { kind: "out" }
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
