import type { NodeId } from "../../core/identity/node-id.ts"
import { InvariantError } from "../../core/kit/errors.ts"
import type { Instant } from "../../core/kit/time.ts"
import type { TransactionId } from "../../core/reload/header.ts"
import { type MessageBody, MessageContents, readHeader, writeMessage } from "../../core/reload/message.ts"
import { decode, encode } from "../../core/wire/codec.ts"
import { openSslHashes } from "../hashes.ts"

/** One message in so many is really written, and read again. */
const SAMPLE = 1_000
const OVERLAY = 0x5eed

export const METHODS = ["update", "attach", "join", "leave", "fetch", "store"] as const
export type Method = (typeof METHODS)[number]

/** Counts what is sent, encodes a sample of it, and folds everything that happens into one hash. */
export class Post {
  /** Messages over one link, requests and answers, by method. */
  readonly sent: Record<Method, number> = { update: 0, attach: 0, join: 0, leave: 0, fetch: 0, store: 0 }
  encoded = 0
  encodedBytes = 0
  events = 0
  readonly #lines = new DataView(new ArrayBuffer(1 << 16))
  #filled = 0
  #hash: Uint8Array = new Uint8Array(32)
  #count = 0

  get total(): number {
    return METHODS.reduce((sum, method) => sum + this.sent[method], 0)
  }

  /** `count` messages of that method; `body` makes one of them, if it is to be a sample. */
  send(method: Method, count: number, to: () => NodeId, body: () => MessageBody): void {
    if (this.isSample(method, count)) this.sample(to(), body())
  }

  /** Counts as many; says whether one of them is to be given to `sample`. */
  isSample(method: Method, count: number): boolean {
    this.sent[method] += count
    this.#count += count
    if (this.#count < SAMPLE) return false
    this.#count -= SAMPLE
    return true
  }

  /** Something happened: what, to whom, by whom. */
  note(now: Instant, what: number, who: number, whom: number): void {
    this.events++
    const lines = this.#lines
    lines.setFloat64(this.#filled, now)
    lines.setUint32(this.#filled + 8, what)
    lines.setFloat64(this.#filled + 12, who)
    lines.setFloat64(this.#filled + 20, whom)
    this.#filled += 28
    if (this.#filled + 28 > lines.byteLength) this.#fold()
  }

  /** Two runs with the same one were the same to the last event. */
  digest(): string {
    this.#fold()
    return Array.from(this.#hash, (byte) => byte.toString(16).padStart(2, "0")).join("")
  }

  #fold(): void {
    const lines = new Uint8Array(this.#lines.buffer, 0, this.#filled)
    const all = new Uint8Array(this.#hash.length + lines.length)
    all.set(this.#hash)
    all.set(lines, this.#hash.length)
    this.#hash = openSslHashes.sha256(all)
    this.#filled = 0
  }

  /** Writes a message, and reads it again. */
  sample(node: NodeId, body: MessageBody): void {
    const header = {
      overlay: OVERLAY,
      configurationSequence: 1,
      ttl: 100,
      fragment: { last: true, offset: 0 },
      transaction: this.encoded.toString(16).padStart(16, "0") as TransactionId,
      maxResponseLength: 0,
      via: [],
      destination: [{ kind: "node", node } as const],
      options: [],
    }
    const bytes = writeMessage(header, encode(MessageContents, { body, extensions: [] }))
    const { payload } = readHeader(bytes)
    const read = decode(MessageContents, payload, "MessageContents")
    if (JSON.stringify(read.body) !== JSON.stringify(body))
      throw new InvariantError(`${body.kind} is not read as it was written`)
    this.encoded++
    this.encodedBytes += bytes.length
  }
}
