import { type Machine, NOTHING } from "../kit/machine.ts"
import { type Instant, NEVER } from "../kit/time.ts"
import type { ProxyEffect, ProxyInput, ProxySettings, ProxyStatistics } from "./proxy-interface.ts"

/** A transaction-stateful, forking proxy. RFC 3261 §16. */
export class ProxyCore implements Machine<ProxyInput, ProxyEffect> {
  readonly #settings: ProxySettings

  constructor(settings: ProxySettings) {
    this.#settings = settings
  }

  get deadline(): Instant {
    return NEVER
  }

  get statistics(): ProxyStatistics {
    return { pendingInvites: 0, pendingTransactions: this.#settings.listeners.length }
  }

  handle(_input: ProxyInput, _now: Instant): readonly ProxyEffect[] {
    return NOTHING
  }

  expire(_now: Instant): readonly ProxyEffect[] {
    return NOTHING
  }
}
