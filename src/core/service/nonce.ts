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
/** What is remembered of a nonce that somebody with a password has used. */
interface Uses {
  /** The highest. */
  count: number
  readonly issued: number | undefined
}

const LABEL = toUtf8("carillon nonce 1")

/** Digest nonces that every node of the fabric can verify: time, salt and a truncated HMAC. RFC 7616 §3.3, §5.4. */
export class Nonces {
  readonly #hmac: Hmac
  readonly #random: Random
  // Two generations, so that forgetting costs nothing: the older is dropped when the newer is as old as a nonce lives.
  #uses = new Map<string, Uses>()
  #oldUses = new Map<string, Uses>()
  #rotated = -Infinity
  /** The latest: what is judged is used next. */
  #judged: { readonly nonce: string; readonly issued: number | undefined } | undefined

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
    // Proved before: a refresh with a known nonce is spared the HMAC, a fifth of what its check costs.
    const issued = this.#usesOf(nonce)?.issued ?? this.#issuedAt(nonce)
    this.#judged = { nonce, issued }
    if (issued === undefined || issued > now + CLOCK_SKEW) return "forged"
    return now - issued > NONCE_LIFE ? "expired" : "fresh"
  }

  /** When we, or another node with our key, issued it; undefined where nobody did. */
  #issuedAt(nonce: string): number | undefined {
    const bytes = fromBase64(nonce)
    if (bytes?.length !== TIME_BYTES + SALT_BYTES + MAC_BYTES) return undefined
    const clear = bytes.subarray(0, TIME_BYTES + SALT_BYTES)
    if (!equalBytes(bytes.subarray(TIME_BYTES + SALT_BYTES), this.#mac(clear))) return undefined
    return 1_000 * (((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0)
  }

  #usesOf(nonce: string): Uses | undefined {
    return this.#uses.get(nonce) ?? this.#oldUses.get(nonce)
  }

  /**
   * Whether this use of a nonce, already proved with the password, is a new one: its count must rise.
   * Only proved uses are remembered, so that nobody without a password can fill the table.
   */
  use(nonce: string, nonceCount: number, now: Instant): boolean {
    if (now - this.#rotated > NONCE_LIFE || this.#uses.size >= LIMITS.sip.nonceCounts) {
      this.#oldUses = this.#uses
      this.#uses = new Map()
      this.#rotated = now
    }
    const known = this.#usesOf(nonce)
    if (nonceCount <= (known?.count ?? 0)) return false
    const isJudged = this.#judged?.nonce === nonce
    const uses = known ?? { count: 0, issued: isJudged ? this.#judged!.issued : this.#issuedAt(nonce) }
    uses.count = nonceCount
    this.#uses.set(nonce, uses)
    return true
  }

  #mac(clear: Uint8Array): Uint8Array {
    return this.#hmac.of(LABEL, clear).subarray(0, MAC_BYTES)
  }
}
