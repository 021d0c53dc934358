import { mixed } from "../../kit/row-index.ts"
import { after, type Duration, earliest, type Instant, NEVER, seconds } from "../../kit/time.ts"
import type { Flow } from "../../sip/transport.ts"
import type { Binding, EdgeBindings } from "../stores.ts"
import { identityOf } from "./bindings.ts"
import type { Registration } from "./register-request.ts"

/**
 * Other nodes may remove what a refresh rests on: the record is read again within this time of a
 * refresh, and no more often.
 */
export const CHECK_EVERY = seconds(30)

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
  /** The latest accepted REGISTER. */
  refreshed: Refresh
  /** Whether that was answered from memory and the record has not been read since. */
  isUnchecked: boolean
  /** What the REGISTER looks like that refreshes it, where that is known. */
  known: KnownRefresh | undefined
}

/** A REGISTER that, but for its CSeq, asked for the binding that stands. */
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
  readonly shape: Pick<KnownShape, "a" | "b" | "ha2"> & { readonly credentials: number }
  /** Whether the answer has to say that RFC 5626 applies. */
  readonly outbound: boolean
  /** Set where the latest REGISTER was answered without a transaction: so may be its repetition. */
  readonly answered: Answered | undefined
}

/** By what a REGISTER is told from others of its shape and CSeq: its branch, and its answer to the challenge. */
export interface Answered {
  readonly branch: number
  readonly proof: number
}

/** One number for the hash of a shape's credentials: whoever finds others of the same still has to prove the password. */
export const credentialsSum = (a: number, b: number): number => mixed(a) ^ b

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
  /** When the record was read last, or was to be. */
  checkedAt: Instant
  /** Something was answered without it: it is to be read again CHECK_EVERY later. */
  isCheckDue: boolean
  held: Held[]
}

/** When the record is to be read again; NEVER where nothing was answered without it. */
export const checkAt = ({ checkedAt, isCheckDue }: EdgeRecord): Instant =>
  isCheckDue ? after(checkedAt, CHECK_EVERY) : NEVER

/** When something of the record is due next. */
export const dueAt = (record: EdgeRecord): Instant =>
  earliest(checkAt(record), ...record.held.map(({ expires, keepOpenAt }) => earliest(expires, keepOpenAt)))

export const heldAs = ({ held }: EdgeRecord, wanted: string): Held | undefined =>
  held.find(({ identity }) => identity === wanted)

/** Whether what was registered here is one of these, as it was written. */
export const isAmong = (bindings: readonly Binding[], { binding, identity }: Held): boolean =>
  bindings.some((each) => each.version === binding.version && identityOf(each) === identity)

/** The REGISTER by which a binding was refreshed. */
export function registrationOf({ aor, binding, cseq, refreshed }: Held): Registration {
  const { callId, path } = binding
  const { granted, keptOpen } = refreshed
  const renewed = { binding: { ...binding, cseq }, granted, keptOpen }
  return { aor, callId, cseq, path, contacts: [renewed], outbound: false }
}
