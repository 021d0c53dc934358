import type { Duration, Instant } from "../../kit/time.ts"
import type { Flow } from "../../sip/transport.ts"
import type { Binding, EdgeBindings } from "../stores.ts"
import { identityOf } from "./bindings.ts"
import type { Registration } from "./register-request.ts"

/** A binding whose phone came to this node: what the record does not know of it. */
export interface EdgeRegistration {
  readonly aor: string
  readonly identity: string
  readonly binding: Binding
  /** When the phone's registration ends; the record promises more. */
  readonly expires: Instant
}

export interface Held extends EdgeRegistration {
  expires: Instant
  /** That of the latest accepted REGISTER, and of the latest seen, challenged ones included. */
  cseq: number
  seenCseq: number
  readonly flow: Flow
  keepOpenAt: Instant
  /** The latest refresh, where it was answered from memory and the record has not been read since. */
  unchecked: Refresh | undefined
  /** What the REGISTER looks like that refreshes it, where that is known. */
  known: KnownRefresh | undefined
}

/** A REGISTER that changed nothing: but for its CSeq it asked for the binding that stands. */
export interface Refresh {
  readonly at: Instant
  readonly granted: Duration
  readonly keptOpen: boolean
}

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

export interface KnownRefresh {
  readonly shape: Omit<KnownShape, "flow">
  readonly granted: Duration
  readonly keptOpen: boolean
  /** Whether the answer has to say that RFC 5626 applies. */
  readonly outbound: boolean
  /** The last REGISTER that was answered without a transaction: so may be its repetition. */
  readonly answered: Answered
}

export interface Answered {
  readonly cseq: number
  readonly nonceCount: number
  readonly branch: number
  readonly response: number
  readonly at: Instant
}

/** All that this node knows of an AOR whose phones have come to it. At rest it is a row of bytes. */
export interface EdgeRecord {
  readonly aor: string
  /** As last read, our own entry as last written. */
  entries: readonly EdgeBindings[]
  /**
   * The version of our binding where that one is all that counts: then a 200 lists it alone, as long as the entries stay
   * as they are. 0 where it is not.
   */
  soleVersion: number
  checkedAt: Instant
  /** When the record is to be read again; NEVER where nothing was answered without it. */
  checkAt: Instant
  held: Held[]
}

export const heldAs = ({ held }: EdgeRecord, wanted: string): Held | undefined =>
  held.find(({ identity }) => identity === wanted)

/** Whether what was registered here is one of these, as it was written. */
export const isAmong = (bindings: readonly Binding[], { binding, identity }: Held): boolean =>
  bindings.some((each) => each.version === binding.version && identityOf(each) === identity)

/** The REGISTER by which a binding was refreshed. */
export function registrationOf({ aor, binding, cseq }: Held, { granted, keptOpen }: Refresh): Registration {
  const { callId, path } = binding
  const renewed = { binding: { ...binding, cseq }, granted, keptOpen }
  return { aor, callId, cseq, path, contacts: [renewed], outbound: false }
}
