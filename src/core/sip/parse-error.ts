import { CarillonError } from "../kit/errors.ts"
import type { SipRequest } from "./message.ts"

/** A message that is not sound SIP, and the answer that it deserves. */
export class SipParseError extends CarillonError {
  readonly code = "sip.parse"
  /** For the status line of the answer: 400, 501, 505, 513. */
  readonly status: number
  /** For the status line too, such as `Bad CSeq`. */
  readonly reason: string
  /**
   * What an answer must repeat of the request: its Via, From, To, Call-ID and CSeq, as far as they
   * were found. Undefined: stay silent, as for responses, ACK, and whatever has no Via to answer by.
   */
  readonly salvage: SipRequest | undefined

  constructor(status: number, reason: string, salvage: SipRequest | undefined, options?: ErrorOptions) {
    super(`${status} ${reason}`, options)
    this.status = status
    this.reason = reason
    this.salvage = salvage
  }
}
