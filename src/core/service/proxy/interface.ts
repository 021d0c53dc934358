import type { CountEffect, LogEffect } from "../../kit/log.ts"
import type { Random } from "../../kit/random.ts"
import type { Duration } from "../../kit/time.ts"
import type { SipMessage, SipRequest, SipResponse } from "../../sip/message.ts"
import type { Flow, Hop, Listener } from "../../sip/transport.ts"
import type { ServerKey } from "../../transaction/layer-interface.ts"
import type { Repeated } from "../../transaction/onward.ts"
import type { SipTimers } from "../../transaction/timers.ts"
import type { DnsQuestion, DnsRecord } from "../sip-server-interface.ts"
import type { Ticket } from "../stores.ts"

/** Where a target is to be sent: known, or a URI to be located by RFC 3263. */
export type TargetHop = Hop | { readonly kind: "uri"; readonly uri: string }

/** One element of the target set. RFC 3261 §16.5. */
export interface Target {
  readonly hop: TargetHop
  readonly requestUri: string
  /** Route values to push on top of those that the request has. */
  readonly route: readonly string[]
  /** Record-Route values to put on top, the first becoming the topmost. */
  readonly recordRoute: readonly string[]
  /** Preference in thousandths: higher ones are tried first, equal ones at once. */
  readonly q: number
  /** Tried in its stead where it cannot be reached: 430, 503, no answer at all, or a broken way. */
  readonly fallback?: Target | undefined
}

/** An ACK or BYE of a dialog whose path tokens of ours tell, and where it goes. */
export interface DialogRequest {
  readonly method: "ACK" | "BYE"
  readonly hop: Hop
  readonly uri: string
  /** The value of Via as it came, and as it is for whoever comes behind us. RFC 3581 §4. */
  readonly via: string
  readonly markedVia: string
  /** What names its transaction, but for the method. */
  readonly branch: string
  readonly sentBy: string
  readonly callId: string
  /** The value of the field. */
  readonly cseq: string
  /** See `loopMark`; empty for an ACK, which needs none. */
  readonly mark: string
  /** Everything behind the fields that a proxy puts on top. */
  readonly rest: string
  /** Of a BYE. */
  readonly repeated: Repeated | undefined
}

/** An INVITE that was taken, and the one place where it goes. */
export interface OnwardInvite {
  readonly server: ServerKey
  readonly request: SipRequest
  readonly flow: Flow
  readonly target: Target & { readonly hop: Hop }
  readonly mark: string
  /** 100 Trying. */
  readonly trying: string
  /** Everything behind the fields that a proxy puts on top. */
  readonly rest: string
  readonly repeated: Repeated
}

export type ProxyInput =
  | { readonly kind: "received"; readonly message: SipMessage; readonly flow: Flow }
  | { readonly kind: "send-failed"; readonly id: string; readonly reason: string }
  | { readonly kind: "flow-closed"; readonly flow: Flow }
  | { readonly kind: "node-lost"; readonly node: string }
  | { readonly kind: "resolved"; readonly ticket: Ticket; readonly records: readonly DnsRecord[] | "failed" }
  /** Answers a request; a To tag is added where it lacks one. Ignored once the request has its final answer. */
  /** `forget`: a repetition is to be answered anew, so that nothing has to be remembered. RFC 3261 §8.2.7. */
  | {
      readonly kind: "answer"
      readonly server: ServerKey
      readonly response: SipResponse
      readonly forget?: boolean
    }
  /** Sends a request on, its own Route values already taken off. Again for the same server: more targets. */
  | {
      readonly kind: "forward"
      readonly server: ServerKey
      readonly request: SipRequest
      readonly targets: readonly Target[]
    }
  /** Sends a request on and forgets it: the ACK for a 2xx. RFC 3261 §16.11. */
  | { readonly kind: "forward-stateless"; readonly request: SipRequest; readonly target: Target }

export type ProxyEffect =
  | { readonly kind: "send"; readonly id: string; readonly hop: Hop; readonly bytes: Uint8Array }
  | { readonly kind: "resolve"; readonly ticket: Ticket; readonly question: DnsQuestion }
  /** A new request, to be answered or forwarded. Never ACK or CANCEL. */
  | {
      readonly kind: "request"
      readonly server: ServerKey
      readonly request: SipRequest
      readonly flow: Flow
    }
  /** An ACK that belongs to no transaction here: to be routed. */
  | { readonly kind: "ack"; readonly request: SipRequest; readonly flow: Flow }
  /**
   * A target is given up. `status` as it answered, or ours where it did not: 408 no answer in time,
   * 503 no way to it. Fallbacks are targets of their own.
   */
  | {
      readonly kind: "branch-failed"
      readonly server: ServerKey
      readonly target: Target
      readonly status: number
    }
  /** The first 2xx to an INVITE outside a dialog. */
  | { readonly kind: "call-answered"; readonly server: ServerKey }
  /** The proxy itself refuses, and no target did: worth a line of the log. */
  | {
      readonly kind: "refused"
      readonly request: SipRequest
      readonly source: string
      readonly status: number
      readonly cause: string
    }
  /** The request got its final answer by other ways than `answer`: from a target, or by CANCEL. */
  | { readonly kind: "finished"; readonly server: ServerKey; readonly status: number }
  | LogEffect
  | CountEffect

export interface ProxySettings {
  readonly listeners: readonly Listener[]
  readonly random: Random
  /** Numbers for `resolve`, unique within the machine that asks. */
  readonly nextTicket: () => Ticket
  /** The standard ones, unless a test says otherwise. */
  readonly timers?: SipTimers
  /** Timer C: longer than three minutes. RFC 3261 §16.6 step 11. */
  readonly timerC?: Duration
}

export interface ProxyStatistics {
  /** INVITEs taken and not finally answered. */
  readonly pendingInvites: number
  /** Transactions of either side without a final response. */
  readonly pendingTransactions: number
  /** Requests that were forwarded and whose branches may still be heard of. */
  readonly contexts: number
}
