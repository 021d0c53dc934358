import type { Instant } from "../../kit/time.ts"
import type { Flow } from "../../sip/transport.ts"
import type { Piece } from "../piece.ts"
import type { Held } from "./edge-table.ts"
import type { RequestedContact } from "./register-request.ts"

/** What an accepted REGISTER looked like: the hash of its skeleton, that of its credentials, and where it came from. */
export interface KnownShape {
  readonly a: number
  readonly b: number
  readonly credentialsA: number
  readonly credentialsB: number
  readonly flow: Flow
  /** Of its method and digest-uri. RFC 7616 §3.4.3. */
  readonly ha2: string
}

/** A registration that is refreshed by a REGISTER of a known shape, and what is answered. */
export interface Known {
  readonly shape: KnownShape
  readonly held: Held
  /** Also the name of the user, who may register nobody else. */
  readonly aor: string
  readonly callId: string
  readonly requested: RequestedContact
  /** `Contact: <…>;expires=`, and what follows the number, up to the time of Date. */
  readonly contact: string
  readonly behindContact: Piece
  readonly toTag: string
  /** The last REGISTER that was answered without a transaction: so may be its repetition. */
  readonly answered: { cseq: number; nonceCount: number; branch: number; response: number; at: Instant }
}

/** By shape. Of two with the same first half of the hash the later one counts. */
export class KnownRegistrations {
  readonly #known = new Map<number, Known>()

  all(): Iterable<Known> {
    return this.#known.values()
  }

  recall(a: number, b: number): Known | undefined {
    const known = this.#known.get(a)
    return known?.shape.b === b ? known : undefined
  }

  add(known: Known): void {
    this.#known.set(known.shape.a, known)
  }

  delete(known: Known): void {
    if (this.#known.get(known.shape.a) === known) this.#known.delete(known.shape.a)
  }

  clear(): void {
    this.#known.clear()
  }
}
