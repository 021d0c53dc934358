import type { Instant } from "../kit/time.ts"
import type { HeaderField, SipRequest } from "../sip/message.ts"
import type { Flow } from "../sip/transport.ts"
import type { ServerKey } from "../transaction/layer-interface.ts"
import type { Target } from "./proxy/interface.ts"
import type { Refusal } from "./refusal.ts"
import type { SipEffect } from "./sip-server-interface.ts"

/** A request to be dealt with, and the transaction to answer it by; undefined for ACK, which has none. */
export interface Call {
  readonly server: ServerKey | undefined
  readonly request: SipRequest
  readonly flow: Flow
}

/** Where the services hand in what is to become of a request. */
export interface Desk {
  answer(call: Call, status: number, headers: readonly HeaderField[], now: Instant): readonly SipEffect[]
  /** Answers, logs and counts; an ACK is dropped. */
  refuse(call: Call, refusal: Refusal, now: Instant): readonly SipEffect[]
  /** Sends the request, its own Route values taken off, to all of the targets. */
  forward(call: Call, targets: readonly Target[], now: Instant): readonly SipEffect[]
}
