import { concat, equalBytes, fromBase64, randomBytes, toBase64Url, toUtf8 } from "../kit/bytes.ts"
import type { Hashes } from "../kit/crypto.ts"
import { Hmac } from "../kit/hmac.ts"
import { LIMITS } from "../kit/limits.ts"
import type { Random } from "../kit/random.ts"
import { type Duration, type Instant, minutes, seconds } from "../kit/time.ts"

/** How long a nonce is good for: the bound on a replay across nodes. */
export const NONCE_LIFE: Duration = minutes(5)

/** Clocks of nodes differ; a nonce from further in the future is forged or the fabric is ill. */
const CLOCK_SKEW = seconds(60)

const TIME_BYTES = 4
const SALT_BYTES = 8
const MAC_BYTES = 12
const LABEL = toUtf8("carillon nonce 1")

/** Digest nonces that every node of the fabric can verify: time, salt and a truncated HMAC. RFC 7616 §3.3, §5.4. */
export class Nonces {
  readonly #hmac: Hmac
  readonly #random: Random
  // Two generations, so that forgetting costs nothing: the older is dropped when the newer is as old as a nonce lives.
  #counts = new Map<string, number>()
  #oldCounts = new Map<string, number>()
  #rotated = -Infinity

  /** `key`: 32 bytes that all nodes share. */
  constructor(hashes: Hashes, key: Uint8Array, random: Random) {
    this.#hmac = new Hmac(hashes, key)
    this.#random = random
  }

  issue(now: Instant): string {
    const time = Math.floor(now / 1_000)
    const clear = concat(
      Uint8Array.of((time >>> 24) & 255, (time >>> 16) & 255, (time >>> 8) & 255, time & 255),
      randomBytes(this.#random, SALT_BYTES),
    )
    return toBase64Url(concat(clear, this.#mac(clear)))
  }

  /** `forged`: not ours; `expired`: ours once. */
  judge(nonce: string, now: Instant): "fresh" | "expired" | "forged" {
    const bytes = fromBase64(nonce)
    if (bytes?.length !== TIME_BYTES + SALT_BYTES + MAC_BYTES) return "forged"
    const clear = bytes.subarray(0, TIME_BYTES + SALT_BYTES)
    if (!equalBytes(bytes.subarray(TIME_BYTES + SALT_BYTES), this.#mac(clear))) return "forged"
    const issued = 1_000 * (((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0)
    if (issued > now + CLOCK_SKEW) return "forged"
    return now - issued > NONCE_LIFE ? "expired" : "fresh"
  }

  /**
   * Whether this use of a nonce, already proved with the password, is a new one: its count must rise.
   * Only proved uses are remembered, so that nobody without a password can fill the table.
   */
  use(nonce: string, nonceCount: number, now: Instant): boolean {
    if (now - this.#rotated > NONCE_LIFE || this.#counts.size >= LIMITS.sip.nonceCounts) {
      this.#oldCounts = this.#counts
      this.#counts = new Map()
      this.#rotated = now
    }
    const highest = this.#counts.get(nonce) ?? this.#oldCounts.get(nonce) ?? 0
    if (nonceCount <= highest) return false
    this.#counts.set(nonce, nonceCount)
    return true
  }

  #mac(clear: Uint8Array): Uint8Array {
    return this.#hmac.of(LABEL, clear).subarray(0, MAC_BYTES)
  }
}
