import type { Hashes } from "./crypto.ts"
import { BLOCK, compress, firstState } from "./sha256.ts"

/** Of a message and its padding; a longer one gets memory of its own. */
const SCRATCH = 4 * BLOCK

/**
 * HMAC-SHA256 (RFC 2104) with a key that stays, whose blocks are compressed once: 0.8 µs for a short message where it
 * took 4.5 over the platform's hash, and three times that over its HMAC, which makes key objects. Every REGISTER needs
 * one or two.
 */
export class Hmac {
  readonly #inner = firstState()
  readonly #outer = firstState()
  readonly #state = firstState()
  readonly #scratch = new Uint8Array(SCRATCH)
  readonly #view = new DataView(this.#scratch.buffer)

  constructor(hashes: Pick<Hashes, "sha256">, key: Uint8Array) {
    const padded = new Uint8Array(BLOCK)
    padded.set(key.length > BLOCK ? hashes.sha256(key) : key)
    compress(this.#inner, new DataView(padded.map((byte) => byte ^ 0x36).buffer), 0)
    compress(this.#outer, new DataView(padded.map((byte) => byte ^ 0x5c).buffer), 0)
  }

  /** 32 bytes. */
  of(...message: readonly Uint8Array[]): Uint8Array {
    let length = 0
    for (const part of message) length += part.length
    const room = roomFor(length)
    const bytes = room <= SCRATCH ? this.#scratch : new Uint8Array(room)
    let at = 0
    for (const part of message) {
      bytes.set(part, at)
      at += part.length
    }
    const view = room <= SCRATCH ? this.#view : new DataView(bytes.buffer)
    const words = this.#finish(bytes, view, length)
    const mac = new Uint8Array(32)
    const out = new DataView(mac.buffer)
    for (let word = 0; word < 8; word++) out.setInt32(4 * word, words[word]!)
    return mac
  }

  /** Where `wordsOf` wants its message. */
  get scratch(): Uint8Array {
    return this.#scratch
  }

  /** The eight words of the HMAC of what stands at the beginning of `scratch`, good until the next call. Allocates nothing. */
  wordsOf(length: number): Int32Array {
    return this.#finish(this.#scratch, this.#view, length)
  }

  #finish(bytes: Uint8Array, view: DataView, length: number): Int32Array {
    const state = this.#state
    state.set(this.#inner)
    pad(bytes, view, length)
    for (let at = 0; at < roomFor(length); at += BLOCK) compress(state, view, at)
    for (let word = 0; word < 8; word++) this.#view.setInt32(4 * word, state[word]!)
    state.set(this.#outer)
    pad(this.#scratch, this.#view, 32)
    compress(state, this.#view, 0)
    return state
  }
}

/** Of a message, and of the bit and the length behind it. FIPS 180-4 §5.1.1. */
const roomFor = (length: number): number => BLOCK * (Math.floor((length + 8) / BLOCK) + 1)

/** One block, that of the key, has gone before. */
function pad(bytes: Uint8Array, view: DataView, length: number): void {
  const end = roomFor(length)
  bytes[length] = 0x80
  bytes.fill(0, length + 1, end - 8)
  view.setUint32(end - 8, Math.floor((8 * (length + BLOCK)) / 2 ** 32))
  view.setUint32(end - 4, (8 * (length + BLOCK)) >>> 0)
}
