import { concat, toUtf8 } from "../core/kit/bytes.ts"
import type { Hashes } from "../core/kit/crypto.ts"
import { invariant } from "../core/kit/errors.ts"
import { toHex } from "../core/kit/hex.ts"
import type { LogEffect } from "../core/kit/log.ts"
import type { Instant } from "../core/kit/time.ts"

/** All that happened, as one hash: two runs of a seed are the same run, or the hash tells. */
export class EventLog {
  /** What nodes have said of themselves, from level "info" on. */
  readonly told: { readonly at: Instant; readonly who: string; readonly effect: LogEffect }[] = []
  readonly #hashes: Hashes
  readonly #watch: ((line: string) => void) | undefined
  readonly #isHashed: boolean
  #hash: Uint8Array = new Uint8Array(32)
  #pending = ""
  #events = 0

  /**
   * `watch` is shown every line, for somebody who wants to read what happened. Without `isHashed` there is no hash to ask
   * for, which spares a story that is told a thousand times a tenth of its time.
   */
  constructor(hashes: Hashes, watch?: (line: string) => void, isHashed = true) {
    this.#hashes = hashes
    this.#watch = watch
    this.#isHashed = isHashed
  }

  /** Whether anything comes of a line. */
  get isKept(): boolean {
    return this.#isHashed || this.#watch !== undefined
  }

  get events(): number {
    return this.#events
  }

  note(now: Instant, who: string, what: string): void {
    this.#events++
    if (!this.isKept) return
    const line = `${now} ${who} ${what}`
    this.#watch?.(line)
    if (!this.#isHashed) return
    this.#pending += `${line}\n`
    if (this.#pending.length > 65_536) this.#fold()
  }

  noteLog(now: Instant, who: string, effect: LogEffect): void {
    const { level, event, fields } = effect
    if (level !== "debug") this.told.push({ at: now, who, effect })
    this.note(now, who, this.isKept ? `${level} ${event} ${JSON.stringify(fields)}` : event)
  }

  /** Asking changes nothing. */
  digest(): string {
    invariant(this.#isHashed, "a log that is asked for its hash keeps one")
    return toHex(this.#folded())
  }

  #fold(): void {
    this.#hash = this.#folded()
    this.#pending = ""
  }

  #folded(): Uint8Array {
    return this.#hashes.sha256(concat(this.#hash, toUtf8(this.#pending)))
  }
}
