import { concat, toUtf8 } from "../core/kit/bytes.ts"
import type { Hashes } from "../core/kit/crypto.ts"
import { toHex } from "../core/kit/hex.ts"
import type { LogEffect } from "../core/kit/log.ts"
import type { Instant } from "../core/kit/time.ts"

/** All that happened, as one hash: two runs of a seed are the same run, or the hash tells. */
export class EventLog {
  /** What nodes have said of themselves, from level "info" on. */
  readonly told: { readonly at: Instant; readonly who: string; readonly effect: LogEffect }[] = []
  readonly #hashes: Hashes
  readonly #watch: ((line: string) => void) | undefined
  #hash: Uint8Array = new Uint8Array(32)
  #pending = ""
  #events = 0

  /** `watch` is shown every line, for somebody who wants to read what happened. */
  constructor(hashes: Hashes, watch?: (line: string) => void) {
    this.#hashes = hashes
    this.#watch = watch
  }

  get events(): number {
    return this.#events
  }

  note(now: Instant, who: string, what: string): void {
    this.#events++
    const line = `${now} ${who} ${what}`
    this.#watch?.(line)
    this.#pending += `${line}\n`
    if (this.#pending.length > 65_536) this.#fold()
  }

  noteLog(now: Instant, who: string, effect: LogEffect): void {
    const { level, event, fields } = effect
    if (level !== "debug") this.told.push({ at: now, who, effect })
    this.note(now, who, `${level} ${event} ${JSON.stringify(fields)}`)
  }

  /** Asking changes nothing. */
  digest(): string {
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
