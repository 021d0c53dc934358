import type { CountEffect, LogEffect } from "../kit/log.ts"
import type { SipMessage, SipRequest, SipResponse } from "../sip/message.ts"
import type { Flow, Hop } from "../sip/transport.ts"
import type { Repeated } from "./onward.ts"

/** Names a server transaction; never used twice by one layer. */
export type ServerKey = number

/** What a client transaction is for: the server transaction that waits for its answer, and where that goes when it has gone. */
export interface Origin {
  readonly server: ServerKey
  readonly backwards: Flow
}

export type LayerInput =
  | { readonly kind: "received"; readonly message: SipMessage; readonly flow: Flow }
  /** The `send` of that id could not be carried out. Ids that are not the layer's are ignored. */
  | { readonly kind: "send-failed"; readonly id: string; readonly reason: string }
  | { readonly kind: "flow-closed"; readonly flow: Flow }
  /** A node lives no more. What went to it and was answered, if only by a 100, is left to its timers. */
  | { readonly kind: "node-lost"; readonly node: string }
  /**
   * Starts a client transaction. `branch` is that of the request's top Via and names the transaction. `bytes`: the request as it
   * goes out, where that is known, and where its fields stand in them. `user` comes back with all that becomes of it, `origin` with every 2xx
   * but the first.
   */
  | {
      readonly kind: "start"
      readonly branch: string
      readonly request: SipRequest
      readonly hop: Hop
      readonly bytes?: Uint8Array
      readonly repeated?: Repeated | undefined
      readonly user?: object
      readonly origin?: Origin
    }
  /** Cancels an INVITE client transaction: at once, or as soon as a provisional response allows. RFC 3261 §9.1. */
  | { readonly kind: "cancel"; readonly branch: string }
  /** `forget`: a repetition of the request is to be answered anew, so that nothing has to be remembered. RFC 3261 §8.2.7. */
  | {
      readonly kind: "respond"
      readonly server: ServerKey
      readonly response: SipResponse
      readonly forget?: boolean
    }
  /** Sends 100 Trying now, unless the server transaction has said something already. `bytes`: that 100, where it is known. */
  | { readonly kind: "trying"; readonly server: ServerKey; readonly bytes?: Uint8Array }
  /** Ends a server transaction without an answer. RFC 4320 §4.2 forbids a 408 that would come too late. */
  | { readonly kind: "abandon"; readonly server: ServerKey }

export type LayerEffect =
  | { readonly kind: "send"; readonly id: string; readonly hop: Hop; readonly bytes: Uint8Array }
  /** A new request, received and rport in its top Via. Neither ACK nor CANCEL nor a retransmission. */
  | {
      readonly kind: "request"
      readonly server: ServerKey
      readonly request: SipRequest
      readonly flow: Flow
    }
  /** An ACK that no transaction absorbs: for a 2xx, to be routed. */
  | { readonly kind: "ack"; readonly request: SipRequest; readonly flow: Flow }
  /** The client cancelled an INVITE that has no final response yet; the CANCEL itself is answered. */
  | { readonly kind: "cancelled"; readonly server: ServerKey }
  /** `origin`: the transaction has ended for its user, of which this is one more 2xx. RFC 6026 §7.2. */
  | {
      readonly kind: "response"
      readonly branch: string
      readonly response: SipResponse
      readonly user?: object | undefined
      readonly origin?: Origin
    }
  /** No final response will come: Timer B, F or a cancelled INVITE never answered, or the way is broken. */
  | {
      readonly kind: "failed"
      readonly branch: string
      readonly cause: "timeout" | "transport-failed"
      /** Whether a provisional response had come. */
      readonly heard: boolean
      /** Why the way is broken, where somebody said so. */
      readonly reason?: string
      readonly user?: object | undefined
    }
  /** The client transaction has gone, or only waits for repetitions. Nothing more comes of it but more 2xx to an INVITE. */
  | { readonly kind: "client-ended"; readonly branch: string; readonly user?: object | undefined }
  /** The server transaction has gone, or only waits for repetitions: it takes no response any more. A 2xx to an INVITE that no ACK answers is sent again by its user, as it went out (RFC 3261 §13.3.1.4). */
  | { readonly kind: "server-ended"; readonly server: ServerKey }
  | LogEffect
  | CountEffect
